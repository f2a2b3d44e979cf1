"""The receipt as a waterfall: from the original's file through each step to the bytes of the packed one."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, Protocol

from workbench.charts import axes, labels, theme
from workbench.measurement import units

if TYPE_CHECKING:
    import altair as alt

HINT = "Press Run: the receipt shows where every byte of the file goes"
_BAR = 26  # pixels a step takes


class Step(Protocol):
    """One step of a receipt: its name, by how many bytes it changes the total, and the total after it."""

    name: str
    change: int
    total: int


def rows(steps: Sequence[Step]) -> list[dict[str, Any]]:
    """One row per step; the first total and the last are drawn from the left. A hint where there is none."""
    if not steps:
        return [{"kind": "hint", "hint": HINT}]
    lowest = min(step.total for step in steps) / 2  # a log axis has no zero to begin at
    first, *between = steps
    drawn = [_row(0, first.name, lowest, first.total, "whole", first.total, first.total)]
    before = first.total
    for index, step in enumerate(between):
        way = "less" if step.change < 0 else "more"
        drawn.append(_row(index + 1, step.name, before, step.total, way, step.change, first.total))
        before = step.total
    return [*drawn, _row(len(steps), "file", lowest, before, "whole", before, first.total)]


def summary(steps: Sequence[Step]) -> str:
    """What the chart shows, in words, for a screen reader."""
    told = " ".join(f"{step.name}: {units.size(step.total)}." for step in steps)
    return f"From the original's file to the packed one, bytes after each step. {told}".strip()


def chart() -> alt.LayerChart:
    """The chart without rows; its one data source is named `rows`."""
    import altair as alt

    base = alt.Chart(theme.source()).transform_filter("datum.kind === 'step'")
    y = alt.Y("name:N", title=None, sort=alt.EncodingSortField("position", op="min"))
    y.axis = alt.Axis(ticks=False, domain=False, labelLimit=210)
    axis = alt.Axis(labelExpr=axes.SIZE, tickCount=5, labelOverlap=True)
    x = alt.X("low:Q", title="bytes (log)", axis=axis, scale=alt.Scale(type="log", nice=False))
    color = alt.Color("way:N", legend=None)
    color.scale = alt.Scale(domain=["whole", "less", "more"], range=[theme.BLUE, theme.GREEN, theme.ORANGE])
    tooltip = [alt.Tooltip("name:N", title="step"), alt.Tooltip("text:N", title="bytes")]
    bars = base.mark_bar(height=14).encode(x=x, x2="high:Q", y=y, color=color, tooltip=tooltip)
    told = base.mark_text(align="left", dx=6, baseline="middle").encode(x="high:Q", y=y, text="text:N")
    layers = [bars, told, labels.hint_layer(alt.Chart(theme.source()))]
    described = "Bytes from the original's file through each step of the recipe to the packed file."
    themed = theme.themed(alt.layer(*layers), described)
    # the texts stand to the right of the bars
    return themed.properties(height={"step": _BAR}, padding={"left": 4, "right": 190, "top": 4, "bottom": 4})


def _row(
    position: int, name: str, before: float, after: float, way: str, change: int, whole: int
) -> dict[str, Any]:
    sign = {"whole": "", "less": "−", "more": "+"}[way]
    text = f"{sign}{units.size(abs(change))}"
    if way == "whole":
        text += f" ({units.times(whole / after)} smaller)" if position else ""
    else:
        text += f" → {units.size(after)}"
    return {
        "kind": "step",
        "position": position,
        "name": name,
        "low": min(before, after),
        "high": max(before, after),
        "way": way,
        "text": text,
    }
