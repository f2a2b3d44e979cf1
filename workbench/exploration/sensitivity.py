"""Which layer hurts: a technique in one layer at a time, at a few strengths, judged on the same samples.

Nothing is trained, and every point starts from the same untouched model, so that what differs is the layer.
After Li et al. 2017, "Pruning Filters for Efficient ConvNets" (section 3.2), for any technique.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any
from weakref import WeakKeyDictionary

from workbench.errors import RecipeError, WorkbenchError, shown
from workbench.exploration.plan import Plan
from workbench.exploration.records import ALONE, Effect, Sensitivity, strength_text
from workbench.job import Job, Progress, Steps, Stopped, forward
from workbench.options import describe
from workbench.randomness import step_seed, whole_seed
from workbench.technique import Context, Technique, prepared, settings

if TYPE_CHECKING:
    from workbench.candidate import Candidate
    from workbench.exploration.samples import Samples
    from workbench.measurement.accuracy import Accuracy
    from workbench.recipe import Recipe
    from workbench.workload import Workload

SAMPLES = 500


@dataclass
class _Kept:
    """What is known of one technique on one workload: found once, whoever asks and however often stopped."""

    n: int = 0
    accuracy: Accuracy | None = None
    loss: float = 0.0
    effects: dict[tuple[str, Any], Effect] = field(default_factory=dict)


_KEPT: WeakKeyDictionary[Any, dict[Any, _Kept]] = WeakKeyDictionary()


def sensitivity(
    work: Workload, technique: Technique | type[Technique] | Recipe | str, **options: Any
) -> Sensitivity:
    """Which layers of a workload's model a technique hurts, as records; options as for `scanning`.

    >>> scan = wb.sensitivity(work, wb.PruneWeights)          # doctest: +SKIP
    >>> scan.ranked[0], scan.of("fc1")[-1].paired.difference  # the layer that hurts most; points lost in one

    Raises:
        RecipeError, OptionError: the technique trains, a layer or a strength is not there; one line each.
        WorkloadError: there are no validation data.
    """
    return job(work, technique, **options).run()


def job(
    work: Workload, technique: Technique | type[Technique] | Recipe | str, **options: Any
) -> Job[Sensitivity]:
    """The same as a `Job`, to start in a worker thread, watch and stop."""
    seed = whole_seed(options.get("seed", 0))
    return Job(lambda: scanning(work, technique, **options), seed=seed, threads=work.threads)


def scanning(
    work: Workload,
    technique: Technique | type[Technique] | Recipe | str,
    *,
    strengths: Iterable[Any] | float | None = None,
    layers: Iterable[str] | str | None = None,
    samples: int = SAMPLES,
    seed: int = 0,
    leave: str = ALONE,
    names: Mapping[str, Any] | None = None,
    start: Candidate | None = None,
) -> Steps[Sensitivity]:
    """The generator behind `sensitivity`: a layer and strength a step, the strongest first.

    Each `Progress` that ends a point holds the scan so far in its record, as `scan`. Stopped, it returns what
    was scanned; asked again, it goes on from there.

    Args:
        technique: a class, an instance (its other options hold), or its text.
        strengths: values of its first option, weak to strong; the technique's own where not given.
        layers: by name; all that have weights where not given.
        samples: at most so many validation samples, drawn by `seed`.
        leave: `all-others` compresses one layer at a time, `one-out` all layers but one.
        names: what bare names in the technique stand for.
        start: the candidate to begin from; the untouched model where not given. Not remembered then.

    Raises:
        RecipeError, OptionError, WorkloadError: see `sensitivity`. WorkbenchError: the model gives NaN.
        Stopped: stopped before the first point was done.
    """
    if isinstance(samples, bool) or not isinstance(samples, int) or samples < 1:
        raise RecipeError(f"samples must be a whole number above 0, got {shown(samples)}")
    work.check_unchanged()
    begin = start if start is not None else work.candidate()
    plan = Plan.of(begin.model, technique, strengths, layers, leave)
    kept = _Kept() if start is not None else _kept(work, plan, samples, seed, names or {})
    todo = [point for point in plan.points if point not in kept.effects]
    is_partial = False
    try:
        if todo:
            held = yield from _opening(work, begin, samples, seed)
            kept.n, kept.accuracy, kept.loss = held.baseline.n, held.baseline.accuracy, held.baseline.loss
            yield Progress(0, 1, "scanning", {"scan": _scan(plan, kept)})
            context = Context(work, seed=step_seed(seed, 0), names=names or {})
            yield from _filling(plan, kept, todo, context, begin, held)
    except Stopped:
        is_partial = not all(point in kept.effects for point in plan.points)
    scan = _scan(plan, kept, is_partial)
    if not scan.effects:
        raise Stopped("stopped before the first layer was scanned")
    return scan


def _opening(work: Workload, start: Candidate, samples: int, seed: int) -> Steps[Samples]:
    from workbench.exploration.samples import drawing

    def unscaled(progress: Progress) -> Progress:
        return Progress(0, 1, "judging the untouched model")

    held, was_stopped = yield from forward(drawing(work, start, samples, seed), unscaled)
    if was_stopped:
        raise Stopped
    return held


def _filling(
    plan: Plan, kept: _Kept, todo: list[tuple[str, Any]], context: Context, start: Candidate, held: Samples
) -> Steps[None]:
    """Try the points that are not known yet, one after the other."""
    for index, point in enumerate(todo):
        words = _words(plan, *point)

        def scaled(progress: Progress, index: int = index, words: str = words) -> Progress:
            return Progress(index + 0.99 * (progress.fraction or 0.0), len(todo), words)

        kept.effects[point], _ = yield from forward(_trying(plan, point, context, start, held), scaled)
        yield Progress(index + 1, len(todo), words, {"scan": _scan(plan, kept, index + 1 < len(todo))})


def _trying(
    plan: Plan, point: tuple[str, Any], context: Context, start: Candidate, held: Samples
) -> Steps[Effect]:
    """One point: compress, judge, compare. What goes wrong there is its record, and the others go on.

    Raises:
        Stopped: half a point is none.
    """
    from dataclasses import replace

    from workbench.exploration.changes import changed_layers, is_unchanged
    from workbench.measurement.size import claimed_bytes

    layer, strength = point
    try:
        yield Progress(0, 2, "preparing")
        step, allowed = plan.at(strength), replace(context, only=plan.only(layer))
        made, was_stopped = yield from forward(step.apply(start, allowed, prepared(step, start, allowed)))
        if was_stopped:
            raise Stopped
        changed = changed_layers(start, made)
        if not changed and is_unchanged(start, made):
            return _untouched(point, made, held)
        judging = held.judging(context.work, made)
        (evaluation, error), _ = yield from forward(judging, lambda p: Progress(1 + (p.fraction or 0), 2))
    except Stopped:
        raise
    except Exception as trouble:  # somebody's technique, or a model that no longer fits together
        line = str(trouble).split("\n")[0] or "no reason given"
        told = line if isinstance(trouble, WorkbenchError) else f"{type(trouble).__name__}: {line}"
        return Effect(layer, strength, problem=told)
    saved = claimed_bytes(start) - claimed_bytes(made)
    also = tuple(sorted(changed - plan.only(layer)))
    return Effect(layer, strength, *_compared(held, evaluation), error, saved, also, made.notes)


def _untouched(point: tuple[str, Any], made: Candidate, held: Samples) -> Effect:
    """Nothing was changed: it need not be judged again."""
    return Effect(*point, *_compared(held, held.baseline), 0.0, notes=made.notes, is_untouched=True)


def _compared(held: Samples, evaluation: Any) -> tuple[Any, Any, float, float]:
    """Accuracy, the paired test, loss and its change."""
    from workbench.measurement.pairing import paired

    pair = paired(held.baseline, evaluation) if evaluation.predictions is not None else None
    return evaluation.accuracy, pair, evaluation.loss, evaluation.loss - held.baseline.loss


def _words(plan: Plan, layer: str, strength: Any) -> str:
    unit = plan.option.unit if plan.option else ""
    at = "" if strength is None else f" at {strength_text(strength, unit)}"
    return f"{layer}{at}" if plan.leave == ALONE else f"all but {layer}{at}"


def _kept(work: Workload, plan: Plan, samples: int, seed: int, names: Mapping[str, Any]) -> _Kept:
    """What is known already for these settings, whatever strengths and layers were asked for."""
    options = tuple(each.name for each in describe(plan.step) if each != plan.option)
    key = settings(plan.step, names, options), samples, seed, plan.leave
    return _KEPT.setdefault(work, {}).setdefault(key, _Kept())


def _scan(plan: Plan, kept: _Kept, is_partial: bool = False) -> Sensitivity:
    in_order = [(layer, strength) for layer in plan.layers for strength in plan.strengths]
    return Sensitivity(
        technique=type(plan.step).__name__,
        step=str(plan.step) if plan.option is None else _varied(plan),
        option=plan.option.name if plan.option else "",
        strengths=plan.strengths,
        effects=tuple(kept.effects[point] for point in in_order if point in kept.effects),
        layers=plan.layers,
        n=kept.n,
        accuracy=kept.accuracy,
        loss=kept.loss,
        leave=plan.leave,
        unit=plan.option.unit if plan.option else "",
        family=type(plan.step).family,
        is_partial=is_partial,
    )


def _varied(plan: Plan) -> str:
    """`PruneWeights`, or `PruneWeights(scope='layer')`: the text without the option that is varied."""
    assert plan.option is not None
    others = {name: value for name, value in plan.step.changed().items() if name != plan.option.name}
    inner = ", ".join(f"{name}={value!r}" for name, value in others.items())
    return f"{type(plan.step).__name__}({inner})" if inner else type(plan.step).__name__
