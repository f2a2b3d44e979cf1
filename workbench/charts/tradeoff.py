"""The trade-off: accuracy against what a version costs, stored bytes on a log axis or latency.

Solid marks are measured versions, hollow ones previews; the baseline is a pinned square. Families have a
colour and a shape. What has no accuracy, or not yet, is an upright line at its size, dashed for a preview.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

from workbench.charts import axes, labels, theme
from workbench.charts.frame import Frame, around
from workbench.measurement import units

if TYPE_CHECKING:
    import altair as alt

Kind = Literal["baseline", "version", "preview"]
Axis = Literal["size", "latency"]

HINT = "Press Run to make the first version"
HEIGHT = 260
_TITLES = {"size": "bytes (log scale)", "latency": "latency, ms"}
_MOST_LABELS = 12
_EMPTY = Frame(1e3, 1e6, 0.0, 1.0, is_log=True)


@dataclass(frozen=True)
class Point:
    """One mark: a version, the preview or the baseline. Sizes in bytes, times in milliseconds."""

    id: str
    label: str
    kind: Kind
    families: tuple[str, ...] = ()
    accuracy: float | None = None
    low: float | None = None
    high: float | None = None
    n: int | None = None
    size: float | None = None
    latency: float | None = None
    recipe: str = ""
    is_selected: bool = False


def rows(points: Sequence[Point], against: Axis = "size") -> list[dict[str, Any]]:
    """The chart's rows: one per point that can be placed, two for the frame, one hint where nothing can."""
    placed = [point for point in points if _cost(point, against) is not None]
    if not placed:
        return [*_frame_rows(_EMPTY, set()), {"kind": "hint", "hint": HINT}]
    frame = _frame(placed, against)
    drawn = [_row(point, against) for point in placed]
    labels.place(_named(drawn), drawn, frame)
    hints = [] if any(point.kind != "baseline" for point in placed) else [{"kind": "hint", "hint": HINT}]
    return [*_frame_rows(frame, {row["family"] for row in drawn}), *drawn, *hints]


def summary(points: Sequence[Point], against: Axis = "size") -> str:
    """What the chart shows, in words, for a screen reader."""
    versions = [point for point in points if point.kind == "version"]
    told = [_told(point) for point in points if point.kind != "version" or point.is_selected]
    many = f"{len(versions)} version{'s' * (len(versions) != 1)}"
    return f"Trade-off, accuracy against {against}: {many}. " + " ".join(told)


def chart(against: Axis = "size") -> alt.LayerChart:
    """The chart without rows; its one data source is named `rows`."""
    import altair as alt

    base = alt.Chart(theme.source())
    pick = alt.selection_point(name="pick", fields=["id"], on="click", toggle="event.shiftKey")
    x, y = _x(against), _y()
    placed = base.encode(x=x, y=y, tooltip=_tooltip())
    fill, stroke, shape = _family(alt.Fill, 0), _family(alt.Stroke, 0), _family(alt.Shape, 1)
    preview, measured = "datum.kind === 'preview'", "datum.kind === 'version' || datum.kind === 'baseline'"
    layers = [
        labels.frame_layer(base).encode(x=x, y=y),
        base.mark_rule(strokeWidth=1, opacity=0.7)
        .encode(x=x, y=alt.Y("low:Q"), y2="high:Q", stroke=stroke)
        .transform_filter(f"{measured} || {preview}"),
        *_upright(base, x, stroke, preview, measured),
        placed.mark_point(shape="circle", size=260, stroke=theme.ink(), strokeWidth=1.5).transform_filter(
            "datum.selected && isValid(datum.accuracy)"
        ),
        placed.mark_point(fill=theme.ink("paper"), size=110, strokeWidth=2, opacity=1)
        .encode(stroke=stroke, shape=shape)
        .transform_filter(preview),
        placed.mark_point(filled=True, size=100, opacity=1)
        .encode(fill=fill, shape=shape)
        .transform_filter(measured)
        .add_params(pick, *_zoom_and_box()),
        *_texts(base, x, y),
        labels.hint_layer(base),
    ]
    described = "Accuracy against stored size; hollow marks are previews, solid marks measured versions."
    return theme.themed(alt.layer(*layers), described, HEIGHT)


def _upright(base: alt.Chart, x: alt.X, stroke: alt.Stroke, preview: str, measured: str) -> list[alt.Chart]:
    """What has no accuracy (yet) as a line at its cost: dashed for a preview."""
    import altair as alt

    unknown = "!isValid(datum.accuracy)"
    line = base.mark_rule(strokeWidth=2).encode(x=x, stroke=stroke, tooltip=_tooltip())
    dashed = base.mark_rule(strokeWidth=2, strokeDash=[4, 4]).encode(x=x, stroke=stroke, tooltip=_tooltip())
    text = base.mark_text(align="left", dx=5, y=8).encode(x=x, text=alt.Text("label:N"))
    return [
        line.transform_filter(f"{unknown} && ({measured})"),
        dashed.transform_filter(f"{unknown} && {preview}"),
        text.transform_filter(f"{unknown} && (datum.kind === 'baseline' || datum.selected || {preview})"),
    ]


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


def _texts(base: alt.Chart, x: alt.X, y: alt.Y) -> list[alt.Chart]:
    """Labels with a halo of the background behind them, so that a line below stays readable."""
    text = base.encode(x=x, y=y, text="label:N").transform_filter("isValid(datum.dx)")
    placed = labels.offsets()
    return [
        text.mark_text(**placed, stroke=theme.ink("paper"), strokeWidth=4, strokeJoin="round"),
        text.mark_text(**placed),
    ]


def _x(against: Axis) -> alt.X:
    import altair as alt

    if against == "latency":
        return alt.X("x:Q", title=_TITLES[against], scale=alt.Scale(zero=False, nice=False))
    ticks = [step * 10**power for power in range(1, 11) for step in (1, 2, 5)]
    axis = alt.Axis(values=ticks, labelExpr=axes.SIZE, labelOverlap="greedy", labelSeparation=10, grid=False)
    return alt.X("x:Q", title=_TITLES[against], scale=alt.Scale(type="log", nice=False), axis=axis)


def _y() -> alt.Y:
    import altair as alt

    axis = alt.Axis(labelExpr=axes.SHARE, tickCount=5)
    scale = alt.Scale(zero=False, nice=False)
    return alt.Y("accuracy:Q", title="accuracy, %", scale=scale, axis=axis)


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


def _tooltip() -> list[alt.Tooltip]:
    import altair as alt

    fields = {
        "what": "name",
        "accuracy": "accuracy_text",
        "size": "size_text",
        "latency": "latency_text",
        "recipe": "recipe",
    }
    return [alt.Tooltip(f"{field}:N", title=title) for title, field in fields.items()]


def _cost(point: Point, against: Axis) -> float | None:
    return point.size if against == "size" else point.latency


def _row(point: Point, against: Axis) -> dict[str, Any]:
    is_hollow = point.kind == "preview"
    almost = "≈ " if is_hollow else ""
    return {
        "kind": point.kind,
        "id": point.id,
        "family": "baseline" if point.kind == "baseline" else theme.family_of(point.families),
        "name": {"preview": "preview, before it is run"}.get(point.kind, point.label),
        "label": point.label,
        "x": _cost(point, against),
        "accuracy": point.accuracy,
        "low": point.low,
        "high": point.high,
        "accuracy_text": _accuracy_text(point),
        "size_text": almost + units.size(point.size),
        "latency_text": units.milliseconds(point.latency),
        "recipe": point.recipe or "–",
        "selected": point.is_selected,
    }


def _accuracy_text(point: Point) -> str:
    if point.accuracy is None:
        return "not known"
    almost = "≈ " if point.kind == "preview" else ""
    text = f"{almost}{units.share_range(point.accuracy, point.low, point.high)}"
    return f"{text}, n = {point.n}" if point.n else text


def _told(point: Point) -> str:
    what = {"baseline": "Baseline", "preview": "Preview"}.get(point.kind, f"Selected {point.label}")
    return f"{what}: accuracy {_accuracy_text(point)}, {units.size(point.size)}."


def _frame(points: Sequence[Point], against: Axis) -> Frame:
    costs = [cost for point in points if (cost := _cost(point, against)) is not None]
    lows = [point.accuracy if point.low is None else point.low for point in points]
    baseline = max((_cost(point, against) or 0 for point in points if point.kind == "baseline"), default=0)
    return around(costs, [low for low in lows if low is not None], baseline, is_log=against == "size")


def _named(drawn: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """The rows whose labels are placed, the most wanted first: of many versions only what is selected."""
    wanted = [row for row in drawn if row["kind"] != "version" or row["selected"]]
    versions = [row for row in drawn if row["kind"] == "version" and not row["selected"]]
    return [*wanted, *(versions if len(versions) <= _MOST_LABELS else [])]


def _frame_rows(frame: Frame, families: set[str]) -> list[dict[str, Any]]:
    # an empty legend has no height that Vega could compute
    in_order = [family for family in theme.FAMILIES if family in families] or ["baseline"]
    return [
        {"kind": "frame", "x": frame.left, "accuracy": frame.bottom, "families": in_order},
        {"kind": "frame", "x": frame.right, "accuracy": frame.top},
    ]
