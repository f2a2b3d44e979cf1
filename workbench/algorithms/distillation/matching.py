"""Which layer of the teacher teaches which of the student: by name, else by depth and shape."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from torch import nn

from workbench.algorithms.distillation.adaptors import check_fits
from workbench.algorithms.distillation.points import Point, every_point, points
from workbench.errors import RecipeError, WorkloadError, listed, nearest, shown

if TYPE_CHECKING:
    from workbench.workload import Workload

MOST = 4  # pairs that are found by themselves
_OTHER_SIZE = 0.5  # how far in depth a layer may be preferred for having the same height and width
_OTHER_NAME = 0.1


@dataclass(frozen=True)
class Pair:
    """A layer of the teacher and the layer of the student that learns from it."""

    teacher: Point
    student: Point

    @property
    def name(self) -> str:
        """`conv2:conv1` as the option `layers` spells it: the teacher's first."""
        return f"{self.teacher.path}:{self.student.path}"

    def __str__(self) -> str:
        return f"{self.teacher} → {self.student}"


def pairs(
    teacher: nn.Module, student: nn.Module, work: Workload, names: Sequence[str] = (), most: int = MOST
) -> list[Pair]:
    """The pairs of layers, in order of depth.

    Args:
        names: `"conv2:conv1"` (of the teacher, of the student), or one name for both; found by depth and
            shape where there are none: the last layer of each size, the nearest in relative depth, in order.
        most: pairs that are found by themselves, evenly over the depth.

    Raises:
        RecipeError: a layer that is not there (with the nearest name), or that does not run.
        WorkloadError: two layers whose features no adaptor fits, or no two that go together.
    """
    if work.example is None:
        raise WorkloadError("pairing layers needs the inputs of one sample; give Workload(net, example=...)")
    if names:
        theirs, ours = every_point(teacher, work), every_point(student, work)
        chosen = [_named(name, theirs, ours) for name in names]
        for each in chosen:
            check_fits(each.student, each.teacher)
        return chosen
    found = _matched(points(teacher, work), points(student, work))
    if not found:
        raise WorkloadError(
            "no layer of the student goes with one of the teacher; name pairs: layers=('conv2:conv1',)"
        )
    if len(found) <= most:
        return found
    return [found[round((index + 1) * len(found) / most) - 1] for index in range(most)]


def find_point(name: str, model: nn.Module, work: Workload) -> Point:
    """A layer of the student by name.

    Raises:
        RecipeError: it is not there, or does not run; the line names the nearest.
    """
    return _found(name.rpartition(":")[2].strip(), every_point(model, work), "student")


def _named(name: str, theirs: dict[str, Point], ours: dict[str, Point]) -> Pair:
    teacher, _, student = (part.strip() for part in name.partition(":"))
    if not teacher or ":" in student:
        raise RecipeError(
            f"layers: {shown(name)} is no pair; write 'layer of the teacher:layer of the student'"
        )
    return Pair(_found(teacher, theirs, "teacher"), _found(student or teacher, ours, "student"))


def _found(path: str, known: dict[str, Point], whose: str) -> Point:
    if path not in known:
        near = nearest(path, known)
        raise RecipeError(
            f"the {whose} has no layer {path!r} that runs{near} (it has: {listed(known)}); "
            "a pair is 'layer of the teacher:layer of the student'"
        )
    return known[path]


def _matched(theirs: list[Point], ours: list[Point]) -> list[Pair]:
    """In order, each at most once, at the least total cost per pair: an alignment of two sequences."""
    ours = _stage_ends(ours)
    best: dict[tuple[int, int], tuple[float, list[Pair]]] = {}
    for i in range(len(ours), -1, -1):
        for j in range(len(theirs), -1, -1):
            if i == len(ours) or j == len(theirs):
                best[i, j] = 0.0, []
                continue
            choices = [best[i + 1, j], best[i, j + 1]]
            if _go_together(theirs[j], ours[i]):
                gain, rest = best[i + 1, j + 1]
                choices.append((gain + 1 - _cost(theirs[j], ours[i]), [Pair(theirs[j], ours[i]), *rest]))
            best[i, j] = max(choices, key=lambda choice: choice[0])
    return best[0, 0][1]


def _stage_ends(ours: list[Point]) -> list[Point]:
    """The last point of each height and width; vectors and sequences all."""
    return [
        each
        for each, following in zip(ours, [*ours[1:], None], strict=True)
        if len(each.positions) < 2 or following is None or following.positions != each.positions
    ]


def _go_together(teacher: Point, student: Point) -> bool:
    try:
        check_fits(student, teacher)
    except WorkloadError:
        return False
    return (teacher.channel_dim == 1) == (student.channel_dim == 1)


def _cost(teacher: Point, student: Point) -> float:
    """0 for the same place, below 1 always: a pair is better than none."""
    apart = abs(teacher.depth - student.depth)
    size = _OTHER_SIZE * (teacher.positions != student.positions)
    name = _OTHER_NAME * (teacher.path != student.path)
    return min(0.99, apart + size + name)
