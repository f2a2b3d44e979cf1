"""What rounding does to each layer: the error of its weights and outputs in decibels, and what is clipped.

Signal over noise (SQNR) is the energy of what there was over the energy of what rounding changed: 20 dB are
an error of a tenth, 40 dB of a hundredth; a bit more is worth about 6 dB. It needs no labels, and is known of
each layer alone, which accuracy never is.
"""

from __future__ import annotations

import math
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from workbench.errors import RecipeError, shown
from workbench.exploration.quantization_records import LayerError, RoundingErrors, sqnr
from workbench.job import Job, Progress, Steps, Stopped, forward
from workbench.randomness import step_seed, whole_seed

if TYPE_CHECKING:
    from torch import nn

    from workbench.candidate import Candidate
    from workbench.recipe import Recipe
    from workbench.technique import Technique
    from workbench.versions import Version
    from workbench.workload import Workload

SAMPLES = 64


def weight_errors(candidate: Candidate) -> tuple[LayerError, ...]:
    """The errors of a candidate's weights alone, at once: no data are read."""
    from workbench.exploration.quantization_watch import energies
    from workbench.layers import weights
    from workbench.measurement.size import bits

    found: dict[str, list[Any]] = {}
    for each in weights(candidate.model):
        found.setdefault(each.layer, []).append(each)
    return tuple(
        LayerError(
            layer,
            bits(candidate, max(own, key=lambda each: each.parameter.numel()).name),
            sum(each.parameter.numel() for each in own),
            sqnr(*map(sum, zip(*(energies(candidate, each.name) for each in own), strict=True))),
        )
        for layer, own in found.items()
    )


def rounding_errors(
    work: Workload, rounded: Technique | Recipe | Version | Candidate | str, **options: Any
) -> RoundingErrors:
    """What rounding does to each layer of a workload's model; options as for `comparing`.

    >>> print(wb.rounding_errors(work, "Quantize(4, activations=8)"))      # doctest: +SKIP

    Raises:
        RecipeError, WorkloadError: a step trains, or there are no data; one line each.
    """
    seed = whole_seed(options.get("seed", 0))
    return Job(lambda: comparing(work, rounded, **options), seed=seed, threads=work.threads).run()


def comparing(
    work: Workload,
    rounded: Technique | Recipe | Version | Candidate | str,
    *,
    samples: int = SAMPLES,
    seed: int = 0,
) -> Steps[RoundingErrors]:
    """The generator behind `rounding_errors`; stopped, it tells what the samples so far have shown.

    Args:
        rounded: a technique or a recipe that does not train, or a version or candidate as it is. A version
            keeps rounded weights only: of it the ranges of activations are told, and no noise.
        samples: of the validation data, or of the training data where there are none of those.

    Raises:
        RecipeError, WorkloadError: see `rounding_errors`. Stopped: stopped before anything was known.
    """
    from workbench.exploration.quantization_watch import watching

    if isinstance(samples, bool) or not isinstance(samples, int) or samples < 1:
        raise RecipeError(f"samples must be a whole number above 0, got {shown(samples)}")
    split = "validation" if work.validation is not None else "train"
    data = work.split(split)
    candidate, free, text = yield from _made(work, rounded, seed)
    errors = RoundingErrors(text, weight_errors(candidate), split=split)
    seen, was_stopped = yield from forward(watching(work, candidate, free, data, samples))
    layers = tuple(
        replace(each, outputs=seen.own.get(each.layer, math.nan), arriving=seen.arriving(each.layer))
        for each in errors
    )
    return replace(
        errors, layers=layers, ranges=seen.ranges, outputs=seen.model, n=seen.n, is_partial=was_stopped
    )


def _made(work: Workload, rounded: Any, seed: int) -> Steps[tuple[Candidate, nn.Module | None, str]]:
    """The candidate that is meant, the free model it is compared with, and how it was made, in words."""
    from workbench.candidate import Candidate
    from workbench.exploration.quantization_watch import freed
    from workbench.recipe import Recipe
    from workbench.versions import Version

    if isinstance(rounded, Candidate):
        return rounded, freed(rounded), "a candidate"
    if isinstance(rounded, Version):
        return rounded.candidate, freed(rounded.candidate), str(rounded.recipe)
    recipe = Recipe.of(rounded)
    if trains := [each for each in recipe if each.trains]:
        raise RecipeError(
            f"{trains[0]} trains, which takes long; make a version with wb.compress and give that"
        )
    candidate = yield from _applied(work, recipe, seed)
    uncorrected = Recipe([_uncorrected(each) for each in recipe])
    before = candidate if uncorrected == recipe else (yield from _applied(work, uncorrected, seed))
    return candidate, freed(before), str(recipe)


def _applied(work: Workload, recipe: Recipe, seed: int) -> Steps[Candidate]:
    from workbench.technique import Context, prepared

    candidate = work.candidate()
    for index, step in enumerate(recipe):
        context = Context(work, seed=step_seed(seed, index))
        steps = step.apply(candidate, context, prepared(step, candidate, context))
        candidate, was_stopped = yield from forward(steps, lambda each: Progress(0, 1, each.message))
        if was_stopped:
            raise Stopped
    return candidate


def _uncorrected(step: Technique) -> Technique:
    """A step that leaves biases alone: corrected ones are right for the rounded weights only."""
    return step.replace(bias_correction=False) if getattr(step, "bias_correction", False) else step
