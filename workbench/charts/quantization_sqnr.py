"""How much noise rounding makes in each layer: decibels of its weights, of its outputs, and in the model."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from workbench.charts import labels, theme
from workbench.exploration.quantization_records import decibels

if TYPE_CHECKING:
    import altair as alt

    from workbench.exploration.quantization_records import LayerError

HINT = "Add Quantize to the recipe to see which layer gets noisy"
LOST = "A version keeps rounded weights only: what they were before is not known"
KINDS = {"weights": "weights", "outputs": "outputs, this layer alone", "arriving": "outputs, in the model"}
_SHAPES = ("circle", "diamond", "triangle-left")
_ROW = 22  # pixels a layer takes
_TEXTS = 130  # pixels the texts take
_TOP = 60.0  # decibels; what is quieter stands there


def rows(errors: Sequence[LayerError], selected: str = "") -> list[dict[str, Any]]:
    """A row per layer, and one for each of its figures that is known; a hint where nothing is rounded."""
    if not any(math.isfinite(each.weights) or math.isfinite(each.outputs) for each in errors):
        return [*_frame(), {"kind": "hint", "hint": _hint(errors)}]
    frame = [
        {
            "kind": "layer",
            "name": each.layer,
            "position": index,
            "x": 0.0,
            "selected": each.layer == selected,
            "text": _text(each),
        }
        for index, each in enumerate(errors)
    ]
    return [*_frame(), *frame, *(row for index, each in enumerate(errors) for row in _points(index, each))]


def summary(errors: Sequence[LayerError]) -> str:
    """What the chart shows, in words, for a screen reader."""
    told = [f"{each.layer}: {_told(each)}." for each in errors if not math.isnan(each.weights)]
    return "Signal over rounding noise, layer by layer. " + " ".join(told) if told else _hint(errors) + "."


def chart() -> alt.LayerChart:
    """The chart without rows; its one data source is named `rows`."""
    import altair as alt

    named = alt.Chart(theme.source())
    layers = named.transform_filter("datum.kind === 'layer'")
    points = named.transform_filter("datum.kind === 'point'")
    y = alt.Y("name:N", title=None, sort=alt.EncodingSortField("position", op="min"))
    y.axis = alt.Axis(ticks=False, domain=False, labelLimit=140, grid=True)
    scale = alt.Scale(nice=False, range=[0, alt.ExprRef(f"max(60, width - {_TEXTS})")])
    axis = alt.Axis(orient="top", titleAnchor="start", tickCount=5)
    x = alt.X("x:Q", title="signal over rounding noise, dB (more is better)", scale=scale, axis=axis)
    legend = alt.Legend(orient="top", direction="horizontal", title=None, symbolOpacity=1, labelLimit=220)
    kinds = list(KINDS.values())
    shape = alt.Shape("figure:N", scale=alt.Scale(domain=kinds, range=list(_SHAPES)), legend=legend)
    colors = [theme.ink("accent"), theme.ORANGE, theme.VERMILLION]
    color = alt.Color("figure:N", scale=alt.Scale(domain=kinds, range=colors), legend=legend)
    tooltip = [
        alt.Tooltip("name:N", title="layer"),
        alt.Tooltip("figure:N", title="of"),
        alt.Tooltip("value:N", title="signal over noise"),
    ]
    pick = alt.selection_point(name="pick", fields=["name"], on="click")
    bands = layers.mark_bar(fill=theme.ink("line"), cornerRadius=2).encode(
        x=alt.value(0),
        x2=alt.value("width"),
        y=y,
        opacity=alt.condition("datum.selected", alt.value(0.35), alt.value(0.0)),
    )
    drawn = [
        bands.add_params(pick),
        points.mark_point(filled=True, size=60, opacity=1).encode(
            x=x, y=y, shape=shape, color=color, tooltip=tooltip
        ),
        layers.mark_text(align="right", baseline="middle", x=alt.ExprRef("width")).encode(y=y, text="text:N"),
        labels.frame_layer(named).encode(x=x),
        labels.hint_layer(named),
    ]
    described = "Signal over rounding noise of each layer, in decibels: its weights and its outputs."
    return theme.themed(alt.layer(*drawn), described).properties(height={"step": _ROW})


def _hint(errors: Sequence[LayerError]) -> str:
    return LOST if any(math.isnan(each.weights) for each in errors) else HINT


def _frame() -> list[dict[str, Any]]:
    return [{"kind": "frame", "x": x} for x in (0.0, 40.0)]


def _points(position: int, each: LayerError) -> list[dict[str, Any]]:
    values = {"weights": each.weights, "outputs": each.outputs, "arriving": each.arriving}
    return [
        {
            "kind": "point",
            "name": each.layer,
            "position": position,
            "figure": KINDS[key],
            "x": min(value, _TOP),
            "value": decibels(value),
        }
        for key, value in values.items()
        if math.isfinite(value)
    ]


def _text(each: LayerError) -> str:
    own = each.weights if math.isnan(each.outputs) else each.outputs
    return f"{_bits(each)} · {decibels(own)}"


def _told(each: LayerError) -> str:
    told = f"{_bits(each)}, weights {decibels(each.weights)}"
    if not math.isnan(each.outputs):
        told += f", outputs {decibels(each.outputs)} alone and {decibels(each.arriving)} in the model"
    return told


def _bits(each: LayerError) -> str:
    return "1 bit" if each.bits == 1 else f"{each.bits} bits"
