"""Bits for each layer, so that a size or an accuracy is met where it hurts least.

A scan rounds one layer at a time at each width and sees how far the model's outputs move. Of all choices that
save so many bytes the one with the least squared error is taken (`knapsack`), and what it really weighs and
really loses is measured: errors of layers add up only while they are small. Wang et al. 2019, "HAQ", and Dong
et al. 2019, "HAWQ", search the same space with other costs.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from html import escape
from typing import TYPE_CHECKING, Any

from workbench.errors import RecipeError, listed, shown
from workbench.exploration.mixed_trials import Judged, Target, Trial, share
from workbench.exploration.sensitivity import SAMPLES, scanning
from workbench.job import Job, Steps, Stopped, forward
from workbench.measurement import units
from workbench.randomness import whole_seed

if TYPE_CHECKING:
    from workbench.candidate import Candidate
    from workbench.exploration.records import Sensitivity
    from workbench.measurement.accuracy import Accuracy
    from workbench.recipe import Recipe
    from workbench.technique import Technique
    from workbench.workload import Workload

BITS = (8, 6, 5, 4, 3, 2)


@dataclass(frozen=True)
class Mixed:
    """Bits for each layer, and what they cost as measured.

    Attributes:
        step: the recipe's step: `Quantize(weights=8, layers={'fc1': 3, ...})`.
        bits: by layer; 32 for one that keeps its precision.
        stored: bytes of the packed file.
        judged: accuracy and paired test on all validation data, on which it was also chosen: what is promised
            of new data is the report of the version, on test data.
        max_size, max_drop: what was asked for. scan: what the choice rests on.
    """

    step: Technique
    bits: Mapping[str, int]
    stored: int
    judged: Judged
    scan: Sensitivity = field(repr=False)
    max_size: int | None = None
    max_drop: float | None = None

    @property
    def recipe(self) -> Recipe:
        """The step as a recipe."""
        from workbench.recipe import Recipe

        return Recipe((self.step,))

    @property
    def accuracy(self) -> Accuracy | None:
        """On the validation data; None without classes."""
        return self.judged.accuracy

    @property
    def drop(self) -> float:
        """What is lost on the validation data: accuracy as a share, or loss where there are no classes."""
        return self.judged.drop

    @property
    def summary(self) -> str:
        """One sentence: size, accuracy, and where the bits go."""
        told, pair = f"{units.size(self.stored)} stored", self.judged.paired
        if pair is not None:
            seen = "" if pair.is_seen else ", no difference seen"
            told += f", {self.accuracy} ({units.points(pair.difference)} points{seen})"
        else:
            told += f", loss {units.signed(self.judged.loss_change, 4)}"
        return f"{told}: {listed(f'{layer} {_width(bits)}' for layer, bits in self.bits.items())}"

    def __repr__(self) -> str:
        return f"{self.summary}\n{self.step}"

    def _repr_html_(self) -> str:
        return f"<p>{escape(self.summary)}</p><pre>{escape(str(self.step))}</pre>"


def mixed_precision(
    work: Workload, technique: Technique | Recipe | str = "Quantize", **options: Any
) -> Mixed:
    """Bits for each layer that reach a target; options as for `mixing`.

    >>> mixed = wb.mixed_precision(work, max_size="30 KB")     # doctest: +SKIP
    >>> wb.compress(work, mixed.step)                          # or mixed.recipe | wb.FineTune(epochs=2)

    Raises:
        RecipeError, WorkloadError, WorkbenchError: one line that says what to do.
    """
    return job(work, technique, **options).run()


def job(work: Workload, technique: Technique | Recipe | str = "Quantize", **options: Any) -> Job[Mixed]:
    """The same as a `Job`, to start in a worker thread, watch and stop."""
    seed = whole_seed(options.get("seed", 0))
    return Job(lambda: mixing(work, technique, **options), seed=seed, threads=work.threads)


def mixing(
    work: Workload,
    technique: Technique | Recipe | str = "Quantize",
    *,
    max_size: float | str | None = None,
    max_drop: float | None = None,
    bits: Iterable[int] = BITS,
    samples: int = SAMPLES,
    seed: int = 0,
    start: Candidate | None = None,
) -> Steps[Mixed]:
    """The generator behind `mixed_precision`; a scan that was stopped goes on when it is asked for again.

    Args:
        technique: `Quantize` with its other options: those hold for all layers.
        max_size: bytes of the packed file at most, as a number or as `"30 KB"`.
        max_drop: accuracy that may be lost on the validation data, as a share (0.005 is half a point); of a
            workload without classes, the loss that may be added. With both, the smallest file that loses no
            more, which must be small enough.
        bits: the widths to choose from. samples: that the scan looks at.
        start: the candidate that is rounded, and that losses are counted from; the untouched model where it
            is not given. What was scanned of it is not remembered.

    Raises:
        RecipeError: nothing is asked for, or not what can be. WorkloadError: there are no validation data.
        WorkbenchError: the target cannot be reached; the line says how far one gets.
        Stopped: before there was anything to keep.
    """
    step, target = _step(technique), _target(max_size, max_drop, work.is_classification)
    widths = sorted({*bits}, reverse=True)
    scan, was_stopped = yield from forward(
        scanning(work, step, strengths=widths, samples=samples, seed=seed, start=start), share(0.0, 0.8)
    )
    if was_stopped:  # half a scan would leave the other layers as they are
        raise Stopped
    trial = Trial(work, step, scan, seed, start)
    if target.drop is not None:
        chosen = yield from trial.smallest(target)
    else:
        chosen = yield from trial.best(target)
    stored = yield from trial.size(chosen)
    judged = yield from trial.judged(chosen)
    by_layer = {layer: chosen.get(layer, 32) for layer in scan.layers}
    return Mixed(trial.step_of(chosen), by_layer, stored, judged, scan, target.size, target.drop)


def _step(technique: Technique | Recipe | str) -> Technique:
    """The step meant: one that rounds weights, with bits of its own for each layer."""
    from workbench.recipe import Recipe
    from workbench.technique import Technique, find

    if isinstance(technique, type) and issubclass(technique, Technique):
        technique = technique()
    if isinstance(technique, str) and "(" not in technique:
        technique = find(technique.strip())()
    recipe = Recipe.of(technique)
    if len(recipe) != 1 or not all(hasattr(recipe.steps[0], name) for name in ("weights", "layers", "keep")):
        raise RecipeError(f"mixed precision chooses the bits of one Quantize, got {shown(str(recipe))}")
    (step,) = recipe
    return step.replace(layers={}, first_last=False)


def _target(max_size: float | str | None, max_drop: float | None, is_share: bool) -> Target:
    if max_size is None and max_drop is None:
        raise RecipeError(
            "mixed precision needs a target: max_size='30 KB', or max_drop=0.005 for half a point"
        )
    size = None if max_size is None else units.bytes_of(max_size)
    if max_size is not None and size is None:
        raise RecipeError(f"max_size must be bytes like 30_000 or '30 KB', got {shown(max_size)}")
    is_number = isinstance(max_drop, (int, float)) and not isinstance(max_drop, bool)
    if max_drop is not None and not (is_number and max_drop >= 0 and (max_drop < 1 or not is_share)):
        wanted = (
            "a share from 0 to below 1; half a point is 0.005" if is_share else "a loss that may be added"
        )
        raise RecipeError(f"max_drop must be {wanted}, got {shown(max_drop)}")
    return Target(size, max_drop)


def _width(bits: int) -> str:
    return "whole" if bits >= 32 else f"{bits}"
