"""The profile of a net: a bar per layer of any figure the table has, what it had behind what it has now."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from workbench.charts import labels, theme
from workbench.charts.layer_measures import MEASURES, Measure
from workbench.measurement import units

if TYPE_CHECKING:
    import altair as alt

HINT = "This model has no layers with weights"
WAITING = "The layers are told when the model has run once"
HEIGHT = 110
_WIDTH = 640  # pixels; who draws the chart says how much there is: `place` in vega.js and still.py
_APART = 21  # pixels from one slanted label to the next
# the end of a long name; of those that have room: see `labels.rooms`. The plot is narrower than its place, by
# how much depends on the labels: compared with the plot they would come and go
_LABEL = (
    "data('rows')[indexof(pluck(data('rows'), 'name'), datum.value)].room > place - 40 ? '' : "
    "length(datum.label) > 13 ? '…' + replace(slice(datum.label, -11), regexp('^[.]'), '') : datum.label"
)
_TICKS = (0.5, 1.0)  # of the axis, where lines are drawn


@dataclass(frozen=True)
class Layer:
    """One layer of what is shown, beside the original's; what begins with `original` is None where it is new.

    Attributes:
        original_bytes, kept_bytes: claimed. macs: of one sample. bits: of a weight. ms: measured.
        parts: how many thin layers it was split into; 0 where it was removed. ranks: between them.
        full_rank: the most its rank can be. hurts: what the scan lost in it; hurts_text: in a word or two;
        hurts_detail: in full.
        setting: what the recipe says of this layer alone, in words.
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
    original_parameters: int | None = None
    original_zeros: float | None = None
    original_bits: float | None = None
    original_rank: int | None = None
    macs: int | None = None
    original_macs: int | None = None
    ranks: tuple[int, ...] = ()
    full_rank: int | None = None
    ms: float | None = None
    original_ms: float | None = None
    hurts: float | None = None
    hurts_text: str = ""
    hurts_detail: str = ""
    setting: str = ""

    @property
    def is_removed(self) -> bool:
        """Whether the original had it, and what is shown has not."""
        return self.parts == 0

    @property
    def what(self) -> str:
        """`Conv2d 16×1×3×3`, and what became of it."""
        shape = "×".join(map(str, self.shape))
        return "removed" if self.is_removed else f"{self.kind} {shape}".strip()


def rows(layers: Sequence[Layer], measure: str = "bytes", hint: str = HINT) -> list[dict[str, Any]]:
    """One row per layer that has, or had, weights, in the order given; a hint where there is none."""
    drawn, found = weighted(layers), MEASURES[measure]
    if not drawn:
        return [{"kind": "hint", "hint": hint}]
    top = _top(found, drawn)
    bars = [_bar(position, each, found, top) for position, each in enumerate(drawn)]
    chosen = [2 if bar["selected"] else max(bar["height"], bar["before"]) for bar in bars]
    for bar, room in zip(bars, labels.rooms(chosen, _APART), strict=True):
        bar["room"] = room
    lines = [{"kind": "line", "height": part, "text": found.write(part * top)} for part in _TICKS]
    empty = all(found.now(each) is None for each in drawn)
    said = f"{found.full_title}: not known yet" if empty else found.full_title
    return [*bars, *([] if empty else lines), {"kind": "title", "title": said}]


def weighted(layers: Sequence[Layer]) -> list[Layer]:
    """Those that have weights, or had some."""
    return [each for each in layers if each.parameters or each.original_bytes]


def summary(layers: Sequence[Layer], measure: str = "bytes") -> str:
    """What the chart shows, in words, for a screen reader."""
    found = MEASURES[measure]
    told = [f"{each.name}: {_words(found, each)}." for each in weighted(layers)]
    return f"Layers, {found.full_title}. " + (" ".join(told) or f"{HINT}.")


def chart() -> alt.LayerChart:
    """The chart without rows; its one data source is named `rows`."""
    import altair as alt

    named = alt.Chart(theme.source())
    base = named.transform_filter("datum.kind === 'layer'")
    lines = named.transform_filter("datum.kind === 'line'")
    # `min` of the position: the rows' own order, whatever the names are
    x = alt.X("name:N", title=None, sort=alt.EncodingSortField("position", op="min"))
    x.axis = alt.Axis(labelAngle=-35, labelLimit=84, ticks=False, labelOverlap=False, labelExpr=_LABEL)
    x.scale = alt.Scale(paddingInner=0.25, paddingOuter=0.1)
    y = alt.Y("height:Q", title=None, scale=alt.Scale(domain=[0, 1.18], nice=False))
    y.axis = alt.Axis(labels=False, ticks=False, grid=False, domain=False, minExtent=0)
    pick = alt.selection_point(name="pick", fields=["name"], on="click")
    tooltip = _tooltip()
    rule = lines.mark_rule(stroke=theme.ink("line"), strokeWidth=0.5).encode(y=y)
    # from top to bottom: a bar of a few bytes can be clicked, and the chosen layer is seen where it has none
    ground = base.mark_bar(fill=theme.ink("accent")).encode(
        x=x, y=alt.datum(1.18), opacity=alt.condition("datum.selected", alt.value(0.16), alt.value(0.0))
    )
    had = base.mark_bar(fill=theme.ink("line"), fillOpacity=0.55).encode(
        x=x, y=alt.Y("before:Q"), tooltip=tooltip
    )
    now = base.mark_bar(fill=theme.ink("accent"), width={"band": 0.62}).encode(x=x, y=y, tooltip=tooltip)
    mark = base.transform_filter("datum.selected").mark_point(
        shape="triangle-down", filled=True, size=46, opacity=1, fill=theme.ink()
    )
    chosen = mark.encode(x=x, y=alt.datum(1.1))
    places = {"align": "right", "baseline": "bottom", "x": alt.ExprRef("width"), "dy": -1, "fontSize": 10}
    halo = lines.mark_text(**places, stroke=theme.ink("paper"), strokeWidth=4).encode(y=y, text="text:N")
    tick = lines.mark_text(**places, fill=theme.ink("faint")).encode(y=y, text="text:N")
    told = named.transform_filter("datum.kind === 'title'").encode(text="title:N")
    corner = {"align": "left", "baseline": "bottom", "x": 2, "y": -3}  # above the bars
    title = alt.layer(
        told.mark_text(**corner, stroke=theme.ink("paper"), strokeWidth=4),
        told.mark_text(**corner, fill=theme.ink("faint")),
    )
    drawn = alt.layer(
        rule,
        ground.encode(tooltip=tooltip).add_params(pick),
        had,
        now,
        chosen,
        halo,
        tick,
        title,
        labels.hint_layer(named),
    )
    described = "A bar per layer: what it has now, before what the original had."
    return theme.themed(drawn.add_params(alt.param(name="place", value=_WIDTH)), described, HEIGHT)


def _tooltip() -> list[alt.Tooltip]:
    import altair as alt

    fields = {"layer": "name", "is": "what", "now": "text", "change": "change", "own setting": "setting"}
    return [alt.Tooltip(f"{field}:N", title=title) for title, field in fields.items()]


def _bar(position: int, layer: Layer, measure: Measure, top: float) -> dict[str, Any]:
    now, before = measure.now(layer), measure.before(layer)
    return {
        "kind": "layer",
        "position": position,
        "name": layer.name,
        "what": layer.what,
        "height": max(now or 0.0, 0.0) / top,
        "before": max(before or 0.0, 0.0) / top,
        "text": measure.text(layer),
        "change": measure.change(layer) or units.UNKNOWN,
        "setting": layer.setting or units.UNKNOWN,
        "selected": layer.is_selected,
    }


def _top(measure: Measure, layers: Sequence[Layer]) -> float:
    """Where the axis ends: a round number above everything, so that it rests while a slider moves."""
    values = [each for layer in layers for each in (measure.now(layer), measure.before(layer)) if each]
    most = max((value for value in values if math.isfinite(value)), default=0.0)
    if most <= 0:
        return 1.0
    power = 10.0 ** math.floor(math.log10(most))
    return next(step * power for step in (1, 1.5, 2, 3, 4, 5, 6, 8, 10) if step * power >= most * (1 - 1e-9))


def _words(measure: Measure, layer: Layer) -> str:
    if layer.is_removed:
        return "removed"
    parts = [measure.text(layer), measure.change(layer)]
    if layer.parts > 1:
        parts.append(f"{layer.parts} thin layers")
    parts += [layer.setting, "chosen" if layer.is_selected else ""]
    return ", ".join(part for part in parts if part)
