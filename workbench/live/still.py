"""Charts without a front end: chart and rows drawn by vl-convert, for a saved notebook or a report."""

from __future__ import annotations

import html
from collections.abc import Mapping
from typing import Any

from workbench.live import rows
from workbench.live.bundle import vega_lite_version

WIDTH = 640  # pixels; a chart of a board has no width of its own


def still(chart: Any, shown: rows.Rows, *, width: int = WIDTH) -> str:
    """One chart with its rows as the text of an SVG picture, in the light palette.

    The same rows give the same text.
    """
    import vl_convert

    spec = chart if isinstance(chart, Mapping) else chart.to_dict()
    filled = {**spec, "width": width, "datasets": {"rows": rows.plain(shown)}}
    return vl_convert.vegalite_to_svg(filled, vl_version=vega_lite_version())


def page(charts: Mapping[str, tuple[Any, rows.Rows, str]], *, width: int = WIDTH) -> str:
    """Several charts below each other as HTML: title, picture, and what it shows in words.

    Args:
        charts: by title: the chart, its rows, and its summary.
    """
    figures = []
    for title, (chart, shown, text) in charts.items():
        heading, told = html.escape(title), html.escape(text)
        picture = still(chart, shown, width=width)
        figures.append(f"<figure><figcaption>{heading}</figcaption>{picture}<p>{told}</p></figure>")
    return "\n".join(figures)


def png(picture: Any, *, scale: float = 1) -> bytes:
    """A picture as PNG, which every front end shows: of an SVG text, or of a Vega-Lite chart with data."""
    import vl_convert

    if isinstance(picture, str):
        return vl_convert.svg_to_png(picture, scale=scale)
    spec = picture if isinstance(picture, Mapping) else picture.to_dict()
    return vl_convert.vegalite_to_png(spec, scale=scale)
