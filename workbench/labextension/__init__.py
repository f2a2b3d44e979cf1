"""The JupyterLab front end: a launcher card, a left-hand panel, a toolbar button; TypeScript under `src/`.

Python has four things to do for it: `asking.ask` answers what the front end asks of a kernel, `listing` is
most of the answers, `telling` says when versions change, `shipping` puts the built files in their place.
Nothing here is imported before a front end asks.
"""

from __future__ import annotations
