"""Ranges of activations: the grid at each place, the values that came by, and what of them is clipped."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from workbench.charts import labels, theme
from workbench.measurement import units

if TYPE_CHECKING:
    import altair as alt

    from workbench.exploration.quantization_records import ActivationRange

HINT = "Give Quantize activations= to see what of them the grids hold"
_ROW = 22  # pixels a place takes
_TEXTS = 170  # pixels the texts take


def rows(ranges: Sequence[ActivationRange]) -> list[dict[str, Any]]:
    """A row per place, in the order they are reached; a hint where there is none."""
    return [_row(index, each) for index, each in enumerate(ranges)] or [{"kind": "hint", "hint": HINT}]


def summary(ranges: Sequence[ActivationRange]) -> str:
    """What the chart shows, in words, for a screen reader."""
    if not ranges:
        return HINT + "."
    told = [
        f"{each.place}: grid from {each.low:.3g} to {each.high:.3g}, values from {each.seen_low:.3g} to "
        f"{each.seen_high:.3g}, {_text(each)}."
        for each in ranges
    ]
    return "Where activations are rounded. " + " ".join(told)


def chart() -> alt.LayerChart:
    """The chart without rows; its one data source is named `rows`."""
    import altair as alt

    named = alt.Chart(theme.source())
    base = named.transform_filter("datum.kind === 'place'")
    y = alt.Y("name:N", title=None, sort=alt.EncodingSortField("position", op="min"))
    y.axis = alt.Axis(ticks=False, domain=False, labelLimit=160)
    scale = alt.Scale(nice=False, range=[0, alt.ExprRef(f"max(60, width - {_TEXTS})")])
    axis = alt.Axis(orient="top", titleAnchor="start", tickCount=5)
    x = alt.X(
        "low:Q", title="value of an activation: bar, the grid; line, what came by", scale=scale, axis=axis
    )
    tooltip = [
        alt.Tooltip("name:N", title="place"),
        alt.Tooltip("bits:Q", title="bits"),
        alt.Tooltip("low:Q", title="grid from", format=".4g"),
        alt.Tooltip("high:Q", title="grid to", format=".4g"),
        alt.Tooltip("seen_low:Q", title="values from", format=".4g"),
        alt.Tooltip("seen_high:Q", title="values to", format=".4g"),
        alt.Tooltip("step:Q", title="step", format=".3g"),
        alt.Tooltip("text:N", title="so"),
    ]
    grid = base.mark_bar(fill=theme.ink("accent"), fillOpacity=0.55, height=11).encode(
        x=x, x2="high:Q", y=y, tooltip=tooltip
    )
    seen = base.mark_rule(stroke=theme.VERMILLION, strokeWidth=2).encode(
        x=alt.X("seen_low:Q"), x2="seen_high:Q", y=y, tooltip=tooltip
    )
    ends = [
        base.mark_tick(stroke=theme.VERMILLION, thickness=2, height=9).encode(x=alt.X(f"{end}:Q"), y=y)
        for end in ("seen_low", "seen_high")
    ]
    text = base.mark_text(align="right", baseline="middle", x=alt.ExprRef("width")).encode(y=y, text="text:N")
    described = "The range of each grid of activations, the values that came by, and the share it clips."
    drawn = alt.layer(grid, seen, *ends, text, labels.hint_layer(named))
    return theme.themed(drawn, described).properties(height={"step": _ROW})


def _row(position: int, each: ActivationRange) -> dict[str, Any]:
    return {
        "kind": "place",
        "name": each.place,
        "position": position,
        "bits": each.bits,
        "low": each.low,
        "high": each.high,
        "seen_low": each.seen_low,
        "seen_high": each.seen_high,
        "step": each.step,
        "text": _text(each),
    }


def _text(each: ActivationRange) -> str:
    """`0.12 % clipped`, `uses 43 % of the grid`, or that all is well."""
    if each.is_dynamic:
        return "made anew in every call"
    if each.clipped:
        return f"{_small(each.clipped)} clipped"
    return f"uses {units.share(each.used, 0)} of the grid"


def _small(share: float) -> str:
    return "under 0.01 %" if share < 0.0001 else units.share(share, 2)
