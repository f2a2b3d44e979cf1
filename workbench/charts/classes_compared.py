"""Recall of each class in two models: a square where it was, a dot where it is, a line between them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from workbench.charts import axes, labels, theme
from workbench.measurement import units

if TYPE_CHECKING:
    import altair as alt

    from workbench.comparison.classes import ClassChange

HINT = "Two models that give classes show here which class lost"
MOST = 20  # classes; of more, those that changed most
LINE = 20  # pixels per class
_WAYS = ("lost", "gained", "same")


def rows(classes: Sequence[ClassChange]) -> list[dict[str, Any]]:
    """A row per class, in the classes' order."""
    shown = [each for each in classes if each.recall_change is not None]
    if not shown:
        return [{"kind": "frame", "class": "", "place": 0, "after": 1}, {"kind": "hint", "hint": HINT}]
    if len(shown) > MOST:
        most = sorted(shown, key=lambda each: -abs(each.recall_change or 0))[:MOST]
        shown = [each for each in shown if each in most]
    return [
        {
            "kind": "class",
            "class": each.name,
            "place": place,
            "before": each.recall_before.value,
            "after": each.recall_after.value,
            "low": each.recall_after.low,
            "high": each.recall_after.high,
            "n": units.exact(each.n),
            "change": f"{units.points(each.recall_change)} points",
            "way": _way(each.recall_change or 0.0),
        }
        for place, each in enumerate(shown)
    ]


def summary(classes: Sequence[ClassChange], before: str = "", after: str = "") -> str:
    """What the chart shows, in words, for a screen reader."""
    changed = [each for each in classes if each.recall_change]
    if not changed:
        return "Recall of each class: no class changed." if classes else HINT + "."
    worst = sorted(changed, key=lambda each: each.recall_change or 0)[:3]
    told = ", ".join(
        f"{each.name} {units.share(each.recall_before.value)} to {units.share(each.recall_after.value)} "
        f"of {each.n:,}"
        for each in worst
    )
    return f"Recall of each class from {before} to {after}; {len(changed)} changed, the most: {told}."


def chart() -> alt.LayerChart:
    """The chart without rows; its one data source is named `rows`."""
    import altair as alt

    named = alt.Chart(theme.source())
    base = named.transform_filter("datum.kind === 'class'")
    order = alt.EncodingSortField("place", op="min")
    y = alt.Y("class:N", title=None, sort=order, axis=alt.Axis(ticks=False, domain=False, labelLimit=120))
    scale = alt.Scale(zero=False, nice=True)
    x = alt.X("after:Q", title="recall, %", scale=scale, axis=alt.Axis(labelExpr=axes.SHARE, tickCount=5))
    tooltip = [
        alt.Tooltip("class:N"),
        alt.Tooltip("n:N", title="samples"),
        alt.Tooltip("before:Q", title="before", format=".1%"),
        alt.Tooltip("after:Q", title="after", format=".1%"),
        alt.Tooltip("low:Q", title="after, 95 % from", format=".1%"),
        alt.Tooltip("high:Q", title="after, 95 % to", format=".1%"),
        alt.Tooltip("change:N"),
    ]
    way = alt.Color(
        "way:N",
        scale=alt.Scale(domain=list(_WAYS), range=[theme.VERMILLION, theme.SKY, theme.ink("faint")]),
        legend=None,
    )
    between = base.mark_rule(strokeWidth=3).encode(
        x=alt.X("before:Q", scale=scale), x2="after:Q", y=y, color=way
    )
    was = base.mark_point(shape="square", size=55, filled=False, stroke=theme.ink("faint"), strokeWidth=1.5)
    now = base.mark_point(shape="circle", size=60, filled=True, opacity=1)
    layers = [
        labels.frame_layer(named).encode(x=x, y=y),
        between,
        was.encode(x=alt.X("before:Q", scale=scale), y=y, tooltip=tooltip),
        now.encode(x=x, y=y, color=way, tooltip=tooltip),
        labels.hint_layer(named),
    ]
    described = "Recall of each class: a square before, a dot after, and a line from one to the other."
    return theme.themed(alt.layer(*layers), described).properties(height=alt.Step(LINE))


def _way(change: float) -> str:
    return _WAYS[2] if change == 0 else _WAYS[0] if change < 0 else _WAYS[1]
