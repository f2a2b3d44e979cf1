"""Which layer hurts: each layer's accuracy (or loss) at each strength, with its interval."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any

from workbench.charts import axes, labels, theme
from workbench.exploration.records import effect_text, strength_text
from workbench.measurement import units

if TYPE_CHECKING:
    import altair as alt

    from workbench.exploration.records import Effect, Sensitivity

HINT = "Press Scan layers: each layer is compressed alone, and the one that hurts shows"
_SHAPES = ("circle", "square", "triangle-up", "diamond", "cross", "triangle-down")
_ROW = 30  # pixels a layer takes
_SPREAD = 21  # of them for its strengths, one below the other
_LEAST = 0.05  # of the figure, that the axis shows at least
_TEXTS = 150  # pixels the texts take


def rows(
    scan: Sensitivity | None,
    selected: str = "",
    layers: Sequence[str] = (),
    strengths: Sequence[str] = (),
) -> list[dict[str, Any]]:
    """A row per layer and one per point that was scanned, the baseline as a line.

    Before any scan a hint, over the names of `layers` and `strengths` (in words) that a scan would try.
    """
    if scan is None or not scan.layers:
        empty = [_layer(name, index, "", name == selected, 1.0) for index, name in enumerate(layers)]
        return [*empty, *_frame(strengths, 1.0), {"kind": "hint", "hint": HINT}]
    base = scan.accuracy.value if scan.accuracy is not None else scan.loss
    named = [
        _layer(name, index, _text(scan, name), name == selected, base)
        for index, name in enumerate(scan.layers)
    ]
    texts = [strength_text(each, scan.unit) for each in scan.strengths]
    points = [row for each in scan.effects for row in _rows(scan, each)]
    return [*named, *_frame(texts, base), {"kind": "baseline", "x": base}, *points]


def summary(scan: Sensitivity | None) -> str:
    """What the chart shows, in words, for a screen reader."""
    if scan is None or not scan.effects:
        return HINT + "."
    told = [f"{name}: {_text(scan, name)}." for name in scan.layers if scan.of(name)]
    return f"{scan.summary}. {' '.join(told)}"


def chart(is_loss: bool = False) -> alt.LayerChart:
    """The chart without rows; its one data source is named `rows`. A loss has an axis of its own."""
    import altair as alt

    named = alt.Chart(theme.source())
    layers = named.transform_filter("datum.kind === 'layer'")
    points = named.transform_filter("datum.kind === 'point'")
    y = alt.Y("name:N", title=None, sort=alt.EncodingSortField("position", op="min"))
    y.axis = alt.Axis(ticks=False, domain=False, labelLimit=140, grid=False)
    scale = alt.Scale(zero=False, nice=True, range=[0, alt.ExprRef(f"max(60, width - {_TEXTS})")])
    title = "loss, this layer compressed" if is_loss else "accuracy, %"
    axis = alt.Axis(
        orient="top", titleAnchor="start", tickCount=5, **({} if is_loss else {"labelExpr": axes.SHARE})
    )
    x = alt.X("x:Q", title=title, scale=scale, axis=axis)
    below = {"yOffset": alt.ExprRef("datum.below")}
    pick = alt.selection_point(name="pick", fields=["name"], on="click")
    shape = alt.Shape(
        "strength:N",
        title=None,
        sort=alt.EncodingSortField("order", op="min"),
        scale=alt.Scale(range=list(_SHAPES)),
        legend=alt.Legend(
            orient="top", direction="horizontal", symbolFillColor=theme.ink("accent"), symbolOpacity=1
        ),
    )
    weak = alt.Opacity("order:Q", scale=alt.Scale(domainMin=0, range=[0.45, 1]), legend=None)
    everywhere = {"x": alt.value(0), "x2": alt.value("width")}
    bands = layers.mark_bar(fill=theme.ink("line"), cornerRadius=2).encode(
        **everywhere, y=y, opacity=alt.condition("datum.selected", alt.value(0.35), alt.value(0.0))
    )
    line = named.transform_filter("datum.kind === 'baseline'")
    drawn = [
        bands.add_params(pick),
        line.mark_rule(strokeDash=[4, 4]).encode(x=x),
        points.transform_filter("isValid(datum.low)")
        .mark_rule(stroke=theme.ink("accent"), strokeWidth=1.5, **below)
        .encode(x=alt.X("low:Q"), x2="high:Q", y=y, opacity=weak),
        points.mark_point(filled=True, size=55, color=theme.ink("accent"), **below).encode(
            x=x, y=y, shape=shape, opacity=weak, tooltip=_tooltip()
        ),
        layers.mark_text(align="right", baseline="middle", x=alt.ExprRef("width")).encode(y=y, text="text:N"),
        labels.frame_layer(named).encode(x=x, shape=shape),
        labels.hint_layer(named),
    ]
    described = "Accuracy with its interval when each layer is compressed alone, at a few strengths."
    return theme.themed(alt.layer(*drawn), described).properties(height={"step": _ROW})


def still(scan: Sensitivity, selected: str = "") -> tuple[Any, list[dict[str, Any]]]:
    """The chart that fits a scan, and its rows: what `workbench.live.still.still` draws."""
    return chart(scan.accuracy is None), rows(scan, selected)


def _rows(scan: Sensitivity, each: Effect) -> Iterator[dict[str, Any]]:
    at = each.accuracy.value if each.accuracy is not None else each.loss
    if each.problem or not math.isfinite(at):
        return
    order = scan.strengths.index(each.strength)
    yield {
        "kind": "point",
        "name": each.layer,
        "position": scan.layers.index(each.layer),
        "order": order,
        "below": _below(order, len(scan.strengths)),
        "strength": strength_text(each.strength, scan.unit),
        "x": at,
        "low": each.accuracy.low if each.accuracy else None,
        "high": each.accuracy.high if each.accuracy else None,
        "value": str(each.accuracy) if each.accuracy else f"loss {each.loss:.4g}",
        "change": effect_text(each),
        "error": units.share(each.output_error),
        "saved": units.size(each.saved_bytes),
        "also": ", ".join(each.also) or units.UNKNOWN,
    }


def _layer(name: str, position: int, text: str, is_selected: bool, x: float) -> dict[str, Any]:
    return {
        "kind": "layer",
        "name": name,
        "position": position,
        "x": x,
        "selected": is_selected,
        "text": text,
    }


def _frame(strengths: Sequence[str], base: float) -> list[dict[str, Any]]:
    """The axis and the legend, whole from the start: without an entry the chart would have no size."""
    entries = strengths or (" ",)
    ends = [{"kind": "frame", "x": base * (1 - _LEAST), "strength": entries[0], "order": 0}]
    return ends + [
        {"kind": "frame", "x": base, "strength": text, "order": order} for order, text in enumerate(entries)
    ]


def _below(order: int, count: int) -> float:
    """Pixels from the middle of a layer's row, weak to strong from the top."""
    return round((order - (count - 1) / 2) * min(9.0, _SPREAD / max(count - 1, 1)), 2)


def _tooltip() -> list[alt.Tooltip]:
    import altair as alt

    fields = {
        "layer": "name",
        "strength": "strength",
        "judged": "value",
        "change": "change",
        "output error": "error",
        "saves, claimed": "saved",
        "changed with it": "also",
    }
    return [alt.Tooltip(f"{field}:N", title=title) for title, field in fields.items()]


def _text(scan: Sensitivity, name: str) -> str:
    """`−9.5 at 2 bits`: the most a layer loses; what cannot be said is said."""
    found = scan.of(name)
    if not found:
        return "…" if len(scan) or scan.n else ""
    judged = [each for each in found if not each.problem]
    if not judged:
        return "failed"
    worst = max(judged, key=lambda each: (each.drop, each.output_error))
    if worst.is_untouched:
        return "left as it is"
    at = scan.at(worst)
    if worst.paired is None:
        return f"{units.signed(worst.loss_change, 3)} {at}"
    if not worst.is_seen:
        return "no loss seen" if worst.paired.difference <= 0 else "no change seen"
    return f"{units.points(worst.paired.difference)} {at}"
