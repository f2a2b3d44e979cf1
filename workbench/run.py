"""`compress()`: a recipe over a workload, step by step, to a measured version."""

from __future__ import annotations

import time
from collections.abc import Generator, Iterator, Mapping
from dataclasses import asdict, dataclass, field, replace
from typing import TYPE_CHECKING, Any

from workbench.errors import RecipeError
from workbench.job import Job, Progress, Steps, Stopped, forward
from workbench.recipe import Recipe
from workbench.technique import Context, Technique, prepared

if TYPE_CHECKING:
    from workbench.candidate import Candidate
    from workbench.versions import Version, VersionTree
    from workbench.workload import Workload

_LONG = 10.0  # a training epoch or the measurement, against 1 for a step that does not train


@dataclass(frozen=True)
class Stage:
    """What one step of a recipe did."""

    step: str
    seconds: float
    summary: str
    parameters: int
    nonzero: int
    claimed_bytes: int
    history: tuple[Mapping[str, Any], ...] = ()
    notes: tuple[str, ...] = ()

    def to_dict(self) -> dict[str, Any]:
        """The stage as plain data, for JSON."""
        return {**asdict(self), "history": [dict(each) for each in self.history], "notes": list(self.notes)}

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> Stage:
        """The stage `to_dict` wrote."""
        history = tuple(dict(each) for each in data["history"])
        return cls(**{**data, "history": history, "notes": tuple(data.get("notes", ()))})


@dataclass
class _Trail:
    """What a run has done so far."""

    candidate: Candidate
    stages: list[Stage] = field(default_factory=list)
    is_stopped: bool = False


def compress(
    work: Workload,
    recipe: Recipe | Technique | str,
    seed: int = 0,
    *,
    names: Mapping[str, Any] | None = None,
    parent: Version | None = None,
    tree: VersionTree | None = None,
    name: str | None = None,
) -> Version:
    """The version a recipe makes of a workload, measured; the original is not touched.

    Args:
        recipe: techniques joined by `|`, a single one, or their text.
        seed: the same seed gives the same weights, bit for bit, on one machine.
        names: what bare names in the recipe stand for.
        parent: a version to go on from, instead of the original.
        tree: where the version is kept; the workload's own tree where it is not given.
        name: the version's name, `v1`, `v2`, ... where it is not given.

    Raises:
        RecipeError, WorkloadError: one line that says what to do. Nothing is kept then.
    """
    return job(work, recipe, seed, names=names, parent=parent, tree=tree, name=name).run()


def job(work: Workload, recipe: Recipe | Technique | str, seed: int = 0, **options: Any) -> Job[Version]:
    """The same as a `Job`, to start in a worker thread, watch and stop; options as for `compress`."""
    recipe = Recipe.of(recipe)
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
) -> Steps[Version]:
    """The generator behind `compress`; stopped, it measures and keeps what the steps so far have made."""
    if not len(recipe):
        raise RecipeError("the recipe is empty; add a step, like PruneWeights(sparsity=0.9)")
    work.check_unchanged()
    trail = _Trail(parent.candidate if parent is not None else work.candidate())
    weights = [_weight(step) for step in recipe]
    total = sum(weights) + _LONG
    for index, step in enumerate(recipe):
        context = Context(work, seed=seed * 1_009 + index, names=names or {})
        before = f"step {index + 1} of {len(recipe)}, {type(step).__name__}"
        yield from _scaled(
            _stage(trail, step, context), before, sum(weights[:index]) / total, weights[index] / total
        )
        if trail.is_stopped:
            break
    make = _version(work, recipe, seed, trail, parent, tree, name)
    return (yield from _scaled(make, "measuring", sum(weights) / total, _LONG / total))


def _stage(trail: _Trail, step: Technique, context: Context) -> Steps[None]:
    """Apply one step to the trail's candidate and record what it did."""
    started = time.perf_counter()
    history: list[Mapping[str, Any]] = []
    yield Progress(0, 1, "preparing")
    steps = step.apply(trail.candidate, context, prepared(step, trail.candidate, context))
    try:
        candidate, was_stopped = yield from forward(_recording(steps, history))
    except Stopped:  # nothing to keep of this step
        trail.is_stopped = True
        return
    trail.is_stopped = was_stopped
    trail.stages.append(_record(step, trail.candidate, candidate, time.perf_counter() - started, history))
    trail.candidate = replace(candidate, notes=())  # said by this stage; the next one speaks for itself


def _recording(steps: Steps[Any], history: list[Mapping[str, Any]]) -> Steps[Any]:
    """The same steps, with the figures of their records kept in `history`."""

    def kept(progress: Progress) -> Progress:
        if figures := {k: v for k, v in progress.record.items() if isinstance(v, (int, float, str))}:
            history.append(figures)
        return progress

    return (yield from _mapped(steps, kept))


def _record(
    step: Technique, before: Candidate, after: Candidate, seconds: float, history: list[Mapping[str, Any]]
) -> Stage:
    from workbench.measurement.compute import nonzero, parameters
    from workbench.measurement.size import claimed_bytes

    count, kept = parameters(after.model), nonzero(after.model)
    old, new = claimed_bytes(before), claimed_bytes(after)
    zeros = 1 - kept / max(count, 1)
    summary = (
        f"{count:,} parameters, {zeros:.1%} zeros, claimed {new:,} bytes ({old / max(new, 1):.1f}× smaller)"
    )
    return Stage(str(step), seconds, summary, count, kept, new, _thinned(history), after.notes)


def _version(
    work: Workload,
    recipe: Recipe,
    seed: int,
    trail: _Trail,
    parent: Version | None,
    tree: VersionTree | None,
    name: str | None,
) -> Steps[Version]:
    """Pack, measure and keep what the steps made."""
    from workbench.measurement import measuring
    from workbench.storage import pack
    from workbench.versions import Version, tree_for

    if not trail.stages:
        raise Stopped("stopped before the first step was done; nothing was made")
    yield Progress(0, 1, "packing")
    packed = pack(trail.candidate, recipe=recipe, original=work.baseline, seed=seed)
    report = yield from measuring(work, trail.candidate, stored=len(packed))
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


def _scaled(steps: Steps[Any], words: str, start: float, share: float) -> Steps[Any]:
    """The same steps, their progress as a share of the whole run."""

    def scaled(progress: Progress) -> Progress:
        message = f"{words}: {progress.message}" if progress.message else words
        return Progress(start + share * (progress.fraction or 0.0), 1, message, progress.record)

    return (yield from _mapped(steps, scaled))


def _mapped(steps: Steps[Any], change: Any) -> Generator[Progress, None, Any]:
    """`yield from steps` with every progress changed; what is thrown in reaches the inner generator."""
    try:
        progress = next(steps)
        while True:
            try:
                yield change(progress)
            except Stopped as stop:
                progress = steps.throw(stop)
            except GeneratorExit:
                steps.close()
                raise
            else:
                progress = next(steps)
    except StopIteration as end:
        return end.value


def _weight(step: Technique) -> float:
    return _LONG * getattr(step, "epochs", 1) if step.trains else 1.0


def _thinned(history: list[Mapping[str, Any]], most: int = 400) -> tuple[Mapping[str, Any], ...]:
    """At most about `most` records, evenly, with every one that holds a validation figure."""
    stride = max(1, len(history) // most)
    kept: Iterator[Mapping[str, Any]] = (
        each
        for index, each in enumerate(history)
        if index % stride == 0 or any(key.startswith("validation") for key in each)
    )
    return tuple(kept)
