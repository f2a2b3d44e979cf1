"""`compress()`: a recipe over a workload, step by step, to a measured version; `apply()` measures nothing."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

from workbench.errors import (
    RecipeError,
    StorageError,
    VersionError,
    WorkbenchError,
    WorkloadError,
    shown,
    told,
)
from workbench.job import Job, Progress, Steps, Stopped, forward
from workbench.options import Reference, describe
from workbench.promises import Promise
from workbench.randomness import step_seed, whole_seed
from workbench.recipe import Recipe
from workbench.runtimes import find
from workbench.stages import Stage, stage_of
from workbench.technique import Context, Technique, prepared

if TYPE_CHECKING:
    from workbench.candidate import Candidate
    from workbench.measurement.report import Report
    from workbench.versions import Version, VersionTree
    from workbench.workload import Workload

MEASURING = "measuring"  # what progress says when the steps are done
NO_ACCURACY = "no accuracy, its data failed"  # how the note of such a report begins
_LONG = 10.0  # a training epoch or the measurement, against 1 for a step that does not train


@dataclass
class _Trail:
    """What a run has done so far."""

    candidate: Candidate
    stages: list[Stage] = field(default_factory=list)
    is_stopped: bool = False
    promises: tuple[Promise, ...] = ()


def compress(
    work: Workload,
    recipe: Recipe | Technique | str,
    seed: int = 0,
    *,
    names: Mapping[str, Any] | None = None,
    parent: Version | None = None,
    tree: VersionTree | None = None,
    name: str | None = None,
    runtimes: Sequence[str] | None = None,
) -> Version:
    """The version a recipe makes of a workload, measured; the original is not touched.

    Args:
        recipe: techniques joined by `|`, a single one, or their text.
        seed: the same seed gives the same weights, bit for bit, on one machine.
        names: what bare names in the recipe stand for.
        parent: a version to go on from, instead of the original.
        tree: where the version is kept; the workload's own tree where it is not given.
        name: the version's name, `v1`, `v2`, ... where it is not given.
        runtimes: where it is timed, as for `measure`; `()` for nowhere, which takes a fraction of the time.

    Raises:
        RecipeError, WorkloadError: one line that says what to do. Nothing is kept then.
    """
    return job(work, recipe, seed, names=names, parent=parent, tree=tree, name=name, runtimes=runtimes).run()


def apply(
    work: Workload,
    recipe: Recipe | Technique | str,
    seed: int = 0,
    *,
    names: Mapping[str, Any] | None = None,
    parent: Version | None = None,
) -> Candidate:
    """What a recipe makes of a workload, neither measured nor kept: for trying many.

    The same weights as `compress` with the same seed. `wb.evaluate(work, candidate)` judges it, and
    `wb.measure` everything else; arguments as for `compress`.

    Raises:
        RecipeError, WorkloadError: one line that says what to do.
    """
    recipe, seed = Recipe.of(recipe), whole_seed(seed)
    return Job(
        lambda: applying(work, recipe, seed, names=names, parent=parent), seed=seed, threads=work.threads
    ).run()


def applying(
    work: Workload,
    recipe: Recipe,
    seed: int = 0,
    *,
    names: Mapping[str, Any] | None = None,
    parent: Version | None = None,
) -> Steps[Candidate]:
    """The generator behind `apply`; stopped, it returns what the steps so far have made."""
    trail = _begin(work, recipe, names, parent)
    yield from _stages(trail, work, recipe, seed, names, sum(map(weight, recipe)))
    return trail.candidate


def job(work: Workload, recipe: Recipe | Technique | str, seed: int = 0, **options: Any) -> Job[Version]:
    """The same as a `Job`, to start in a worker thread, watch and stop; options as for `compress`."""
    recipe, seed = Recipe.of(recipe), whole_seed(seed)
    return Job(lambda: compressing(work, recipe, seed, **options), seed=seed, threads=work.threads)


def compressing(
    work: Workload,
    recipe: Recipe,
    seed: int = 0,
    *,
    names: Mapping[str, Any] | None = None,
    parent: Version | None = None,
    tree: VersionTree | None = None,
    name: str | None = None,
    runtimes: Sequence[str] | None = None,
) -> Steps[Version]:
    """The generator behind `compress`; stopped, it measures and keeps what the steps so far have made."""
    for each in runtimes or ():
        find(each)  # a wrong name is said before anything long begins
    trail = _begin(work, recipe, names, parent)
    before = sum(map(weight, recipe))
    yield from _stages(trail, work, recipe, seed, names, before + _LONG)
    make = _version(work, recipe, seed, trail, parent, tree, name, runtimes)
    return (yield from _scaled(make, MEASURING, before / (before + _LONG), _LONG / (before + _LONG)))


def _begin(work: Workload, recipe: Recipe, names: Mapping[str, Any] | None, parent: Version | None) -> _Trail:
    """The trail of a run that has done nothing yet; raises what would end it."""
    _check(work, recipe, names or {})
    trail = _Trail(_start(work, parent))
    if parent is not None:
        trail.promises = parent.promises
    return trail


def _stages(
    trail: _Trail, work: Workload, recipe: Recipe, seed: int, names: Mapping[str, Any] | None, total: float
) -> Steps[None]:
    """Apply every step to the trail, until one is stopped; `total` is what the whole run weighs."""
    done = 0.0
    for index, step in enumerate(recipe):
        context = Context(work, seed=step_seed(seed, index), names=names or {})
        words = f"step {index + 1} of {len(recipe)}, {type(step).__name__}"
        share = weight(step) / total
        yield from _scaled(_stage(trail, step, context), words, done, share)
        done += share
        if trail.is_stopped:
            return


def _check(work: Workload, recipe: Recipe, names: Mapping[str, Any]) -> None:
    """Say what would end the run before anything long begins.

    Raises:
        RecipeError: the recipe is empty, or names what is not defined.
        WorkloadError: a step trains and there are no data to train on, or the model has changed.
    """
    if not len(recipe):
        raise RecipeError("the recipe is empty; add a step, like PruneWeights(sparsity=0.9)")
    for index, step in enumerate(recipe):
        later = recipe.steps[index + 1 :]
        if (why := step.needs_training()) and not any(each.trains for each in later):
            raise RecipeError(f"{step} {why}; add a step that trains after it, like FineTune(epochs=2)")
        if step.trains and work.train is None:
            try:
                work.split("train")
            except WorkloadError as error:
                raise WorkloadError(f"{type(step).__name__} trains, but {error}") from None
        for each in describe(step):
            if isinstance(value := getattr(step, each.name), Reference):
                Context(work, names=names).resolve(value)
    work.check_unchanged()


def _start(work: Workload, parent: Version | None) -> Candidate:
    """The candidate to go on from.

    Raises:
        VersionError: the parent is no version, or was made from another model.
    """
    if parent is None:
        return work.candidate()
    from workbench.storage import unpack
    from workbench.versions import Version

    if not isinstance(parent, Version):
        raise VersionError(f"parent must be a version, got {shown(parent)}; tree.get('v1') finds one by name")
    if parent.fingerprint == work.fingerprint:
        return parent.candidate
    try:
        return unpack(parent.packed, work.baseline).candidate  # a loaded one, or of other data
    except StorageError as error:
        if parent.candidate.base is not None:  # a student of a class of its own, loaded from a file
            return parent.candidate
        raise VersionError(f"{parent.name or 'the parent'} was made from another model: {error}") from error


def _stage(trail: _Trail, step: Technique, context: Context) -> Steps[None]:
    """Apply one step to the trail's candidate and record what it did."""
    started = time.perf_counter()
    history: list[Mapping[str, Any]] = []
    try:
        yield Progress(0, 1, "preparing")
        steps = step.apply(trail.candidate, context, prepared(step, trail.candidate, context))
        candidate, was_stopped = yield from forward(_recording(steps, history))
    except Stopped:  # nothing to keep of this step
        trail.is_stopped = True
        return
    trail.is_stopped = was_stopped
    seconds = time.perf_counter() - started
    trail.stages.append(stage_of(step, trail.candidate, candidate, seconds, history, trail.promises))
    trail.promises = trail.stages[-1].promises
    trail.candidate = replace(candidate, notes=())  # said by this stage; the next one speaks for itself


def _recording(steps: Steps[Any], history: list[Mapping[str, Any]]) -> Steps[Any]:
    """The same steps, with the figures of their records kept in `history`."""

    def kept(progress: Progress) -> Progress:
        if figures := {k: v for k, v in progress.record.items() if isinstance(v, (int, float, str))}:
            history.append(figures)
        return progress

    result, _ = yield from forward(steps, kept)
    return result


def _version(
    work: Workload,
    recipe: Recipe,
    seed: int,
    trail: _Trail,
    parent: Version | None,
    tree: VersionTree | None,
    name: str | None,
    runtimes: Sequence[str] | None,
) -> Steps[Version]:
    """Pack, measure and keep what the steps made."""
    from workbench.storage import pack
    from workbench.versions import Version, tree_for

    if not trail.stages:
        raise Stopped("stopped before the first step was done; nothing was made")
    with suppress(Stopped):  # all is made by now: it is packed whoever asks to stop; measuring can be stopped
        yield Progress(0, 1, "packing")
    packed = pack(trail.candidate, recipe=recipe, original=work.baseline, seed=seed)
    where = {} if runtimes is None else {"runtimes": runtimes}
    report = yield from _measured(work, trail.candidate, stored=len(packed), **where)
    version = Version.new(
        work,
        recipe=recipe,
        seed=seed,
        report=report,
        stages=tuple(trail.stages),
        packed=packed,
        candidate=trail.candidate,
        parent=parent,
        name=name,
        is_stopped=trail.is_stopped,
    )
    return (tree if tree is not None else tree_for(work)).add(version)


def _measured(work: Workload, candidate: Candidate, **options: Any) -> Steps[Report]:
    """The report; where the data cannot be read, what the run has made is not lost for it."""
    from workbench.measurement import measuring

    try:
        return (yield from measuring(work, candidate, **options))
    except (Stopped, WorkbenchError):
        raise
    except Exception as error:
        report = yield from measuring(work, candidate, **options, is_judged=False)
        return replace(report, notes=(f"{NO_ACCURACY}: {told(error)}", *report.notes))


def _scaled(steps: Steps[Any], words: str, start: float, share: float) -> Steps[Any]:
    """The same steps, their progress as a share of the whole run."""

    def scaled(progress: Progress) -> Progress:
        message = f"{words}: {progress.message}" if progress.message else words
        return Progress(start + share * (progress.fraction or 0.0), 1, message, progress.record)

    result, _ = yield from forward(steps, scaled)
    return result


def weight(step: Technique) -> float:
    """How long a step takes beside others: 1, or ten times as much for each epoch of training."""
    return _LONG * getattr(step, "epochs", 1) if step.trains else 1.0
