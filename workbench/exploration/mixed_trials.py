"""Allocations of bits, tried on the whole model: how long the file is, and what is lost."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from workbench.errors import WorkbenchError
from workbench.exploration import allocation
from workbench.exploration.knapsack import cheapest
from workbench.job import Progress, Steps, Stopped, forward
from workbench.measurement import units
from workbench.randomness import step_seed

if TYPE_CHECKING:
    from workbench.candidate import Candidate
    from workbench.exploration.records import Sensitivity
    from workbench.measurement.accuracy import Accuracy, Evaluation
    from workbench.measurement.pairing import Paired
    from workbench.technique import Technique
    from workbench.workload import Workload

_TRIES = 15  # halvings of what is to be saved
_CLOSE = 1e-9


@dataclass(frozen=True)
class Target:
    """What is asked for: bytes at most, a loss at most; one of them may be None."""

    size: int | None
    drop: float | None


@dataclass(frozen=True)
class Judged:
    """What an allocation loses: accuracy, paired test, change of the loss; None without classes."""

    accuracy: Accuracy | None
    paired: Paired | None
    loss_change: float

    @property
    def drop(self) -> float:
        """Accuracy that is lost, as a share, or loss that is added; never below zero."""
        return max(-self.paired.difference if self.paired is not None else self.loss_change, 0.0)


class Trial:
    """Allocations of bits, tried on the whole model."""

    def __init__(
        self, work: Workload, step: Technique, scan: Sensitivity, seed: int, start: Candidate | None
    ) -> None:
        self._work, self._step, self._scan, self._seed = work, step, scan, seed
        self._start = (
            start if start is not None else work.candidate()
        )  # one: what is prepared is kept with it
        self._is_untouched = start is None
        self._before: Evaluation | None = None
        usable = [each for each in scan if not each.problem and not each.is_untouched]
        if not usable:
            why = next((each.problem for each in scan if each.problem), "it changes none of the layers")
            raise WorkbenchError(f"{step} leaves no layer to choose bits for: {why}")
        self._effects = usable
        most: dict[str, int] = {}
        for each in usable:
            most[each.layer] = max(most.get(each.layer, 0), each.saved_bytes)
        self._most = sum(most.values())
        self._widest = {each.layer: each for each in reversed(usable)}
        self._least = sum(each.saved_bytes for each in self._widest.values())
        self._latest: tuple[Any, Candidate] | None = None  # one at a time: a model may be large
        self._sizes: dict[frozenset[tuple[str, int]], int] = {}
        self._lost: dict[frozenset[tuple[str, int]], float] = {}

    def best(self, target: Target) -> Steps[dict[str, int]]:
        """The allocation with the least error that is small enough."""
        assert target.size is not None
        size = target.size

        def is_small(bits: dict[str, int]) -> Steps[bool]:
            return (yield from self.size(bits)) <= size

        if (yield from is_small(weakest := self._at(self._least))):
            return weakest  # wide grids cost next to nothing: no layer is left whole for a loose target
        if not (yield from is_small(strongest := self._at(self._most))):
            least = yield from self.size(strongest)
            raise WorkbenchError(
                f"{units.size(size)} cannot be reached: {min(strongest.values())} bits in every layer weigh "
                f"{units.size(least)}; prune or share weights first, or take a larger max_size"
            )
        return (yield from self._between(self._most, self._least, is_small))

    def smallest(self, target: Target) -> Steps[dict[str, int]]:
        """The smallest allocation that loses no more than it may."""
        assert target.drop is not None
        drop = target.drop

        def is_good(bits: dict[str, int]) -> Steps[bool]:
            return (yield from self._drop(bits)) <= drop + _CLOSE

        if (yield from is_good(strongest := self._at(self._most))):
            return strongest
        if (yield from is_good(self._at(self._least))):
            chosen = yield from self._between(self._least, self._most, is_good)
        else:
            chosen = yield from self._between(0.0, self._least, is_good)
        size = yield from self.size(chosen)
        if not chosen:
            raise WorkbenchError(f"a loss of at most {self._told(drop)} leaves no layer that can be rounded")
        if target.size is not None and size > target.size:
            raise WorkbenchError(
                f"a loss of at most {self._told(drop)} takes {units.size(size)}, more than "
                f"{units.size(target.size)}; allow one of them more, or train: | FineTune(epochs=2)"
            )
        return chosen

    def _between(
        self, good: float, bad: float, is_fine: Callable[[dict[str, int]], Steps[bool]]
    ) -> Steps[dict[str, int]]:
        """Of the savings between one that is fine and one that is not, the fine one nearest to the other."""
        best = self._at(good)
        for _ in range(_TRIES):
            middle = (good + bad) / 2
            bits = self._at(middle)
            if (yield from is_fine(bits)):
                good, best = middle, bits
            else:
                bad = middle
        return best

    def _at(self, saved: float) -> dict[str, int]:
        """Bits by layer that save so many claimed bytes at the least error; a layer not named is left whole.

        None is, as soon as the widest grids everywhere save too little: they cost next to nothing.
        """
        if saved <= self._least * (1 + _CLOSE):
            if saved >= self._least * (1 - _CLOSE):
                return {layer: each.strength for layer, each in self._widest.items()}
            return allocation.for_bytes(self._effects, saved) if saved > 0 else {}
        points: dict[str, list[allocation.Point]] = {layer: [] for layer in self._widest}
        for each in self._effects:
            points[each.layer].append(allocation.Point(each.strength, each.saved_bytes, each.output_error**2))
        return cheapest(points, saved)

    def step_of(self, bits: Mapping[str, int]) -> Technique:
        """The step with these bits; layers that nobody names keep their precision."""
        whole = tuple(layer for layer in self._scan.layers if layer not in bits)
        keep = tuple(dict.fromkeys((*self._step.keep, *whole)))  # type: ignore[attr-defined]
        usual = max(bits.values(), default=8)
        layers = {layer: bits[layer] for layer in self._scan.layers if bits.get(layer, usual) != usual}
        return self._step.replace(weights=usual, layers=layers, keep=keep)

    def _made(self, bits: dict[str, int]) -> Steps[Candidate]:
        from workbench.recipe import Recipe
        from workbench.storage import pack
        from workbench.technique import Context, prepared

        if self._latest is None or self._latest[0] != bits:
            step, start = self.step_of(bits), self._start
            context = Context(self._work, seed=step_seed(self._seed, 0))
            steps = step.apply(start, context, prepared(step, start, context))
            made, was_stopped = yield from forward(steps, share(0.8, 0.0))
            if was_stopped:
                raise Stopped
            data = pack(made, recipe=Recipe((step,)), original=self._work.baseline, seed=self._seed)
            self._latest, self._sizes[_key(bits)] = (dict(bits), made), len(data)
        return self._latest[1]

    def size(self, bits: dict[str, int]) -> Steps[int]:
        """The length of the packed file."""
        if _key(bits) not in self._sizes:
            yield from self._made(bits)
        size = self._sizes[_key(bits)]
        yield Progress(0.85, 1, f"trying {units.size(size)}")
        return size

    def _drop(self, bits: dict[str, int]) -> Steps[float]:
        """What is lost on all validation data."""
        if (key := _key(bits)) not in self._lost:
            judged = yield from self.judged(bits)
            self._lost[key] = judged.drop
        return self._lost[key]

    def judged(self, bits: dict[str, int]) -> Steps[Judged]:
        """An allocation against the model it starts from, on all validation data."""
        from workbench.measurement.accuracy import evaluating
        from workbench.measurement.pairing import paired

        made = yield from self._made(bits)
        steps = evaluating(self._work, made, "validation")
        found, was_stopped = yield from forward(steps, share(0.85, 0.1, "trying: "))
        if was_stopped:
            raise Stopped
        before = yield from self._judged_before()
        pair = paired(before, found) if found.predictions is not None else None
        return Judged(found.accuracy, pair, found.loss - before.loss)

    def _told(self, drop: float) -> str:
        return f"{100 * drop:g} points" if self._work.is_classification else f"{drop:g}"

    def _judged_before(self) -> Steps[Evaluation]:
        from workbench.measurement.accuracy import evaluating
        from workbench.measurement.baselines import evaluating_baseline

        if self._before is None:
            steps = (
                evaluating_baseline(self._work, "validation")
                if self._is_untouched
                else evaluating(self._work, self._start, "validation")
            )
            found, was_stopped = yield from forward(steps, share(0.8, 0.05))
            if was_stopped:
                raise Stopped
            self._before = found
        return self._before


def share(start: float, share: float, words: str = "") -> Callable[[Progress], Progress]:
    """How a part of the work counts in the whole."""

    def scaled(progress: Progress) -> Progress:
        done = start + share * (progress.fraction or 0.0)
        return Progress(done, 1, words + progress.message, progress.record)

    return scaled


def _key(bits: Mapping[str, int]) -> frozenset[tuple[str, int]]:
    return frozenset(bits.items())
