"""Per-layer bars: the bytes each layer keeps over the bytes it had, with zeros and bits beside them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from workbench.charts import axes, labels, theme
from workbench.measurement import units

if TYPE_CHECKING:
    import altair as alt

HINT = "This model has no layers with weights"
_BAR = 20  # pixels a layer takes
_TEXTS = 155  # pixels the texts take


@dataclass(frozen=True)
class Layer:
    """One layer: bytes it had and keeps (claimed), its parameters, those that are not zero, its bits.

    `parts` is how many thin layers it was split into.
    """

    name: str
    kind: str
    original_bytes: float
    kept_bytes: float
    parameters: int
    nonzero: int
    bits: float | None = None
    shape: tuple[int, ...] = ()
    parts: int = 1
    is_selected: bool = False


def rows(layers: Sequence[Layer]) -> list[dict[str, Any]]:
    """One row per layer that has weights, in the model's order; a hint where there is none."""
    weighted = [layer for layer in layers if layer.parameters]
    return [_row(index, layer) for index, layer in enumerate(weighted)] or [{"kind": "hint", "hint": HINT}]


def summary(layers: Sequence[Layer]) -> str:
    """What the chart shows, in words, for a screen reader."""
    told = [f"{layer.name}: {_text(layer)}." for layer in layers if layer.parameters]
    return "Bytes kept per layer (claimed). " + " ".join(told)


def chart() -> alt.LayerChart:
    """The chart without rows; its one data source is named `rows`."""
    import altair as alt

    base = alt.Chart(theme.source()).transform_filter("datum.kind === 'layer'")
    # `min` of the position: the rows' own order, whatever the names are
    y = alt.Y("name:N", title=None, sort=alt.EncodingSortField("position", op="min"))
    y.axis = alt.Axis(ticks=False, domain=False, labelLimit=120)
    ticks = alt.ExprRef("max(1, floor((width - 100) / 110))")
    x_axis = alt.Axis(
        labelExpr=axes.SIZE, tickCount=ticks, labelOverlap="greedy", titleAnchor="start", orient="top"
    )
    # the texts stand to the right of the longest bar
    scale = alt.Scale(nice=False, domainMin=0, range=[0, alt.ExprRef(f"max(60, width - {_TEXTS})")])
    x = alt.X("original:Q", title="bytes, claimed", axis=x_axis, scale=scale)
    pick = alt.selection_point(name="pick", fields=["name"], on="click")
    had = base.mark_bar(fill=theme.ink("line"), fillOpacity=0.45, height=12).encode(x=x, y=y)
    keeps = base.mark_bar(fill=theme.ink("accent"), height=12).encode(x=alt.X("kept:Q"), y=y)
    text = base.mark_text(align="left", dx=6, baseline="middle").encode(x=alt.X("end:Q"), y=y, text="text:N")
    layers = [
        had.encode(tooltip=_tooltip()).add_params(pick),
        keeps.encode(tooltip=_tooltip()),
        text,
        labels.hint_layer(alt.Chart(theme.source())),
    ]
    described = "Bytes each layer keeps of the bytes it had, with its zeros and bits."
    themed = theme.themed(alt.layer(*layers), described)
    return themed.properties(height={"step": _BAR})


def _tooltip() -> list[alt.Tooltip]:
    import altair as alt

    fields = {
        "layer": "name",
        "kind": "layer_kind",
        "shape": "shape",
        "parameters": "parameters_text",
        "zeros": "zeros_text",
        "bits": "bits_text",
        "had": "original_text",
        "keeps": "kept_text",
    }
    return [alt.Tooltip(f"{field}:N", title=title) for title, field in fields.items()]


def _row(position: int, layer: Layer) -> dict[str, Any]:
    zeros = 1 - layer.nonzero / layer.parameters
    return {
        "kind": "layer",
        "position": position,
        "name": layer.name,
        "layer_kind": layer.kind,
        "shape": " × ".join(map(str, layer.shape)) or "–",
        "original": layer.original_bytes,
        "kept": layer.kept_bytes,
        "end": max(layer.original_bytes, layer.kept_bytes),
        "zeros": zeros,
        "parameters_text": f"{layer.parameters:,}",
        "zeros_text": units.share(zeros),
        "bits_text": _bits(layer.bits) or "32",
        "original_text": units.size(layer.original_bytes),
        "kept_text": units.size(layer.kept_bytes),
        "text": _text(layer),
        "selected": layer.is_selected,
    }


def _text(layer: Layer) -> str:
    """`4.1 KB · 90 % zeros · 4 bits`: what is not as it was is said."""
    zeros = 1 - layer.nonzero / layer.parameters
    parts = [units.size(layer.kept_bytes)]
    if layer.parts > 1:
        parts.append(f"{layer.parts} thin layers")
    if zeros >= 0.005:
        parts.append(f"{units.share(zeros, 0)} zeros")
    if layer.bits is not None and layer.bits < 32:
        parts.append(f"{_bits(layer.bits)} bits")
    return " · ".join(parts)


def _bits(bits: float | None) -> str:
    return "" if bits is None else f"{bits:g}" if float(bits).is_integer() else f"{bits:.1f}"
