"""What went from each layer: a line per layer, a cell per channel, empty where it is gone."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from workbench.charts import labels, theme

if TYPE_CHECKING:
    import altair as alt

HINT = "Add PruneChannels to see which channels go"
LINE = 22  # pixels per layer
CELLS = 128  # per layer at most; a cell stands for several channels where there are more


@dataclass(frozen=True)
class Strip:
    """One layer's channels in order.

    Attributes:
        kept: for each channel whether it stays.
        word: what they are called: channels, neurons, heads.
        locked: why none can go; empty where they can.
    """

    name: str
    kept: Sequence[bool]
    word: str = "channels"
    locked: str = ""

    @property
    def text(self) -> str:
        """`12 of 24 channels`, or that the layer is locked."""
        count = sum(map(bool, self.kept))
        return f"{len(self.kept)}, locked" if self.locked else f"{count} of {len(self.kept)} {self.word}"


def rows(strips: Sequence[Strip]) -> list[dict[str, Any]]:
    """A row per cell, one per layer for its frame and text; a hint where there are no layers."""
    if not strips:
        return [{"kind": "hint", "hint": HINT}]
    found: list[dict[str, Any]] = []
    for place, strip in enumerate(strips):
        layer = {"layer": strip.name, "place": place}
        found.append(
            {"kind": "layer", **layer, "left": 0.0, "right": 1.0, "text": strip.text, "why": strip.locked}
        )
        found += [{"kind": "cell", **layer, **cell} for cell in _cells(strip)]
    return found


def summary(strips: Sequence[Strip]) -> str:
    """What the chart shows, in words, for a screen reader."""
    if not strips:
        return HINT + "."
    return "What is left: " + "; ".join(f"{each.name} {each.text}" for each in strips) + "."


def chart(layers: int = 6) -> alt.LayerChart:
    """The chart without rows; its one data source is named `rows`. It is drawn for a number of layers."""
    import altair as alt

    named = alt.Chart(theme.source())
    y = alt.Y(
        "layer:N",
        title=None,
        sort=alt.EncodingSortField("place", op="min"),
        axis=alt.Axis(ticks=False, domain=False, labelLimit=180),
        scale=alt.Scale(paddingInner=0.25),
    )
    x = alt.X("left:Q", title=None, axis=None, scale=alt.Scale(domain=[0, 1.32], nice=False))
    drawn = named.transform_filter("datum.kind === 'layer'")
    frames = drawn.mark_rect(fill=None, stroke=theme.ink("line")).encode(x=x, x2="right:Q", y=y)
    tooltip = [alt.Tooltip("layer:N"), alt.Tooltip("text:N", title="left"), alt.Tooltip("why:N", title="why")]
    texts = drawn.mark_text(align="left", dx=6, baseline="middle", fill=theme.ink()).encode(
        x=alt.X("right:Q", axis=None), y=y, text="text:N", tooltip=tooltip
    )
    cells = (
        named.transform_filter("datum.kind === 'cell'")
        .mark_rect(stroke=None)
        .encode(
            x=x,
            x2="right:Q",
            y=y,
            fill=alt.condition(
                "datum.is_locked", alt.value(theme.LIGHT["line"]), alt.value(theme.VERMILLION)
            ),
            opacity=alt.Opacity("kept:Q", scale=alt.Scale(domain=[0, 1], range=[0, 1]), legend=None),
        )
    )
    layered = alt.layer(cells, frames, texts, labels.hint_layer(named))
    described = "The channels of each layer: filled where they stay, empty where they were removed."
    return theme.themed(layered, described, max(2, layers) * LINE)


def _cells(strip: Strip) -> list[dict[str, Any]]:
    """Cells from left to right with a hair between them; empty ones are the ground."""
    count = len(strip.kept)
    size = -(-count // CELLS)
    starts = range(0, count, size)
    cells = []
    for start in starts:
        part = strip.kept[start : start + size]
        if share := sum(map(bool, part)) / len(part):
            right = (start + len(part)) / count
            gap = 0.12 * len(part) / count if count <= 64 else 0.0
            cells.append(
                {
                    "left": start / count,
                    "right": right - gap,
                    "kept": share,
                    "is_locked": bool(strip.locked),
                }
            )
    return cells
