"""Rounding the weights of a candidate as `Quantize` asks: ranges kept while a slider moves, grids put on."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Protocol

import torch
from torch import Tensor

from workbench.algorithms.quantization.bias_correction import corrected, input_means
from workbench.algorithms.quantization.folding import folded
from workbench.algorithms.quantization.weights_chosen import (
    bits_by_name,
    chosen,
    left_alone,
    short_rows,
    starting,
)
from workbench.algorithms.quantization.weights_layout import Layout
from workbench.algorithms.quantization.weights_ranges import Range
from workbench.algorithms.quantization.weights_signs import zeros_kept
from workbench.candidate import Candidate
from workbench.constraints import Grid, Signs
from workbench.job import Steps
from workbench.layers import Weight, weights

if TYPE_CHECKING:
    from workbench.technique import Context


class Options(Protocol):
    """The options of `Quantize` that say how weights are rounded."""

    weights: int
    granularity: str
    group: int
    symmetric: bool
    range: str
    percentile: float
    layers: Mapping[str, int]
    keep: tuple[str, ...]
    first_last: bool
    bias_correction: bool
    fold_batch_norm: bool
    learned: bool


@dataclass(frozen=True, eq=False)
class Prepared:
    """What a slider does not change; filled as it is asked for.

    Attributes:
        folded: the candidate without its batch norms, where they are folded.
        ranges: by parameter name; means: of the inputs of layers, by path, once they were measured.
    """

    folded: Candidate | None = None
    ranges: dict[str, Range] = field(default_factory=dict)
    means: dict[str, Tensor] = field(default_factory=dict)


def prepared(options: Options, candidate: Candidate, context: Context) -> Prepared:
    """The candidate without its batch norms, where the options ask for that, and room for the rest."""
    return Prepared(folded(candidate, context.work) if options.fold_batch_norm else None)


def rounded(options: Options, candidate: Candidate, context: Context, kept: Prepared) -> Steps[Candidate]:
    """The candidate with its weights on grids; notes say what is left alone and what could not be done."""
    start, ranges, notes = candidate, kept.ranges, []
    if kept.folded is not None and context.only is None:
        start = kept.folded
    elif kept.folded is not None:  # single layers are tried: the others stay as they are
        ranges = {}
        notes.append("batch norms are not folded where single layers are tried")
    every = list(weights(start.model))
    found = chosen(start, options.keep, context.takes)
    bits = bits_by_name(found, every, options.weights, options.layers, options.first_last)
    grids = {}
    for each in found:
        if each.name not in ranges:
            ranges[each.name] = _range(options, start, each)
        grid = ranges[each.name].grid(bits[each.name])
        grids[each.name] = _learning(grid) if options.learned else grid
    made = zeros_kept(start, start.constrained(grids), found)
    if options.bias_correction and context.is_preview:
        notes.append("biases are corrected when this runs, not in a preview")
    elif options.bias_correction:
        if not kept.means:
            kept.means.update((yield from input_means(candidate, context.work)))
        made = corrected(start, made, found, kept.means)
    alone = left_alone(start.model, found) if context.only is None else ()  # a scan knows what it left out
    return made.noting(*alone, *short_rows(options, found), *notes)


def _range(options: Options, candidate: Candidate, each: Weight) -> Range:
    weight = starting(candidate, each.name)
    layout = Layout.of(options.granularity, options.group, weight, each.channel_axis)
    return Range.of(weight, layout, options.range, options.percentile, options.symmetric)


def _learning(grid: Grid | Signs) -> Grid | Signs:
    return replace(grid, gain=torch.ones_like(grid.scale))
