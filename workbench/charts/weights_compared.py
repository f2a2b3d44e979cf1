"""One layer's weights in two models: how many lie where, in the same bins; exact zeros are told in words."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from workbench.charts import labels, theme
from workbench.measurement import units

if TYPE_CHECKING:
    import altair as alt

    from workbench.comparison.weights import WeightsPair, WeightsSide

HINT = "Choose two and a layer to see its weights in both"
HEIGHT = 150


def rows(pair: WeightsPair | None) -> list[dict[str, Any]]:
    """A row per bin and model, as a share of the model's weights; a hint without any."""
    if pair is None:
        return [{"kind": "hint", "hint": HINT}]
    found: list[dict[str, Any]] = []
    for kind, side in (("before", pair.before), ("after", pair.after)):
        if side is None:
            continue
        width = (pair.high - pair.low) / len(side.counts)
        found += [
            {
                "kind": kind,
                "model": side.name,
                "from": pair.low + index * width,
                "to": pair.low + (index + 1) * width,
                "share": count / max(side.total, 1),
                "count": units.exact(count),
            }
            for index, count in enumerate(side.counts)
        ]
    return found or [{"kind": "hint", "hint": HINT}]


def summary(pair: WeightsPair | None) -> str:
    """What the chart shows, in words; also what it cannot show: zeros, and how many values there are."""
    if pair is None:
        return HINT + "."
    sides = [_told(each) for each in (pair.before, pair.after) if each is not None]
    return f"Weights of {pair.layer}: {'; '.join(sides)}."


def chart() -> alt.LayerChart:
    """The chart without rows; its one data source is named `rows`."""
    import altair as alt

    named = alt.Chart(theme.source())
    before = named.transform_filter("datum.kind === 'before'")
    after = named.transform_filter("datum.kind === 'after'")
    axis = alt.Axis(grid=False, tickCount=6)
    x = alt.X(
        "from:Q", title="weight (exact zeros left out)", axis=axis, scale=alt.Scale(nice=False, zero=False)
    )
    y = alt.Y(
        "share:Q", title="weights, %", axis=alt.Axis(labelExpr="format(100 * datum.value, '~r')", tickCount=4)
    )
    tooltip = [
        alt.Tooltip("model:N"),
        alt.Tooltip("from:Q", format=".3g"),
        alt.Tooltip("to:Q", format=".3g"),
        alt.Tooltip("count:N", title="weights"),
    ]
    ground = before.mark_rect(fill=theme.ink("line"), fillOpacity=0.75).encode(
        x=x, x2="to:Q", y=y, y2=alt.datum(0), tooltip=tooltip
    )
    outline = after.mark_rect(
        fill=theme.ink("accent"), fillOpacity=0.3, stroke=theme.ink("accent"), strokeWidth=1.2
    ).encode(x=x, x2="to:Q", y=y, y2=alt.datum(0), tooltip=tooltip)
    described = "Weights of one layer: a grey ground for the first model, outlined bars for the second."
    return theme.themed(alt.layer(ground, outline, labels.hint_layer(named)), described, HEIGHT)


def _told(side: WeightsSide) -> str:
    parts = f", in {side.parts} thin layers" if side.parts > 1 else ""
    values = f"{side.values:,} different values" if side.values != 1 else "one value"
    return (
        f"{side.name} has {side.total:,}{parts}, {units.share(side.zeros / max(side.total, 1), 1)} "
        f"exact zeros, {values}"
    )
