"""Who teaches: one net or several averaged, asked for outputs and for features at some layers."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor, nn

from workbench.algorithms.distillation.taps import Taps
from workbench.candidate import Candidate
from workbench.errors import RecipeError, WorkbenchError, WorkloadError, shown
from workbench.measurement.subject import subject

if TYPE_CHECKING:
    from workbench.workload import Workload


@dataclass(frozen=True)
class Taught:
    """What the teachers say about a batch: outputs, and features by layer."""

    outputs: Any
    features: Mapping[str, Tensor]


class Teachers:
    """Nets in eval mode whose outputs are averaged; features are the first one's.

    The mean of logits is the geometric mean of the soft targets at whatever temperature (Hinton 2015,
    section 1, lets an ensemble teach by an arithmetic or geometric mean).

    Args:
        nets: what teaches, each with its own constraints and roundings.
        places: the layers of the first one whose outputs are wanted.
    """

    def __init__(self, nets: Sequence[Candidate], work: Workload, places: Sequence[str] = ()) -> None:
        self.nets = tuple(nets)
        self._work = work
        self._places = tuple(places)

    def __call__(self, inputs: Any) -> Taught:
        """Ask all of them, without gradients."""
        first, *others = self.nets
        with ExitStack() as stack:
            taps = stack.enter_context(Taps(first.simulated, self._places))
            outputs = first.call(self._work, inputs)
            features = {path: each.detach() for path, each in taps.seen.items()}
        if others:
            every = [outputs, *(each.call(self._work, inputs) for each in others)]
            outputs = torch.stack([each.float() for each in every]).mean(0)
        return Taught(outputs, features)


def candidates_of(value: Any, work: Workload, name: str) -> tuple[Candidate, ...]:
    """The nets that a variable stands for: a model, a version or a candidate, or a list of those.

    Raises:
        RecipeError: it is something else. WorkloadError: a net that does not take the data.
    """
    several = value if isinstance(value, (list, tuple, nn.ModuleList)) else (value,)
    if not several:
        raise RecipeError(f"{name} is an empty list; give at least one net")
    return tuple(_candidate(each, work, name) for each in several)


def _candidate(value: Any, work: Workload, name: str) -> Candidate:
    if value is work.model:
        return Candidate(work.baseline)
    if isinstance(value, type) and issubclass(value, nn.Module):
        raise RecipeError(f"{name} is a class; give a net of it: {name} = {value.__name__}()")
    try:
        return subject(work, value)
    except WorkloadError:
        raise
    except WorkbenchError as error:
        if "does not take" in str(error):
            raise WorkloadError(f"{name}: {error}") from None
        raise RecipeError(f"{name} must be a net or a version, got {shown(value)}") from None


def check_classes(
    student: nn.Module,
    teachers: Iterable[Candidate],
    work: Workload,
    name: str = "the student",
    other: str = "the teacher",
) -> None:
    """Refuse a student and teachers whose outputs have different shapes.

    Raises:
        WorkloadError: naming both shapes, as numbers of classes where they are.
    """
    if work.example is None:
        return
    with torch.no_grad():
        ours = work.call(student, work.example)
    for teacher in teachers:
        theirs = teacher.call(work, work.example)
        if not isinstance(ours, Tensor) or not isinstance(theirs, Tensor) or ours.shape == theirs.shape:
            continue
        what = "classes" if work.is_classification else "outputs"
        sizes = [_size(each) for each in (ours, theirs)]
        raise WorkloadError(
            f"{name} gives {sizes[0]} {what} and {other} {sizes[1]}; give {name} {sizes[1]} as well"
        )


def _size(outputs: Tensor) -> str:
    return "×".join(map(str, outputs.shape[1:])) or "no"


def shares_tensors(one: nn.Module, other: nn.Module) -> bool:
    """Whether two nets are the same, or hold parameters in common."""
    own = {id(each) for each in one.parameters()}
    return one is other or any(id(each) in own for each in other.parameters())
