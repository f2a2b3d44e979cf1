"""A list of shared values: where the weights lie, and how many of them each value stands for."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from workbench.charts import labels, theme
from workbench.measurement import units

if TYPE_CHECKING:
    import altair as alt

HINT = "Add ShareWeights to the recipe to see the values that weights share"
HEIGHT = 170


@dataclass(frozen=True)
class Values:
    """One list of shared values.

    Attributes:
        name: the parameters that share it.
        values: in rising order; uses: how many weights take each of them.
        density: how many weights lie in each of some equally wide bins between `low` and `high`, before they
            were given to values; empty where that is not known any more.
    """

    name: str
    values: Sequence[float]
    uses: Sequence[int]
    density: Sequence[float] = ()
    low: float = 0.0
    high: float = 0.0


def rows(shown: Values | None) -> list[dict[str, Any]]:
    """A row per bin and one per value, heights as shares of the highest of their kind; a hint without any."""
    if shown is None or not len(shown.values):
        return [{"kind": "hint", "hint": HINT}]
    highest, most = max(shown.density, default=0) or 1, max(shown.uses) or 1
    width = (shown.high - shown.low) / max(1, len(shown.density))
    bins = [
        {
            "kind": "bin",
            "from": shown.low + index * width,
            "to": shown.low + (index + 1) * width,
            "height": count / highest,
        }
        for index, count in enumerate(shown.density)
    ]
    values = [
        {
            "kind": "value",
            "value": value,
            "height": uses / most,
            "number": index,
            "uses": units.exact(uses),
        }
        for index, (value, uses) in enumerate(zip(shown.values, shown.uses, strict=True))
    ]
    return bins + values


def summary(shown: Values | None) -> str:
    """What the chart shows, in words, for a screen reader."""
    if shown is None or not len(shown.values):
        return HINT + "."
    rank = max(range(len(shown.uses)), key=lambda index: shown.uses[index])
    told = f"{units.exact(sum(shown.uses))} weights of {shown.name} share {len(shown.values)} values, "
    told += f"from {shown.values[0]:.3g} to {shown.values[-1]:.3g}. "
    return told + f"Most of them, {units.exact(shown.uses[rank])}, take {shown.values[rank]:.3g}."


def chart() -> alt.LayerChart:
    """The chart without rows; its one data source is named `rows`."""
    import altair as alt

    named = alt.Chart(theme.source())
    bins = named.transform_filter("datum.kind === 'bin'")
    values = named.transform_filter("datum.kind === 'value'")
    y = alt.Y("height:Q", title="weights", scale=alt.Scale(domain=[0, 1.05], nice=False))
    y.axis = alt.Axis(labels=False, ticks=False, grid=False)
    axis = alt.Axis(grid=False, tickCount=6)
    tooltip = [
        alt.Tooltip("number:Q", title="code"),
        alt.Tooltip("value:Q", title="value", format=".4g"),
        alt.Tooltip("uses:N", title="weights that take it"),
    ]
    area = bins.mark_rect(fill=theme.ink("line"), fillOpacity=0.5).encode(
        x=alt.X("from:Q", title="value", axis=axis), x2="to:Q", y=y, y2=alt.datum(0)
    )
    x = alt.X("value:Q", title="value", axis=axis, scale=alt.Scale(nice=False, zero=False))
    stems = values.mark_rule(color=theme.ORANGE, strokeWidth=2).encode(
        x=x, y=y, y2=alt.datum(0), tooltip=tooltip
    )
    heads = values.mark_point(color=theme.ORANGE, shape="cross", filled=True, size=50, opacity=1).encode(
        x=x, y=y, tooltip=tooltip
    )
    described = "Where the weights of a list lie, and how many of them each shared value stands for."
    return theme.themed(alt.layer(area, stems, heads, labels.hint_layer(named)), described, HEIGHT)
