"""Charts as functions: records in, `alt.Chart` out, one chart per file.

Every file has `rows(...)`, which turns records into the plain rows of one named data source, `chart(...)`,
which makes the chart once, and `summary(...)`, which says in words what the chart shows. Rows of a living
panel are streamed into the compiled chart by `workbench.live`; `still` draws chart and rows together for a
saved notebook.
"""
