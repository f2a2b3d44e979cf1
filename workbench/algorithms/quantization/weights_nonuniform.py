"""Rounding the weights of a candidate to levels that follow them, as `QuantizeNonUniform` asks."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Protocol

import torch
from torch import Tensor

from workbench.algorithms.clustering import Histogram
from workbench.algorithms.quantization.weights_chosen import (
    bits_by_name,
    chosen,
    left_alone,
    short_rows,
    starting,
)
from workbench.algorithms.quantization.weights_layout import Layout
from workbench.algorithms.quantization.weights_levels import counted, kmeans, normal_float, power_of_two
from workbench.algorithms.quantization.weights_ranges import scales
from workbench.candidate import Candidate
from workbench.constraints import Levels
from workbench.job import Progress, Steps
from workbench.layers import Weight, weights

if TYPE_CHECKING:
    from workbench.technique import Context


class Options(Protocol):
    """The options of `QuantizeNonUniform`."""

    bits: int
    grid: str
    granularity: str
    group: int
    layers: Mapping[str, int]
    keep: tuple[str, ...]
    first_last: bool
    learned: bool


@dataclass(frozen=True, eq=False)
class Prepared:
    """What a slider does not change, by parameter name; filled as it is asked for.

    Attributes:
        layouts, scales: which weights share a scale, and the largest magnitude of these.
        histograms: of weights over their scales. levels: k-means' levels by name and bits.
    """

    layouts: dict[str, Layout] = field(default_factory=dict)
    scales: dict[str, Tensor] = field(default_factory=dict)
    histograms: dict[str, Histogram] = field(default_factory=dict)
    levels: dict[tuple[str, int], Tensor] = field(default_factory=dict)


def rounded(options: Options, candidate: Candidate, context: Context, kept: Prepared) -> Steps[Candidate]:
    """The candidate with its weights on levels; notes say what is left alone."""
    found = chosen(candidate, options.keep, context.takes)
    every = list(weights(candidate.model))
    bits = bits_by_name(found, every, options.bits, options.layers, options.first_last)
    fixed = {"normal_float": normal_float, "power_of_two": power_of_two}.get(options.grid)
    device = found[0].parameter.device if found else "cpu"
    shared = {width: fixed(width).to(device) for width in set(bits.values())} if fixed else {}
    grids = {}
    for index, each in enumerate(found):
        _prepare(options, candidate, each, kept)
        width = bits[each.name]
        levels = shared[width] if shared else _kmeans(candidate, each.name, width, kept)
        scale, layout = kept.scales[each.name], kept.layouts[each.name]
        gain = torch.ones_like(scale) if options.learned else None
        grids[each.name] = Levels(levels, scale, gain=gain, **layout.fields)
        yield Progress(index, len(found), f"{options.bits} bits, {each.layer}")
    yield Progress(1, 1, f"{options.bits} bits")
    made = candidate.constrained(grids)
    alone = left_alone(candidate.model, found) if context.only is None else ()
    return made.noting(*alone, *short_rows(options, found))


def _prepare(options: Options, candidate: Candidate, each: Weight, kept: Prepared) -> None:
    if each.name in kept.scales:
        return
    weight = starting(candidate, each.name)
    layout = Layout.of(options.granularity, options.group, weight, each.channel_axis)
    largest = layout.reduced(weight.abs(), lambda rows: rows.amax(-1))
    kept.layouts[each.name], kept.scales[each.name] = layout, scales(largest, options.bits)


def _kmeans(candidate: Candidate, name: str, bits: int, kept: Prepared) -> Tensor:
    if (name, bits) not in kept.levels:
        if name not in kept.histograms:
            weight = starting(candidate, name)
            plain = Levels(torch.zeros(1), kept.scales[name], **kept.layouts[name].fields)
            kept.histograms[name] = counted(weight / plain.scales(weight.shape))
        levels = kmeans(kept.histograms[name], bits)
        kept.levels[name, bits] = levels.to(kept.scales[name].device)
    return kept.levels[name, bits]
