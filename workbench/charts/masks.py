"""A picture of what was removed from one layer: its weights as a matrix, dark where they stay."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from workbench.charts import labels, theme
from workbench.measurement import units

if TYPE_CHECKING:
    import altair as alt

HINT = "Add a step that prunes to see what it removes"
HEIGHT = 200
ROWS, COLUMNS = 40, 96  # tiles at most; a tile stands for several weights where there are more


@dataclass(frozen=True)
class Picture:
    """The weights of one layer in tiles, outputs from top to bottom, inputs from left to right.

    Attributes:
        kept: by row and column, the share of a tile's weights that differ from zero.
        outputs, inputs: the matrix's size; zeros: the share of its weights that are zero.
    """

    name: str
    kept: Sequence[Sequence[float]]
    outputs: int
    inputs: int
    zeros: float


def rows(picture: Picture | None) -> list[dict[str, Any]]:
    """A row per tile; a hint where there is no picture."""
    if picture is None or not picture.kept:
        return [{"kind": "hint", "hint": HINT}]
    down, across = picture.outputs / len(picture.kept), picture.inputs / len(picture.kept[0])
    return [
        {
            "kind": "tile",
            "top": row * down,
            "bottom": (row + 1) * down,
            "left": column * across,
            "right": (column + 1) * across,
            "kept": share,
        }
        for row, line in enumerate(picture.kept)
        for column, share in enumerate(line)
        if share > 0  # what is gone is the ground
    ] + [{"kind": "frame", "right": picture.inputs, "bottom": picture.outputs}]


def summary(picture: Picture | None) -> str:
    """What the chart shows, in words, for a screen reader."""
    if picture is None or not picture.kept:
        return HINT + "."
    empty = sum(not any(line) for line in picture.kept)
    size = f"{picture.outputs} × {picture.inputs} weights"
    told = f"{picture.name}: {units.share(picture.zeros)} of {size} are zero."
    return f"{told} {empty} of {len(picture.kept)} bands of outputs are empty." if empty else told


def chart() -> alt.LayerChart:
    """The chart without rows; its one data source is named `rows`."""
    import altair as alt

    named = alt.Chart(theme.source())
    axis = alt.Axis(grid=False, tickCount=5, tickMinStep=1)
    across = alt.Scale(domainMin=0, nice=False)
    x = alt.X("left:Q", title="inputs", scale=across, axis=axis)
    y = alt.Y("top:Q", title="outputs", scale=alt.Scale(domainMin=0, nice=False, reverse=True), axis=axis)
    tiles = (
        named.transform_filter("datum.kind === 'tile'")
        .mark_rect(fill=theme.ink("accent"))
        .encode(
            x=x,
            x2="right:Q",
            y=y,
            y2="bottom:Q",
            opacity=alt.Opacity("kept:Q", scale=alt.Scale(domain=[0, 1], range=[0.12, 1]), legend=None),
            tooltip=[alt.Tooltip("kept:Q", title="weights kept here", format=".0%")],
        )
    )
    frame = (
        named.transform_filter("datum.kind === 'frame'")
        .mark_rect(fillOpacity=0, stroke=theme.ink("line"))
        .encode(x=alt.X("right:Q", scale=across), x2=alt.datum(0), y=alt.Y("bottom:Q"), y2=alt.datum(0))
    )
    described = "Which weights of a layer stay (dark) and which were removed (empty), outputs by inputs."
    return theme.themed(alt.layer(frame, tiles, labels.hint_layer(named)), described, HEIGHT)
