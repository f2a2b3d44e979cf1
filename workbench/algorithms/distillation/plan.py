"""Who learns and who teaches: what the options `student` and `teacher` stand for, found and checked."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from torch import nn

from workbench.algorithms.distillation import spelling
from workbench.algorithms.distillation.fresh import initialised
from workbench.algorithms.distillation.students import made
from workbench.algorithms.distillation.teachers import candidates_of, check_classes, shares_tensors
from workbench.candidate import Candidate
from workbench.errors import RecipeError, StorageError, WorkloadError, listed
from workbench.measurement.accuracy import evaluating
from workbench.options import Reference
from workbench.plain import own_copy
from workbench.structure import difference, structure_fingerprint

if TYPE_CHECKING:
    from workbench.job import Steps
    from workbench.technique import Context
    from workbench.workload import Workload

_JUDGED = 1000  # validation samples that show whether a teacher knows anything


def teachers(wanted: str | Reference, context: Context) -> tuple[Candidate, ...]:
    """The nets that teach: the original, or what a variable holds, one net or a list of several.

    Raises:
        RecipeError: it is no net. WorkloadError: a net that does not take the data, or has other outputs.
    """
    original = Candidate(context.work.baseline)
    if not isinstance(wanted, Reference):
        return (original,)
    found = candidates_of(context.resolve(wanted), context.work, f"teacher={wanted}")
    for each in found:
        check_classes(each.simulated, (original,), context.work, f"teacher={wanted}", "the original")
    return found


def student(
    wanted: str | Reference, candidate: Candidate, taught_by: tuple[Candidate, ...], context: Context
) -> Candidate:
    """The student before its first step; its notes say what it is, and which constraints ended.

    A candidate that already is the student asked for, because a run was stopped or goes on, stays as it is.

    Raises:
        RecipeError: a variable that holds no net, several, or the teacher itself.
        WorkloadError: a student that does not take the data, has other outputs, or cannot be made.
    """
    asked = spelling.student(wanted)
    if asked is None:
        learner = candidate
    elif isinstance(asked, Reference):
        learner = _given(asked, candidate, taught_by, context)
    else:
        net = made(taught_by[0].model, context.work, asked, context.seed)
        is_same = asked.kind != spelling.FRESH and _goes_on(net, candidate, context.work)
        learner = candidate.noting("the student goes on from the weights it has") if is_same else None
        learner = learner or _begun(net, taught_by[0].model, candidate, context)
    check_classes(learner.simulated, taught_by, context.work)
    return learner


def begun_anew(candidate: Candidate, seed: int) -> Candidate:
    """The candidate's structure with weights drawn anew; its constraints end, which its notes say."""
    net = initialised(own_copy(candidate.model), seed)
    return Candidate(net, base=candidate.base, notes=_ended(candidate))


def judged(nets: tuple[Candidate, ...], work: Workload) -> Steps[tuple[str, ...]]:
    """Notes on teachers that know nothing: their accuracy is not above chance."""
    if work.validation is None or not work.is_classification:
        return ()
    classes = work.outputs.shape[1]
    notes = []
    for index, net in enumerate(nets):
        found = (yield from evaluating(work, net, "validation", limit=_JUDGED)).accuracy
        if found is not None and found.low <= 1 / classes:
            which = f"teacher {index + 1}" if len(nets) > 1 else "the teacher"
            notes.append(
                f"{which} is at chance: {found.value:.1%} right among {classes} classes (n={found.n}); "
                "train it first, it has nothing to teach"
            )
    return tuple(notes)


def _given(
    asked: Reference, candidate: Candidate, taught_by: tuple[Candidate, ...], context: Context
) -> Candidate:
    value: Any = context.resolve(asked)
    held = value.candidate.model if hasattr(value, "candidate") else getattr(value, "model", value)
    if isinstance(value, nn.Module):
        held = value
    is_work = value is context.work.model and any(each.model is context.work.baseline for each in taught_by)
    is_taught = isinstance(held, nn.Module) and any(shares_tensors(held, each.model) for each in taught_by)
    if is_work or is_taught or _is_named_by_both(value, context):
        raise RecipeError(
            f"student={asked} is the teacher itself; give another net, "
            "or leave student out to train the compressed model on"
        )
    found = candidates_of(value, context.work, f"student={asked}")
    if len(found) > 1:
        raise RecipeError(f"student={asked} holds {len(found)} nets; a student is one")
    learner = found[0].copy()
    learner.model.to(context.work.device)
    if _has_own_class(learner.model, context.work):
        base = learner.base if learner.base is not None else own_copy(learner.model)
        learner = replace(learner, base=base)
        if candidate.base is not None and _is_same(candidate.model, learner.model):
            return candidate.noting("the student goes on from the weights it has")
    elif _goes_on(learner.model, candidate, context.work):
        return candidate.noting("the student goes on from the weights it has")
    return replace(learner, notes=(f"the student is {_told(learner.model)}", *_ended(candidate)))


def _is_named_by_both(value: Any, context: Context) -> bool:
    """A trained copy counts as another net; the same object, or the workload's own model, does not."""
    return value is context.work.baseline


def _begun(net: nn.Module, teacher: nn.Module, candidate: Candidate, context: Context) -> Candidate:
    notes = (f"the student is {_told(net)}", *_ended(candidate))
    # made from a teacher of another class than the original: its file is a changed teacher
    base = own_copy(teacher) if _has_own_class(net, context.work) else None
    return Candidate(net.to(context.work.device), base=base, notes=notes)


def _goes_on(net: nn.Module, candidate: Candidate, work: Workload) -> bool:
    """Whether the candidate is this student already, and not the untouched original."""
    return _is_same(net, candidate.model) and not _is_same(candidate.model, work.baseline)


def _is_same(one: nn.Module, other: nn.Module) -> bool:
    return structure_fingerprint(one) == structure_fingerprint(other)


def _has_own_class(net: nn.Module, work: Workload) -> bool:
    """Whether the net cannot be written down as a changed original."""
    try:
        difference(work.baseline, net)
    except StorageError:
        return True
    return False


def _told(net: nn.Module) -> str:
    return f"a {type(net).__name__} of {sum(each.numel() for each in net.parameters()):,} parameters"


def _ended(candidate: Candidate) -> tuple[str, ...]:
    """What a new student does not carry on."""
    names: Mapping[str, Any] = {**candidate.constraints, **candidate.activations}
    return (f"the constraints of {listed(names)} ended: the student is a new net",) if names else ()


__all__ = ["WorkloadError", "begun_anew", "judged", "student", "teachers"]
