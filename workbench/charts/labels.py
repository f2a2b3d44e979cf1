"""Where a mark's label goes, so that labels hide neither each other nor other marks."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from workbench.charts import theme
from workbench.charts.frame import Frame

if TYPE_CHECKING:
    import altair as alt

Box = tuple[float, float, float, float]  # left, top, right, bottom in pixels
Cells = set[tuple[int, int]]  # of a grid over the plot

# the narrowest plot a panel has: what keeps apart there keeps apart in a wider one
_WIDTH, _HEIGHT = 300, 220
_LETTER, _LINE, _GAP = 6.2, 13, 11
_CELL = 3  # pixels: a thousand marks and a dozen labels are compared by the cells they cover
_MARK = 6  # pixels around the middle of a mark
NO_ROOM = 100_000  # pixels
_PLOTS = (200, 260, 340, 440, 570, 740, 960, 1250)  # widths that are told apart by what has room in them
_PLACES = (
    ("left", _GAP, 0),
    ("right", -_GAP, 0),
    ("center", 0, -16),
    ("center", 0, 18),
    ("right", 6, -16),
    ("right", 6, 18),
    ("left", -6, -16),
    ("left", -6, 18),
)


def taken(marks: Sequence[Mapping[str, Any]], frame: Frame) -> Cells:
    """What marks cover, each with an `x` and a `y`."""
    corners = {tuple(round(each / _CELL) for each in _around(*_pixel(mark, frame))) for mark in marks}
    return {
        (column, row)
        for left, top, right, bottom in corners  # a thousand marks share a few hundred
        for column in range(left, right)
        for row in range(top, bottom)
    }


def place(wanted: Sequence[Mapping[str, Any]], covered: Cells, frame: Frame) -> Iterator[dict[str, Any]]:
    """A row for each label that has a free place: `label`, `x` and `y` of its mark, `align`, `dx` and `dy`.

    What comes first is placed first; what is placed is added to `covered`.
    """
    for mark in wanted:
        x, y = _pixel(mark, frame)
        for align, dx, dy in _PLACES:
            box = _box(mark["label"], x + dx, y + dy, align)
            cells = set(_cells(box))
            if _is_inside(box) and covered.isdisjoint(cells):
                covered |= cells
                where = {"x": mark["x"], "y": mark["y"], "align": align, "dx": dx, "dy": dy}
                yield {"kind": "label", "label": mark["label"], **where}
                break


def rooms(weights: Sequence[float], apart: float) -> list[int]:
    """The narrowest plot, in pixels, in which each of these in a row has room for its label; else `NO_ROOM`.

    Labels are at least `apart` pixels from each other; the heavier goes first, and one that is shown in a
    plot is shown in every wider one.
    """
    found = [NO_ROOM] * len(weights)
    order = sorted(range(len(weights)), key=lambda place: -weights[place])
    for width in _PLOTS:
        reach = math.ceil(apart * len(weights) / width) - 1  # neighbours on each side that get none
        named = [place for place in order if found[place] < NO_ROOM]
        covered = {near for place in named for near in range(place - reach, place + reach + 1)}
        for place in order:
            if found[place] == NO_ROOM and place not in covered:
                found[place] = width if width > _PLOTS[0] else 0
                covered.update(range(place - reach, place + reach + 1))
    return found


def offsets() -> dict[str, Any]:
    """The properties of a text mark whose rows were placed."""
    import altair as alt

    return {
        "align": alt.ExprRef("datum.align"),
        "dx": alt.ExprRef("datum.dx"),
        "dy": alt.ExprRef("datum.dy"),
        "baseline": "middle",
    }


def frame_layer(base: alt.Chart) -> alt.Chart:
    """Marks nobody sees: they only stretch the axes to the rows of the frame."""
    return base.mark_point(size=0).transform_filter("datum.kind === 'frame'")


def hint_layer(base: alt.Chart) -> alt.Chart:
    """What to do first, written across a chart that has nothing to show."""
    import altair as alt

    middle = {
        "x": alt.ExprRef("width / 2"),
        "y": alt.ExprRef("height / 3"),
        "align": "center",
        "fontSize": 13,
    }
    said = base.encode(text="hint:N").transform_filter("datum.kind === 'hint'")
    return alt.layer(
        said.mark_text(**middle, stroke=theme.ink("paper"), strokeWidth=6),
        said.mark_text(**middle, color=theme.ink("faint")),
    )


def _pixel(mark: Mapping[str, Any], frame: Frame) -> tuple[float, float]:
    return frame.x.at(mark["x"]) * _WIDTH, (1 - frame.y.at(mark["y"])) * _HEIGHT


def _around(x: float, y: float) -> Box:
    return x - _MARK, y - _MARK, x + _MARK, y + _MARK


def _box(text: str, x: float, y: float, align: str) -> Box:
    width = _LETTER * len(text)
    left = {"left": x, "right": x - width, "center": x - width / 2}[align]
    return left, y - _LINE / 2, left + width, y + _LINE / 2


def _cells(box: Box) -> Iterator[tuple[int, int]]:
    left, top, right, bottom = (round(each / _CELL) for each in box)
    for column in range(left, right):
        for row in range(top, bottom):
            yield column, row


def _is_inside(box: Box) -> bool:
    """A chart that can be zoomed cuts off what lies outside its plot."""
    return box[0] >= 0 and box[2] <= _WIDTH and box[1] >= 0 and box[3] <= _HEIGHT
