"""Where a mark's label goes, so that labels hide neither each other nor other marks."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from workbench.charts import theme
from workbench.charts.frame import Frame

if TYPE_CHECKING:
    import altair as alt

Box = tuple[float, float, float, float]  # left, top, right, bottom in pixels

# the narrowest plot a panel has: what keeps apart there keeps apart in a wider one
_WIDTH, _HEIGHT = 300, 220
_LETTER, _LINE, _GAP = 6.2, 13, 11
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


def place(labelled: Sequence[dict[str, Any]], drawn: Sequence[dict[str, Any]], frame: Frame) -> None:
    """Write `align`, `dx` and `dy` into the rows whose label has a free place; the others keep none.

    Rows that come first are placed first. Rows without an accuracy have no place of their own.
    """
    marks = {id(row): _pixel(row, frame) for row in drawn if row.get("accuracy") is not None}
    taken = [(x - 6, y - 6, x + 6, y + 6) for x, y in marks.values()]
    for row in labelled:
        if id(row) not in marks:
            continue
        x, y = marks[id(row)]
        for align, dx, dy in _PLACES:
            box = _box(row["label"], x + dx, y + dy, align)
            if _is_inside(box) and not any(_overlap(box, other) for other in taken):
                row.update(align=align, dx=dx, dy=dy)
                taken.append(box)
                break


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


def _pixel(row: dict[str, Any], frame: Frame) -> tuple[float, float]:
    return frame.across(row["x"]) * _WIDTH, (1 - frame.up(row["accuracy"])) * _HEIGHT


def _box(text: str, x: float, y: float, align: str) -> Box:
    width = _LETTER * len(text)
    left = {"left": x, "right": x - width, "center": x - width / 2}[align]
    return left, y - _LINE / 2, left + width, y + _LINE / 2


def _is_inside(box: Box) -> bool:
    """A chart that can be zoomed cuts off what lies outside its plot."""
    return box[0] >= 0 and box[2] <= _WIDTH and box[1] >= 0 and box[3] <= _HEIGHT


def _overlap(a: Box, b: Box) -> bool:
    return a[0] < b[2] and b[0] < a[2] and a[1] < b[3] and b[1] < a[3]
