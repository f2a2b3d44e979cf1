"""The rows of the trade-off: marks of versions, which rest, and what moves while a slider moves.

The two are made apart, so that a thousand versions do not travel again with every move of a slider.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

from workbench.charts import labels, pareto, theme
from workbench.charts.frame import Frame, Span, span
from workbench.measurement.found import Found
from workbench.measurement.quantities import ACCURACY, STORED, Quantity

Kind = Literal["baseline", "version", "preview"]
Row = dict[str, Any]

HINT = "Press Run to make the first version"
MOST_LABELS = 12
MOST_LINES = 40  # versions; of more only those pointed out have their interval drawn


@dataclass(frozen=True)
class Point:
    """One mark: a version, the preview or the baseline, with all that was found of it."""

    id: str
    label: str
    kind: Kind
    families: tuple[str, ...] = ()
    found: Found = field(default_factory=Found)
    recipe: str = ""


@dataclass(frozen=True)
class Shown:
    """What a trade-off points out.

    Attributes:
        x, y: the quantities of the axes.
        head, best: the ids of the version worked from, and of the best within the limits. picked: selected.
        limits: by a quantity's name; at most so much, or at least where higher is better.
        fits: whether a version keeps all limits, by its id; empty where there are none.
    """

    x: Quantity = STORED
    y: Quantity = ACCURACY
    head: str | None = None
    picked: Collection[str] = ()
    best: str | None = None
    limits: Mapping[str, float] = field(default_factory=dict)
    fits: Mapping[str, bool] = field(default_factory=dict)


def versions(points: Sequence[Point], shown: Shown) -> list[Row]:
    """The marks of the versions that have a place, which is what `moving` needs of them too."""
    has_lines = len(points) <= MOST_LINES
    return [row for point in points if (row := _mark(point, shown, has_lines)) is not None]


def moving(points: Sequence[Point], marks: Sequence[Row], shown: Shown, missing: str = "") -> list[Row]:
    """Everything else: the frame, the front, the limits, baseline and preview, rings, labels and hints.

    Args:
        points: the baseline and the preview. marks: the versions' marks.
        missing: what is said of versions without a place, see `not_drawn`.
    """
    drawn = [row for point in points if (row := _mark(point, shown, True)) is not None]
    frame = Frame(*(_span(axis, [*drawn, *marks], shown) for axis in ("x", "y")))
    rings = _rings(marks, shown)
    covered = labels.taken([each for each in [*drawn, *marks] if _is_whole(each)], frame)
    texts = labels.place(_named(drawn, marks, rings), covered, frame)
    families = {row["family"] for row in [*drawn, *marks]}
    return [
        *_frame_rows(frame, families),
        *_region(frame, shown),
        *_front([*(row for row in drawn if row["kind"] == "baseline"), *marks], shown),
        *drawn,
        *rings,
        *texts,
        *_hints(drawn, marks, missing),
    ]


def not_drawn(points: Sequence[Point], shown: Shown) -> str:
    """`28 of 40 versions not drawn: simulated only` of the versions without a place, or nothing."""
    why = [shown.x.why_not(each.found) for each in points if _mark(each, shown, False) is None]
    if not why:
        return ""
    reasons = "; ".join(dict.fromkeys(each for each in why if each)) or "zero, on an axis of factors"
    return f"{len(why)} of {len(points)} version{'s' * (len(points) != 1)} not drawn: {reasons}"


def on_front(marks: Sequence[Row], shown: Shown) -> list[Row]:
    """The marks on the Pareto front."""
    ways = (shown.x.is_higher_better, shown.y.is_higher_better)
    return pareto.front([each for each in marks if _is_whole(each)], ways)


def _mark(point: Point, shown: Shown, has_lines: bool) -> Row | None:
    """The row of a point; None where it has no place: where nothing, or of a version no `x`, is known."""
    x, y = shown.x.read(point.found), shown.y.read(point.found)
    at_x = x.value if x is not None and _can_be_drawn(shown.x, x.value) else None
    at_y = y.value if y is not None and _can_be_drawn(shown.y, y.value) else None
    if at_x is None and (at_y is None or point.kind == "version"):
        return None
    fits = shown.fits.get(point.id)
    row: Row = {
        "kind": point.kind,
        "id": point.id,
        "family": "baseline" if point.kind == "baseline" else theme.family_of(point.families),
        "name": {"preview": "preview, before it is run"}.get(point.kind, point.label),
        "label": point.label,
        "x": at_x,
        "y": at_y,
        "x_text": shown.x.text(point.found),
        "y_text": shown.y.text(point.found) if y is not None else "not known",
        "recipe": point.recipe or "–",
        "fits": "" if fits is None else "yes" if fits else "no",
    }
    if has_lines or point.id in shown.picked:
        row |= _lines(x, y, shown) if at_x is not None and at_y is not None else {}
    return row


def _lines(x: Any, y: Any, shown: Shown) -> Row:
    """The ends of the interval lines through a mark."""
    return {"low": y.low, "high": y.high, "left": x.low, "right": x.high}


def _can_be_drawn(quantity: Quantity, value: float) -> bool:
    return value > 0 or not quantity.unit.is_log


def _is_whole(row: Mapping[str, Any]) -> bool:
    return row["x"] is not None and row["y"] is not None


def _span(axis: str, rows: Sequence[Row], shown: Shown) -> Span:
    quantity = shown.x if axis == "x" else shown.y
    ends = ("left", "right") if axis == "x" else ("low", "high")
    values = [row[axis] for row in rows if row[axis] is not None]
    values += [row[end] for row in rows for end in ends if row.get(end) is not None]
    baseline = next((row[axis] for row in rows if row["kind"] == "baseline"), None)
    return span(quantity.unit, values, baseline, shown.limits.get(quantity.name))


def _frame_rows(frame: Frame, families: set[str]) -> list[Row]:
    # an empty legend has no height that Vega could compute
    in_order = [family for family in theme.FAMILIES if family in families] or ["baseline"]
    return [
        {"kind": "frame", "x": frame.x.low, "y": frame.y.low, "families": in_order},
        {"kind": "frame", "x": frame.x.high, "y": frame.y.high},
    ]


def _region(frame: Frame, shown: Shown) -> list[Row]:
    """What the limits on these axes leave, as a rectangle; a limit on another quantity has no edge here."""
    at_x, at_y = (shown.limits.get(each.name) for each in (shown.x, shown.y))
    if at_x is None and at_y is None:
        return []
    left, right = _kept(frame.x, at_x, shown.x.is_higher_better)
    bottom, top = _kept(frame.y, at_y, shown.y.is_higher_better)
    edges = {"x": left, "x2": right, "y": bottom, "y2": top}
    said = []
    for quantity, limit in ((shown.x, at_x), (shown.y, at_y)):
        if limit is not None:
            said.append(f"{'≥' if quantity.is_higher_better else '≤'} {quantity.unit.write(limit)}")
    return [{"kind": "region", **edges, "region": ", ".join(said)}]


def _kept(axis: Span, limit: float | None, is_least: bool) -> tuple[float, float]:
    if limit is None:
        return axis.low, axis.high
    return (axis.held(limit), axis.high) if is_least else (axis.low, axis.held(limit))


def _front(marks: Sequence[Row], shown: Shown) -> list[Row]:
    kept = on_front(marks, shown)
    if len(kept) < 2:
        return []
    ways = (shown.x.is_higher_better, shown.y.is_higher_better)
    return [
        {"kind": "front", "order": order, "x": x, "y": y}
        for order, (x, y) in enumerate(pareto.steps(kept, ways))
    ]


def _rings(marks: Sequence[Row], shown: Shown) -> list[Row]:
    """A ring around each version that is pointed out, with its label: worked from, selected, or the best."""
    wanted = {*shown.picked, shown.head, shown.best}
    rings = []
    for mark in marks:
        if mark["id"] in wanted:
            is_head, is_best = mark["id"] == shown.head, mark["id"] == shown.best
            ring = "head" if is_head else "best" if is_best else "picked"
            label = f"★ {mark['label']}" if is_best else mark["label"]
            rings.append({**mark, "kind": "ring", "ring": ring, "label": label})
    return rings


def _named(drawn: Sequence[Row], marks: Sequence[Row], rings: Sequence[Row]) -> list[Row]:
    """What is labelled, the most wanted first: of many versions only those pointed out."""
    first = sorted(rings, key=lambda ring: ring["ring"] == "picked")[:MOST_LABELS]
    ringed = {ring["id"] for ring in first}
    rest = [mark for mark in marks if mark["id"] not in ringed] if len(marks) <= MOST_LABELS else []
    return [row for row in (*drawn, *first, *rest) if _is_whole(row)]


def _hints(drawn: Sequence[Row], marks: Sequence[Row], missing: str) -> list[Row]:
    if missing:
        return [{"kind": "note" if marks else "hint", "note" if marks else "hint": missing}]
    if marks or any(row["kind"] == "preview" for row in drawn):
        return []
    return [{"kind": "hint", "hint": HINT}]
