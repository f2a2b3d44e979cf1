"""What a panel says without a front end: its still form in a saved notebook, and the report for a colleague.

Both are the same few blocks (`blocks.py`), told from records (`told.py`) and written as HTML that needs
neither scripts nor style sheets to be read.
"""
