"""What a recipe would do, shown at once and refined while nothing else is asked for.

A preview applies the steps before the first one that trains, from what was prepared once per model. It says
structure, claimed and estimated bytes and MACs first, then accuracy as a running estimate with its interval.
How fast it is takes a moment longer and is asked for apart: see `Previewer.timing`.
"""

from __future__ import annotations

import threading
from collections.abc import Generator, Mapping
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from workbench.candidate import Candidate
from workbench.errors import WorkbenchError
from workbench.job import Steps, finish
from workbench.randomness import step_seed
from workbench.recipe import Recipe
from workbench.technique import Context, Technique, prepared, settings

if TYPE_CHECKING:
    from torch import nn

    from workbench.measurement.accuracy import Accuracy, Evaluation
    from workbench.measurement.compute import LayerRecord, Macs
    from workbench.measurement.pairing import Paired
    from workbench.measurement.report import Latency
    from workbench.workload import Workload

_TIMING = 0.5  # seconds; a ratio to within a few percent
Shapes = tuple[tuple[str, tuple[int, ...]], ...]
_KEPT_PREFIXES = 6  # candidates of a recipe's first steps, so that moving a later slider starts after them


@dataclass(frozen=True)
class Preview:
    """An estimate of what a recipe makes, drawn hollow and written with ≈.

    Attributes:
        recipe: the recipe asked for.
        previewed: its steps before the first one that trains; what the figures are about.
        claimed_bytes: bits times kept parameters. estimated_bytes: about what the file will weigh.
        accuracy: None until the first batch, then a running estimate with its interval.
        metrics: the users' own, at the end. paired: the samples against the baseline's predictions of them,
            at the end and where those are known.
        peak_memory: bytes at the worst moment of one forward pass; None before it was run.
        is_new_net: whether the figures are those of a net that the next step makes and has yet to train: it
            has a size, operations and a latency, and no accuracy.
        computes_alike: whether every layer has the baseline's shape, so that a dense kernel takes as long.
        rounds_activations: whether activations are rounded, so that there may be int8 kernels for it.
        latency: timed in turns with the baseline on the runtime that was asked for; None before that.
        is_final: whether nothing more will come but the latency.
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
    paired: Paired | None = None
    peak_memory: int | None = None
    is_new_net: bool = False
    computes_alike: bool = False
    rounds_activations: bool = False
    latency: Latency | None = None
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
        self._macs: dict[Shapes, Macs | None] = {}
        self._memory: dict[Shapes, int | None] = {}

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
        is_judged = student is None and self.work.validation is not None
        has_more = is_judged or self.work.example is not None
        yield (preview := replace(preview, is_new_net=student is not None, is_final=not has_more))
        if not has_more:
            return preview
        preview = replace(preview, peak_memory=self._memory_of(candidate if student is None else student))
        if is_judged:
            for found in self._judged(candidate):
                yield (preview := replace(preview, **found))
        yield (preview := replace(preview, is_final=True))
        return preview

    def timing(
        self,
        recipe: Recipe,
        seed: int = 0,
        names: Mapping[str, Any] | None = None,
        *,
        runtime: str = "pytorch",
        batch: int = 1,
        threads: int = 1,
    ) -> Steps[Latency]:
        """Time what a preview of `recipe` shows, in turns with the baseline; close it to cancel.

        Raises:
            RuntimeUnavailable: the runtime is not installed or cannot take the model.
        """
        from workbench.measurement.everything import timing_on

        candidate = self.candidate(recipe.untrained(), seed, names)
        student = self._student(recipe, candidate, seed, names or {})
        shown = candidate if student is None else student
        return (
            yield from timing_on(
                self.work, shown, runtime, batch=batch, threads=threads, seconds=_TIMING, is_preview=True
            )
        )

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

    def forget(self) -> None:
        """Let go of the candidates that are kept between previews, and of what was prepared for the first."""
        with self._lock:
            self._prefixes.clear()
            self.start = Candidate(self.work.baseline)

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
            computes_alike=_shapes(candidate.model) == _shapes(self.work.baseline),
            rounds_activations=bool(candidate.activations),
        )

    def _macs_of(self, candidate: Candidate) -> Macs | None:
        """Counted once per structure: constraints on weights do not change it."""
        from workbench.measurement.compute import call_of, count_macs

        shapes = _shapes(candidate.model)
        if shapes not in self._macs:
            self._macs[shapes] = count_macs(candidate.model, self.work.example, call_of(self.work))
        return self._macs[shapes]

    def _memory_of(self, candidate: Candidate) -> int | None:
        """Found once per structure, too: it takes a forward pass."""
        from workbench.measurement.compute import call_of
        from workbench.measurement.memory import peak_memory

        shapes = _shapes(candidate.model)
        if shapes not in self._memory:
            self._memory[shapes] = peak_memory(candidate.model, self.work.example, call_of(self.work))
        return self._memory[shapes]

    def _judged(self, candidate: Candidate) -> Generator[dict[str, Any], None, None]:
        """What each batch of validation data adds to a preview."""
        from workbench.measurement.accuracy import evaluating

        steps = evaluating(self.work, candidate, split="validation")
        while True:
            try:
                progress = next(steps)
            except StopIteration as end:
                found = end.value
                yield {"accuracy": found.accuracy, "metrics": found.metrics, "paired": self._paired(found)}
                return
            if "accuracy" in progress.record:
                yield {"accuracy": progress.record["accuracy"], "metrics": {}}

    def _paired(self, evaluation: Evaluation) -> Paired | None:
        """Against the baseline's predictions, where they are known and of the same samples."""
        from workbench.measurement.baselines import known
        from workbench.measurement.pairing import paired

        before = known(self.work).evaluations.get(evaluation.split)
        if before is None or evaluation.predictions is None:
            return None
        try:
            return paired(before, evaluation)
        except WorkbenchError:  # data that come in another order at every reading
            return None


def _shapes(model: nn.Module) -> Shapes:
    """What decides how long dense kernels take: every parameter's name and shape."""
    return tuple((name, tuple(each.shape)) for name, each in model.named_parameters(remove_duplicate=False))
