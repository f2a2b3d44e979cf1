"""The one front-end view that streams rows into compiled charts.

`ChartBoard` owns all Vega views of a panel; `board.place(name)` is where one of them is shown. `still` draws
the same charts without a front end, for a saved notebook.
"""
