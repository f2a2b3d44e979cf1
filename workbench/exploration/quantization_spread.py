"""Calibration repeated with other samples: how far ranges, and accuracy, lie apart by chance."""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass
from html import escape
from statistics import mean
from typing import TYPE_CHECKING, Any

from workbench.errors import RecipeError, shown
from workbench.job import Job, Progress, Steps, Stopped, forward
from workbench.measurement import units

if TYPE_CHECKING:
    from workbench.activations import Affine
    from workbench.algorithms.quantization.calibrating import Spread
    from workbench.candidate import Candidate
    from workbench.measurement.accuracy import Accuracy
    from workbench.technique import Technique
    from workbench.workload import Workload

SEEDS = (0, 1, 2, 3, 4)
_JUDGED = 1000  # validation samples
_HEAD = ("place", "from", "to", "± from", "± to", "step")


@dataclass(frozen=True)
class Calibrations:
    """The same calibration with samples drawn by several seeds.

    Attributes:
        step: what was calibrated, as text. seeds: that were tried, in order.
        places: how far the ends of each range lie apart. accuracies: by seed, on the same validation data;
            empty without classes. losses: by seed.
        is_partial: stopped before the last seed.
    """

    step: str
    seeds: tuple[int, ...]
    places: tuple[Spread, ...]
    accuracies: tuple[Accuracy, ...]
    losses: tuple[float, ...]
    is_partial: bool = False

    @property
    def spread(self) -> float:
        """The best accuracy minus the worst; NaN without classes."""
        values = [each.value for each in self.accuracies]
        return max(values) - min(values) if values else math.nan

    @property
    def widest(self) -> Spread:
        """The place whose range differs most, in steps of its grid."""
        return max(self.places, key=_in_steps)

    @property
    def summary(self) -> str:
        """One sentence: how much of the accuracy is the luck of the samples."""
        told = f"{self.step}, calibrated {len(self.seeds)} times"
        if self.accuracies:
            values = [each.value for each in self.accuracies]
            told += f": {units.share(mean(values))}, from {units.share(min(values))}"
            told += f" to {units.share(max(values))} on {self.accuracies[0].n:,} {self.accuracies[0].split}"
        most = self.widest
        return f"{told}; {most.place} differs most (± {_in_steps(most):.1f} steps)"

    def lines(self) -> list[tuple[str, ...]]:
        """The rows of the table in words, a header first."""
        return [_HEAD, *(_line(each) for each in self.places)]

    def __repr__(self) -> str:
        lines = self.lines()
        widths = [max(len(line[column]) for line in lines) for column in range(len(_HEAD))]
        rows = ("  ".join(c.ljust(w) for c, w in zip(line, widths, strict=True)).rstrip() for line in lines)
        return "\n".join([self.summary, *rows])

    def to_table(self) -> str:
        """The table as HTML."""
        head, *rows = self.lines()
        cells = "".join(f"<th>{escape(each)}</th>" for each in head)
        body = "".join(f"<tr>{''.join(f'<td>{escape(c)}</td>' for c in line)}</tr>" for line in rows)
        return f'<table class="wb-table"><thead><tr>{cells}</tr></thead><tbody>{body}</tbody></table>'

    def _repr_html_(self) -> str:
        return f"<p>{escape(self.summary)}</p>{self.to_table()}"


def calibrations(work: Workload, technique: Technique | str, **options: Any) -> Calibrations:
    """A static `Quantize` calibrated with several draws of the training data; options as for `calibrating`.

    >>> wb.calibrations(work, "Quantize(8, activations=8, samples=64)")    # doctest: +SKIP

    Raises:
        RecipeError, WorkloadError: it calibrates nothing, or there are no data; one line each.
    """
    return Job(lambda: repeating(work, technique, **options), seed=0, threads=work.threads).run()


def repeating(
    work: Workload, technique: Technique | str, *, seeds: Iterable[int] = SEEDS
) -> Steps[Calibrations]:
    """The generator behind `calibrations`; stopped, it tells of the seeds that are done.

    Raises:
        RecipeError: the technique rounds no activations, or only in every call anew.
        Stopped: not one seed was done.
    """
    from workbench.measurement.accuracy import evaluating

    step, seeds = _step(technique), tuple(seeds)
    ranges: list[dict[str, Affine]] = []
    evaluations: list[Any] = []
    is_partial = False
    try:
        for index, seed in enumerate(seeds):

            def scaled(progress: Progress, index: int = index) -> Progress:
                return Progress(index + (progress.fraction or 0.0), len(seeds), progress.message)

            made, was_stopped = yield from forward(_calibrated(work, step, seed), scaled)
            if was_stopped:
                raise Stopped
            evaluation, was_stopped = yield from forward(
                evaluating(work, made, "validation", limit=_JUDGED), scaled
            )
            if was_stopped:
                raise Stopped
            ranges.append(_static(made, step))
            evaluations.append(evaluation)
    except Stopped:
        if not evaluations:
            raise
        is_partial = True
    accuracies = tuple(each.accuracy for each in evaluations if each.accuracy is not None)
    losses = tuple(each.loss for each in evaluations)
    return Calibrations(
        str(step), seeds[: len(evaluations)], _spreads(ranges), accuracies, losses, is_partial
    )


def _calibrated(work: Workload, step: Technique, seed: int) -> Steps[Candidate]:
    from workbench.technique import Context, prepared

    start = work.candidate()
    context = Context(work, seed=seed)
    return (yield from step.apply(start, context, prepared(step, start, context)))


def _static(made: Candidate, step: Technique) -> dict[str, Affine]:
    from workbench.activations import Affine

    found = {place: each for place, each in made.activations.items() if isinstance(each, Affine)}
    if not found:
        raise RecipeError(f"{step} calibrates nothing; give it activations=8 and scheme='static'")
    return found


def _spreads(ranges: list[dict[str, Affine]]) -> tuple[Spread, ...]:
    from workbench.algorithms.quantization.calibrating import spread_of

    first = ranges[0]
    return tuple(
        spread_of(place, [each[place].range for each in ranges if place in each], first[place].bits)
        for place in first
    )


def _step(technique: Technique | str) -> Technique:
    from workbench.recipe import Recipe

    recipe = Recipe.of(technique)
    if len(recipe) != 1:
        raise RecipeError(f"calibrations takes one technique, got {len(recipe)}: {shown(str(recipe))}")
    return recipe.steps[0]


def _in_steps(each: Spread) -> float:
    return max(each.low_spread, each.high_spread) / each.step if each.step else 0.0


def _line(each: Spread) -> tuple[str, ...]:
    figures = (each.low, each.high, each.low_spread, each.high_spread, each.step)
    return each.place, *(f"{figure:.3g}" for figure in figures)
