"""The trade-off: what a version reaches against what it costs, any two quantities.

Solid marks are measured versions, hollow ones previews; the baseline is a pinned square. Families have a
colour and a shape. What has only one of the two quantities (yet) is a line across the other axis, dashed for
a preview. The stepped line is the Pareto front; a shaded rectangle is what the limits leave.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from workbench.charts import axes, labels, theme, tradeoff_rows
from workbench.charts.tradeoff_rows import HINT, Point, Shown
from workbench.measurement import units
from workbench.measurement.quantities import ACCURACY, STORED, Quantity

if TYPE_CHECKING:
    import altair as alt

__all__ = ["HINT", "VERSIONS", "Point", "Shown", "chart", "filled", "rows", "summary", "template", "told"]

HEIGHT = 260
VERSIONS = "versions"  # the source of the marks that rest; a still picture gives both sources all rows
_MANY = 200  # marks; of more each is smaller, so that they can be told apart

_IS_MANY = f"length(data('{VERSIONS}')) > {_MANY}"
_PREVIEW, _BASELINE, _VERSION = (f"datum.kind === '{each}'" for each in ("preview", "baseline", "version"))
_WHOLE = "isValid(datum.x) && isValid(datum.y)"


def rows(points: Sequence[Point], shown: Shown | None = None) -> list[dict[str, Any]]:
    """All rows of the chart, as a still picture takes them."""
    shown = shown or Shown()
    versions = [point for point in points if point.kind == "version"]
    marks = tradeoff_rows.versions(versions, shown)
    others = [point for point in points if point.kind != "version"]
    return [*tradeoff_rows.moving(others, marks, shown, tradeoff_rows.not_drawn(versions, shown)), *marks]


def summary(points: Sequence[Point], shown: Shown | None = None) -> str:
    """What the chart shows, in words, for a screen reader."""
    shown = shown or Shown()
    versions = [point for point in points if point.kind == "version"]
    others = [point for point in points if point.kind != "version"]
    return told(others, versions, tradeoff_rows.versions(versions, shown), shown)


def told(
    others: Sequence[Point], versions: Sequence[Point], marks: Sequence[Mapping[str, Any]], shown: Shown
) -> str:
    """The same from marks that are made already."""
    many = f"{len(versions)} version{'s' * (len(versions) != 1)}"
    missing = tradeoff_rows.not_drawn(versions, shown) if len(marks) < len(versions) else ""
    said = [f"Trade-off, {shown.y.title} against {shown.x.title}: {many}."]
    if missing:
        said.append(f"{missing}.")
    if len(front := tradeoff_rows.on_front(marks, shown)) > 1:
        names = [row["label"] for row in front[: tradeoff_rows.MOST_LABELS]]
        more = len(front) - len(names)
        said.append(f"Not beaten in both: {', '.join(names)}{f' and {more} more' if more else ''}.")
    if shown.best is not None:
        said += [f"Best within the limits: {each.label}." for each in versions if each.id == shown.best]
    pointed = [*others, *(each for each in versions if each.id == shown.head)]
    return " ".join([*said, *(_told(each, shown) for each in pointed)])


def chart(x: Quantity = STORED, y: Quantity = ACCURACY) -> alt.LayerChart:
    """The chart without rows; its data sources are named `rows` and `versions`."""
    import altair as alt

    moving = alt.Chart(theme.source())
    resting = alt.Chart(alt.NamedData(name=VERSIONS)).transform_filter(_VERSION)
    place = {"x": _axis(alt.X, "x", x), "y": _axis(alt.Y, "y", y)}
    told = {**place, "tooltip": _tooltip(x, y)}
    layers = [
        labels.frame_layer(moving).encode(**place),
        *_region_layers(moving, place),
        _front_layer(moving, place),
        *_interval_layers(moving.transform_filter(f"{_PREVIEW} || {_BASELINE}"), place),
        *_interval_layers(resting, place),
        *_crossing_layers(moving, resting, told),
        *_ring_layers(moving, told),
        *_mark_layers(moving, resting, told),
        *_texts(moving, place),
        _note_layer(moving),
        labels.hint_layer(moving),
    ]
    described = f"Trade-off, {y.title} against {x.title}; hollow marks are previews, solid ones versions."
    return theme.themed(alt.layer(*layers), described, HEIGHT)


def template(x: Quantity, y: Quantity) -> alt.LayerChart:
    """The chart that is the same for all axes of these two kinds (log or not); its spec is to be `filled`."""
    named = (replace(each, name=f"‹{axis}›", title=f"‹{axis}›") for axis, each in _both(x, y))
    return chart(*named)


def filled(spec: Mapping[str, Any], x: Quantity, y: Quantity) -> dict[str, Any]:
    """A template with the titles and labels of two quantities, in a millisecond and without Altair."""
    text = json.dumps(spec, ensure_ascii=False)
    for axis, quantity in _both(x, y):
        words = {"": quantity.title, " axis": _title(quantity), " labels": axes.LABELS[quantity.unit.name]}
        for what, value in words.items():
            text = text.replace(f"‹{axis}{what}›", json.dumps(value, ensure_ascii=False)[1:-1])
    return json.loads(text)


def _both(x: Quantity, y: Quantity) -> tuple[tuple[str, Quantity], tuple[str, Quantity]]:
    return ("x", x), ("y", y)


def _title(quantity: Quantity) -> str:
    """An axis's title: with the unit that its labels leave out."""
    if quantity.name.startswith("‹"):
        return f"{quantity.title.removesuffix('›')} axis›"
    return quantity.title + axes.TITLED.get(quantity.unit.name, " (log scale)" * quantity.unit.is_log)


def _axis(channel: type[Any], axis: str, quantity: Quantity) -> Any:
    import altair as alt

    unit = quantity.unit
    is_template = quantity.name.startswith("‹")
    shape: dict[str, Any] = {"labelExpr": f"‹{axis} labels›" if is_template else axes.LABELS[unit.name]}
    if unit.is_log:
        ticks = [step * 10.0**power for power in range(-9, 13) for step in (1, 2, 5)]
        shape |= {"values": ticks, "labelOverlap": "greedy", "labelSeparation": 10}
    else:
        shape["tickCount"] = 5
    if axis == "x":
        shape["grid"] = False
    scale = alt.Scale(type="log", nice=False) if unit.is_log else alt.Scale(zero=False, nice=False)
    return channel(f"{axis}:Q", title=_title(quantity), scale=scale, axis=alt.Axis(**shape))


def _region_layers(moving: alt.Chart, place: Mapping[str, Any]) -> list[alt.Chart]:
    """What the limits leave: shaded, with an edge that shows in print and to the colour-blind."""
    import altair as alt

    region = moving.transform_filter("datum.kind === 'region'").encode(**place, x2="x2:Q", y2="y2:Q")
    shade = region.mark_rect(
        fill=theme.ink("accent"), fillOpacity=0.1, stroke=theme.ink("accent"), strokeDash=[2, 3], clip=True
    )
    corner = moving.transform_filter("datum.kind === 'region'").encode(
        x=place["x"], y=alt.Y("y2:Q"), text="region:N"
    )
    return [shade, corner.mark_text(align="left", baseline="top", dx=5, dy=5, fill=theme.ink("faint"))]


def _front_layer(moving: alt.Chart, place: Mapping[str, Any]) -> alt.Chart:
    front = moving.transform_filter("datum.kind === 'front'").encode(**place, order="order:Q")
    return front.mark_line(stroke=theme.ink("faint"), strokeWidth=1.5, opacity=0.8)


def _interval_layers(base: alt.Chart, place: Mapping[str, Any]) -> list[alt.Chart]:
    """Lines through a mark over the intervals of both quantities."""
    import altair as alt

    line = base.mark_rule(strokeWidth=1).encode(stroke=_family(alt.Stroke, 0), opacity=_faded(0.7))
    return [
        line.encode(x=place["x"], y=alt.Y("low:Q"), y2="high:Q").transform_filter("isValid(datum.low)"),
        line.encode(y=place["y"], x=alt.X("left:Q"), x2="right:Q").transform_filter("isValid(datum.left)"),
    ]


def _crossing_layers(moving: alt.Chart, resting: alt.Chart, told: Mapping[str, Any]) -> list[alt.Chart]:
    """What has only one of the two (yet) as a line across the plot: dashed for a preview."""
    import altair as alt

    stroke, tooltip = _family(alt.Stroke, 0), told["tooltip"]
    upright, level = "!isValid(datum.y)", "!isValid(datum.x)"
    text = moving.mark_text(align="left", dx=5, y=8).encode(x=told["x"], text=alt.Text("label:N"))
    beside = moving.mark_text(align="left", baseline="bottom", x=5, dy=-3).encode(
        y=told["y"], text=alt.Text("label:N")
    )
    layers = [
        resting.mark_rule(strokeWidth=2)
        .encode(x=told["x"], stroke=stroke, tooltip=tooltip, opacity=_faded(1))
        .transform_filter(upright),
        text.transform_filter(f"{upright} && ({_BASELINE} || {_PREVIEW})"),
        beside.transform_filter(f"{level} && ({_BASELINE} || {_PREVIEW})"),
    ]
    for which, dash in ((_BASELINE, [1, 0]), (_PREVIEW, [4, 4])):
        line = moving.mark_rule(strokeWidth=2, strokeDash=dash).encode(stroke=stroke, tooltip=tooltip)
        layers += [
            line.encode(x=told["x"]).transform_filter(f"{which} && {upright}"),
            line.encode(y=told["y"]).transform_filter(f"{which} && {level}"),
        ]
    return layers


def _ring_layers(moving: alt.Chart, told: Mapping[str, Any]) -> list[alt.Chart]:
    """Rings: a full one around the version worked from and the best, a dashed one around selected ones.

    They lie below the marks, so that a click on a neighbour meets it; they tell what their mark tells.
    """
    ring = moving.encode(**told).transform_filter(f"datum.kind === 'ring' && {_WHOLE}")
    look = {"shape": "circle", "stroke": theme.ink(), "opacity": 1}
    return [
        ring.mark_point(size=260, strokeWidth=1.5, **look).transform_filter("datum.ring !== 'picked'"),
        ring.mark_point(size=170, strokeWidth=1, strokeDash=[2, 2], **look).transform_filter(
            "datum.ring === 'picked'"
        ),
    ]


def _mark_layers(moving: alt.Chart, resting: alt.Chart, told: Mapping[str, Any]) -> list[alt.Chart]:
    import altair as alt

    pick = alt.selection_point(name="pick", fields=["id"], on="click", toggle=False)
    fill, stroke, shape = _family(alt.Fill, 0), _family(alt.Stroke, 0), _family(alt.Shape, 1)
    solid = {"fill": fill, "shape": shape, "opacity": _faded(1)}
    return [
        moving.mark_point(filled=True, size=100)
        .encode(**told, **solid)
        .transform_filter(f"{_BASELINE} && {_WHOLE}"),
        resting.mark_point(filled=True, size=alt.ExprRef(f"{_IS_MANY} ? 36 : 100"))
        .encode(**told, **solid)
        .transform_filter(_WHOLE)
        .add_params(pick, *_zoom_and_box()),
        moving.mark_point(fill=theme.ink("paper"), size=110, strokeWidth=2, opacity=1)
        .encode(**told, stroke=stroke, shape=shape)
        .transform_filter(f"{_PREVIEW} && {_WHOLE}"),
    ]


def _faded(opacity: float) -> Any:
    """What does not keep the limits steps back."""
    import altair as alt

    return alt.condition("datum.fits === 'no'", alt.value(0.25 * opacity), alt.value(opacity))


def _zoom_and_box() -> list[alt.Parameter]:
    """Shift and the wheel zoom, shift and a drag move; a plain drag draws a rectangle."""
    import altair as alt

    drag = "[pointerdown[{}event.shiftKey], window:pointerup] > window:pointermove!"
    zoom = alt.selection_interval(
        name="zoom",
        bind="scales",
        zoom="wheel![event.shiftKey]",
        translate=drag.format(""),
        on=drag.format(""),
    )
    box = alt.selection_interval(name="box", zoom=False, on=drag.format("!"))
    return [zoom, box]


def _texts(moving: alt.Chart, place: Mapping[str, Any]) -> list[alt.Chart]:
    """Labels with a halo of the background behind them, so that a line below stays readable."""
    text = moving.encode(**place, text="label:N").transform_filter("datum.kind === 'label'")
    placed = labels.offsets()
    return [
        text.mark_text(**placed, stroke=theme.ink("paper"), strokeWidth=4, strokeJoin="round"),
        text.mark_text(**placed),
    ]


def _note_layer(moving: alt.Chart) -> alt.Chart:
    """What is not drawn, said at the foot of the plot."""
    import altair as alt

    note = moving.encode(text="note:N").transform_filter("datum.kind === 'note'")
    at = {"x": alt.ExprRef("width - 5"), "y": alt.ExprRef("height - 6"), "align": "right"}
    return note.mark_text(**at, baseline="bottom", fill=theme.ink("faint"), limit=alt.ExprRef("width - 10"))


def _family(channel: type[Any], cue: int) -> Any:
    """A channel that tells families apart; its legend lists those in use, which the first row names."""
    import altair as alt

    in_use = alt.ExprRef("length(data('rows')) ? data('rows')[0].families : ['baseline']")
    legend = alt.Legend(
        title=None,
        orient="top",
        direction="horizontal",
        values=in_use,
        columns=alt.ExprRef("max(2, floor(width / 95))"),
        symbolSize=80,
        symbolOpacity=1,
        offset=2,
    )
    return channel("family:N", scale=theme.family_scale(cue), legend=legend)


def _tooltip(x: Quantity, y: Quantity) -> list[alt.Tooltip]:
    import altair as alt

    fields = {"name": "what", "y_text": y.title, "x_text": x.title, "recipe": "recipe"}
    return [alt.Tooltip(f"{name}:N", title=title) for name, title in fields.items()]


def _told(point: Point, shown: Shown) -> str:
    what = {"baseline": "Baseline", "preview": "Preview"}.get(point.kind, f"Selected {point.label}")
    figures = (shown.y, shown.x)
    said = [
        f"{quantity.title} {text if (text := quantity.text(point.found)) != units.UNKNOWN else 'not known'}"
        for quantity in figures
    ]
    return f"{what}: {', '.join(said)}."
