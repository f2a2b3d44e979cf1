"""One look for every chart: data colours and shapes, and a config whose other colours follow the theme.

Data colours are Okabe and Ito's, which colour-blind people can tell apart, one per family of technique and
always with a shape as the second cue. Text, lines and background are expressions over five parameters
(`ink`, `faint`, `line`, `paper`, `accent`): the live board sets them from JupyterLab's CSS variables, so that
a change of theme recolours a chart without building it again; without a board they keep the light palette.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import altair as alt

SOURCE = "rows"  # the name of the one data source of each chart

VERMILLION, BLUE, GREEN, ORANGE, SKY, PURPLE = (
    "#D55E00",
    "#0072B2",
    "#009E73",
    "#E69F00",
    "#56B4E9",
    "#CC79A7",
)

_STAR = "M0,-1.25 .36,-.5 1.19,-.39 .6,.19 .74,1.01 0,.62 -.74,1.01 -.6,.19 -1.19,-.39 -.36,-.5Z"

# family -> colour and shape; `several` stands for recipes of more than one family
FAMILIES: dict[str, tuple[str, str]] = {
    "baseline": ("ink", "square"),
    "pruning": (VERMILLION, "circle"),
    "quantization": (BLUE, "diamond"),
    "sharing": (ORANGE, "cross"),
    "factorization": (GREEN, "triangle-up"),
    "distillation": (PURPLE, "triangle-down"),
    "training": (SKY, "triangle-right"),
    "several": ("ink", _STAR),
}

# `accent` is the colour of a single series: blue is too dark for a dark ground
LIGHT = {"ink": "#212121", "faint": "#616161", "line": "#bdbdbd", "paper": "#ffffff", "accent": BLUE}
DARK = {"ink": "#e0e0e0", "faint": "#9e9e9e", "line": "#616161", "paper": "#111111", "accent": SKY}


def family_of(families: tuple[str, ...]) -> str:
    """The one word a recipe is drawn by: its family, or `several`; training alone is its own."""
    compressing = [each for each in dict.fromkeys(families) if each != "training"]
    if not compressing:
        return "training"
    return compressing[0] if len(compressing) == 1 else "several"


def ink(name: str = "ink") -> alt.ExprRef:
    """A colour of the theme as an expression, for a mark that is neither family nor data."""
    import altair as alt

    return alt.ExprRef(name)


def source() -> alt.NamedData:
    """The named data source that rows are streamed into."""
    import altair as alt

    return alt.NamedData(name=SOURCE)


def family_scale(cue: int) -> alt.Scale:
    """The scale of families: to colours (`cue` 0) or to shapes (`cue` 1)."""
    import altair as alt

    cues = [each[cue] for each in FAMILIES.values()]
    return alt.Scale(domain=list(FAMILIES), range=[ink() if each == "ink" else each for each in cues])


def themed(chart: alt.Chart | alt.LayerChart, description: str, height: int | None = None) -> alt.Chart:
    """`chart` as wide as its container, with the theme's parameters and config and a text alternative."""
    import altair as alt

    chart = chart.add_params(*[alt.param(name=name, value=color) for name, color in LIGHT.items()])
    chart = chart.properties(
        width="container",
        description=description,
        autosize=alt.AutoSizeParams(type="fit-x", contains="padding", resize=True),
        padding={"left": 4, "right": 12, "top": 8, "bottom": 4},
        **({"height": height} if height else {}),
    )
    return chart.configure(**config())


def config() -> dict[str, Any]:
    """Sizes, and colours as expressions over the theme's parameters."""
    ink, faint, line = {"expr": "ink"}, {"expr": "faint"}, {"expr": "line"}
    return {
        "background": {"expr": "paper"},
        "view": {"stroke": None},
        "axis": {
            "labelColor": faint,
            "titleColor": faint,
            "gridColor": line,
            "gridOpacity": 0.5,
            "domainColor": line,
            "tickColor": line,
            "labelFontSize": 11,
            "titleFontSize": 11,
            "titleFontWeight": "normal",
            "labelPadding": 4,
            "titlePadding": 8,
            "tickSize": 4,
        },
        # room for "100" and "99.5" alike: the plot does not move when the labels change
        "axisY": {"minExtent": 30},
        "legend": {"labelColor": ink, "titleColor": faint, "labelFontSize": 11, "titleFontSize": 11},
        "text": {"fill": ink, "fontSize": 11},
        "rule": {"stroke": faint},
    }
