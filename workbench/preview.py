"""What a recipe would do, shown at once and refined while nothing else is asked for.

A preview applies the steps before the first one that trains, from what was prepared once per model. It says
structure, claimed and estimated bytes and MACs first, then accuracy as a running estimate with its interval.
"""

from __future__ import annotations

import threading
from collections.abc import Generator, Mapping
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

from workbench.candidate import Candidate
from workbench.job import Steps, finish
from workbench.randomness import step_seed
from workbench.recipe import Recipe
from workbench.technique import Context, Technique, prepared, settings

if TYPE_CHECKING:
    from workbench.measurement.accuracy import Accuracy
    from workbench.measurement.compute import LayerRecord, Macs
    from workbench.measurement.report import Latency
    from workbench.workload import Workload

_TIMING = 0.5  # seconds
_KEPT_PREFIXES = 6  # candidates of a recipe's first steps, so that moving a later slider starts after them


@dataclass(frozen=True)
class Preview:
    """An estimate of what a recipe makes, drawn hollow and written with ≈.

    Attributes:
        recipe: the recipe asked for.
        previewed: its steps before the first one that trains; what the figures are about.
        claimed_bytes: bits times kept parameters. estimated_bytes: about what the file will weigh.
        accuracy: None until the first batch, then a running estimate with its interval.
        is_new_net: whether the figures are those of a net that the next step makes and has yet to train: it
            has a size, operations and a latency, and no accuracy.
        latency: of a new net, by runtime, timed in turns with the baseline; empty before that.
        is_final: whether nothing more will come.
    """

    recipe: Recipe
    previewed: Recipe
    parameters: int
    nonzero: int
    macs: int | None
    claimed_bytes: int
    estimated_bytes: int
    layers: tuple[LayerRecord, ...] = ()
    accuracy: Accuracy | None = None
    metrics: Mapping[str, float] | None = None
    is_new_net: bool = False
    latency: Mapping[str, Latency] = field(default_factory=dict)
    is_final: bool = False

    @property
    def is_before_training(self) -> bool:
        """Whether a step that trains was left out: these figures are not the expected result."""
        return len(self.previewed) < len(self.recipe)

    @property
    def note(self) -> str:
        """`before training: FineTune(epochs=2) is not previewed`, or nothing."""
        if not self.is_before_training:
            return ""
        rest = Recipe(self.recipe.steps[len(self.previewed) :])
        if self.is_new_net:
            return f"a new net, not trained yet; press Run for its accuracy ({rest})"
        return f"before training; press Run for {rest}"


class Previewer:
    """Makes previews of one workload, keeping what does not change from one to the next.

    Args:
        work: the workload.
        start: the candidate to begin from; the untouched model where it is not given.
    """

    def __init__(self, work: Workload, start: Candidate | None = None) -> None:
        self.work = work
        self.start = start if start is not None else Candidate(work.baseline)
        self._lock = threading.Lock()
        self._prefixes: dict[tuple[Any, ...], Candidate] = {}
        self._macs: dict[tuple[Any, ...], Macs | None] = {}

    def previewing(
        self, recipe: Recipe, seed: int = 0, names: Mapping[str, Any] | None = None
    ) -> Generator[Preview, None, Preview]:
        """Yield previews of `recipe`, each better than the one before; close it to cancel.

        The first comes as soon as arithmetic can tell; then one per validation batch.
        """
        previewed = recipe.untrained()
        candidate = self.candidate(previewed, seed, names)
        student = self._student(recipe, candidate, seed, names or {})
        preview = self._structure(recipe, previewed, candidate if student is None else student)
        if student is not None:
            return (yield from self._new_net(preview, student))
        has_data = self.work.validation is not None
        yield (preview := replace(preview, is_final=not has_data))
        if has_data:
            for accuracy, metrics in self._accuracy(candidate):
                yield (preview := replace(preview, accuracy=accuracy, metrics=metrics))
            yield (preview := replace(preview, is_final=True))
        return preview

    def _new_net(self, preview: Preview, student: Candidate) -> Generator[Preview, None, Preview]:
        """The student's figures, and then its latency: it takes a moment, and the next move cancels it."""
        preview = replace(preview, is_new_net=True, is_final=self.work.example is None)
        yield preview
        if preview.is_final:
            return preview
        steps = self._timing(student)
        while True:
            try:
                next(steps)
            except StopIteration as end:
                preview = replace(preview, latency=end.value, is_final=True)
                break
            yield preview
        yield preview
        return preview

    def _timing(self, candidate: Candidate) -> Steps[dict[str, Latency]]:
        from workbench.measurement.baselines import known
        from workbench.measurement.compute import call_of
        from workbench.measurement.latency import summary, timing
        from workbench.runtimes import find

        runtime, example = find("pytorch"), self.work.example
        baseline = known(self.work).on(runtime, example, 1, 1)
        model = runtime.prepare(candidate.model, example, 1, call=call_of(self.work), candidate=candidate)
        rounds = yield from timing(model, baseline, threads=1, seconds=_TIMING)
        return {runtime.name: summary(rounds, runtime.name, model.artefact_bytes, threads=1, batch=1)}

    def _student(
        self, recipe: Recipe, candidate: Candidate, seed: int, names: Mapping[str, Any]
    ) -> Candidate | None:
        """The net that the first step that trains begins with, where that is not `candidate`."""
        index = len(recipe.untrained())
        if index == len(recipe):
            return None
        key = self._key(recipe.steps[: index + 1], seed, names)
        if (kept := self._recall(key)) is not None:
            return kept
        context = Context(self.work, seed=step_seed(seed, index), names=names, is_preview=True)
        student = recipe.steps[index].structure(candidate, context)
        if student is not None:
            self._keep(key, student)
        return student

    def candidate(self, recipe: Recipe, seed: int = 0, names: Mapping[str, Any] | None = None) -> Candidate:
        """What the steps of a recipe without training make."""
        steps = recipe.steps
        keys = [self._key(steps[:n], seed, names or {}) for n in range(len(steps) + 1)]
        found = ((n, kept) for n in range(len(steps), 0, -1) if (kept := self._recall(keys[n])) is not None)
        done, candidate = next(found, (0, self.start))
        for index in range(done, len(steps)):
            context = Context(self.work, seed=step_seed(seed, index), names=names or {}, is_preview=True)
            step = steps[index]
            candidate = finish(step.apply(candidate, context, prepared(step, candidate, context)))
            self._keep(keys[index + 1], candidate)
        return candidate

    def shown(self, recipe: Recipe, seed: int = 0, names: Mapping[str, Any] | None = None) -> Candidate:
        """What a preview of a recipe is about: the net that its first training begins with, where that is a
        new one, else what its steps before that make."""
        candidate = self.candidate(recipe.untrained(), seed, names)
        student = self._student(recipe, candidate, seed, names or {})
        return candidate if student is None else student

    @staticmethod
    def _key(steps: tuple[Technique, ...], seed: int, names: Mapping[str, Any]) -> tuple[Any, ...]:
        return (seed, *(settings(step, names) for step in steps))

    def _recall(self, key: tuple[Any, ...]) -> Candidate | None:
        with self._lock:  # views of a panel ask in threads of their own
            if (candidate := self._prefixes.pop(key, None)) is not None:
                self._prefixes[key] = candidate  # to the end: the longest unused goes first
            return candidate

    def _keep(self, key: tuple[Any, ...], candidate: Candidate) -> None:
        with self._lock:
            self._prefixes[key] = candidate
            while len(self._prefixes) > _KEPT_PREFIXES:
                del self._prefixes[next(iter(self._prefixes))]

    def _structure(self, recipe: Recipe, previewed: Recipe, candidate: Candidate) -> Preview:
        from workbench.measurement.compute import layers
        from workbench.measurement.size import claimed_bytes
        from workbench.storage import estimate_bytes

        counted = self._macs_of(candidate)
        records = tuple(layers(candidate, self.work, counted))
        return Preview(
            recipe=recipe,
            previewed=previewed,
            parameters=sum(each.parameters for each in records),
            nonzero=sum(each.nonzero for each in records),
            macs=counted.total if counted else None,
            claimed_bytes=claimed_bytes(candidate),
            estimated_bytes=estimate_bytes(candidate),
            layers=records,
        )

    def _macs_of(self, candidate: Candidate) -> Macs | None:
        """Counted once per structure: constraints on weights do not change it."""
        from workbench.measurement.compute import call_of, count_macs

        shapes = tuple((name, tuple(each.shape)) for name, each in candidate.model.named_parameters())
        if shapes not in self._macs:
            self._macs[shapes] = count_macs(candidate.model, self.work.example, call_of(self.work))
        return self._macs[shapes]

    def _accuracy(self, candidate: Candidate) -> Generator[tuple[Any, Mapping[str, float]], None, None]:
        from workbench.measurement.accuracy import evaluating

        steps = evaluating(self.work, candidate, split="validation")
        while True:
            try:
                progress = next(steps)
            except StopIteration as end:
                yield end.value.accuracy, end.value.metrics
                return
            if "accuracy" in progress.record:
                yield progress.record["accuracy"], {}
