"""One bit and three values a weight, as `Binarize` and `Ternarize` ask."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Protocol

import torch
from torch import Tensor

from workbench.algorithms.quantization.weights_chosen import (
    FIRST_LAST_BITS,
    chosen,
    left_alone,
    short_rows,
    starting,
)
from workbench.algorithms.quantization.weights_layout import Layout
from workbench.algorithms.quantization.weights_ranges import Range, mean_magnitude, scales, signs
from workbench.candidate import Candidate
from workbench.constraints import Mask, Scaled, Signs, Ternary, spread
from workbench.errors import listed
from workbench.layers import Weight, weights

if TYPE_CHECKING:
    from workbench.technique import Context

_PRUNED = 0.01  # a tensor with a larger share of exact zeros has been pruned, whoever did it


class Options(Protocol):
    """The options that `Binarize` and `Ternarize` share."""

    granularity: str
    group: int
    keep: tuple[str, ...]
    first_last: bool
    learned: bool


def binarized(options: Options, candidate: Candidate, context: Context) -> Candidate:
    """The candidate with every weight its scale or minus it; zeros that were pruned stay, by their mask."""
    found = chosen(candidate, options.keep, context.takes)
    made = _constrained(options, candidate, found, signs)
    return zeros_kept(candidate, made, found)


def ternarized(options: Options, candidate: Candidate, context: Context, threshold: float) -> Candidate:
    """The candidate with every weight minus its scale, zero or its scale."""
    found = chosen(candidate, options.keep, context.takes)

    def ternary(weight: Tensor, layout: Layout) -> Ternary:
        return three_values(weight, layout, threshold)

    return _constrained(options, candidate, found, ternary)


def three_values(weight: Tensor, layout: Layout, threshold: float) -> Ternary:
    """Zero where a magnitude is below `threshold` times the mean one, else the mean of those that are not.

    Li et al. 2016, "Ternary weight networks", section 2.2: that mean is the best scale for a threshold, and
    0.75 is about the best threshold where weights are normal. A mask's zeros do not count.
    """
    limit = mean_magnitude(weight, layout) * threshold
    each = spread(limit, weight.shape, **layout.fields)
    large = torch.where(weight.abs() >= each, weight, torch.zeros_like(weight))
    mean = mean_magnitude(large, layout)
    scale = scales(torch.where(mean > 0, mean, limit), 2)  # none is so large: the threshold alone counts
    in_scales = (limit.float() / scale).clamp(1e-6, 1.0)
    return Ternary(scale, threshold=in_scales, **layout.fields)


def _constrained(
    options: Options, candidate: Candidate, found: list[Weight], make: Callable[[Tensor, Layout], Scaled]
) -> Candidate:
    every = list(weights(candidate.model))
    ends = {every[0].layer, every[-1].layer} if every and options.first_last else set()
    grids = {}
    for each in found:
        weight = starting(candidate, each.name)
        layout = Layout.of(options.granularity, options.group, weight, each.channel_axis)
        if each.layer in ends:
            grid: Scaled = Range.of(weight, layout, "max", 100.0, True).grid(FIRST_LAST_BITS)
        else:
            grid = make(weight, layout)
        grids[each.name] = replace(grid, gain=torch.ones_like(grid.scale)) if options.learned else grid
    made = candidate.constrained(grids)
    return made.noting(*left_alone(candidate.model, found), *short_rows(options, found))


def zeros_kept(before: Candidate, after: Candidate, found: Sequence[Weight]) -> Candidate:
    """`after`, whose weights are signs, with the zeros that were pruned before: one bit has none. A note says
    where masks make them.
    """
    signs_of = [each for each in found if after.constraints.of(each.name, Signs) is not None]
    masks = {each.name: mask for each in signs_of if (mask := _mask(before, each.name)) is not None}
    made = after.constrained(masks) if masks else after
    masked = [each.layer for each in signs_of if made.constraints.of(each.name, Mask) is not None]
    if not masked:
        return made
    note = "one bit has no zero: pruned weights stay zero by their masks, which are stored beside the bits"
    return made.noting(f"{note} ({listed(masked, 6)})")


def _mask(candidate: Candidate, name: str) -> Mask | None:
    """A mask for weights that hold zeros without one: somebody else pruned them. Zeros of a grid are rounded
    weights, which have a sign.
    """
    if candidate.constraints.get(name):
        return None
    weight = candidate.model.get_parameter(name).detach()
    zeros = weight.numel() - int(torch.count_nonzero(weight))
    return Mask(weight != 0) if zeros > _PRUNED * weight.numel() else None
