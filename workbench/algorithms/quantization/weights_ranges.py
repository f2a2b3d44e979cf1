"""How far the grid of each tensor, channel or group of weights reaches."""

from __future__ import annotations

import math
from dataclasses import dataclass, field

import torch
from torch import Tensor

from workbench.algorithms.quantization.weights_layout import Layout
from workbench.constraints import Grid, Signs, as_float16

_SHORT_BITS = 8  # up to which a scale is rounded to float16: it is off by 2**-11 of itself at most
_SAMPLE = 512  # weights of a scale that are looked at while a range is sought
_SHARES = tuple(i / 20 for i in range(4, 20))  # of the largest weight, tried as the end of the range


@dataclass(frozen=True, eq=False)
class Range:
    """The range of one tensor's weights, and the grids on it.

    Attributes:
        weight: what is rounded; layout: which of it share a scale.
        low, high: the ends for each scale, zero between them; equal and opposite where symmetric.
        is_sought: whether the range that gives the least squared error is sought for each number of bits.
    """

    weight: Tensor
    layout: Layout
    low: Tensor
    high: Tensor
    is_symmetric: bool
    is_sought: bool = False
    found: dict[int, Grid] = field(default_factory=dict)

    @classmethod
    def of(cls, weight: Tensor, layout: Layout, rule: str, percentile: float, symmetric: bool) -> Range:
        """The range by a rule: to the largest weight, to a percentile, or with the least squared error."""
        low, high = _ends(weight, layout, percentile if rule == "percentile" else 100.0, symmetric)
        return cls(weight, layout, low.float(), high.float(), symmetric, rule == "mse")

    def grid(self, bits: int) -> Grid | Signs:
        """The grid of so many bits; one bit, symmetric, are the signs times the mean magnitude."""
        if bits == 1 and self.is_symmetric:
            return signs(self.weight, self.layout)
        if bits not in self.found:
            low, high = self.low, self.high
            if self.is_sought:
                share = self.layout.reduced(self.weight, lambda rows: _share(rows, bits, self.is_symmetric))
                low, high = low * share, high * share
            scale, zero = steps(low, high, bits, self.is_symmetric)
            self.found[bits] = Grid(bits, scale, zero=zero, **self.layout.fields)
        return self.found[bits]


def steps(low: Tensor, high: Tensor, bits: int, symmetric: bool) -> tuple[Tensor, Tensor | None]:
    """The scale and the zero point of grids from `low` to `high`, which lie on both sides of zero or on it.

    With zero points (not symmetric) the scale is rounded up, so that no weight is clipped by more than the
    half step that moving zero to a whole code takes (Jacob et al. 2018, "Quantization and training of neural
    networks for efficient integer-arithmetic-only inference", section 3).
    """
    if symmetric:
        return scales(high / (2 ** (bits - 1) - 1), bits), None
    top = 2**bits - 1
    scale = scales((high - low) / top, bits, is_upward=True)
    return scale, torch.round(-low / scale).clamp_(0, top).to(torch.int32)


def scales(scale: Tensor, bits: int, is_upward: bool = False) -> Tensor:
    """Scales as they are used: positive, and up to 8 bits rounded to float16, so that they take two bytes."""
    # weights that are all zero (or denormal) have no range: any positive scale keeps their zeros
    scale = torch.where(
        scale > torch.finfo(torch.float32).tiny, scale.float(), torch.ones_like(scale).float()
    )
    largest = torch.finfo(torch.float16).max
    fits = bool((scale >= torch.finfo(torch.float16).tiny).all()) and bool((scale <= largest).all())
    if bits > _SHORT_BITS or not fits:
        return scale
    short = as_float16(scale)
    if is_upward:
        above = torch.nextafter(short.half(), torch.full_like(short, largest).half()).float()
        short = torch.where(short < scale, above, short)
    return short


def signs(weight: Tensor, layout: Layout) -> Signs:
    """Signs times the mean magnitude of the weights that are not zero, which gives the least squared error
    (Rastegari et al. 2016, "XNOR-Net", section 3.1).
    """
    return Signs(scales(mean_magnitude(weight, layout), 1), **layout.fields)


def mean_magnitude(weight: Tensor, layout: Layout) -> Tensor:
    """The mean magnitude of the weights that share a scale, less zeros; zero where all are."""
    magnitudes = weight.abs()
    total = layout.reduced(magnitudes, lambda rows: rows.sum(-1))
    count = layout.reduced((magnitudes > 0).float(), lambda rows: rows.sum(-1))
    return total / count.clamp_min(1)


def _ends(weight: Tensor, layout: Layout, percentile: float, symmetric: bool) -> tuple[Tensor, Tensor]:
    if symmetric:
        high = layout.reduced(weight.abs(), lambda rows: _upper(rows, percentile))
        return -high, high
    low = layout.reduced(-weight, lambda rows: _upper(rows, percentile))
    high = layout.reduced(weight, lambda rows: _upper(rows, percentile))
    return -low.clamp_min(0), high.clamp_min(0)


def _upper(rows: Tensor, percentile: float) -> Tensor:
    """The value below which so many percent of each row lie."""
    if percentile >= 100:
        return rows.amax(-1)
    rank = max(1, math.ceil(rows.shape[-1] * percentile / 100))
    return rows.kthvalue(rank, -1).values


def _share(rows: Tensor, bits: int, symmetric: bool) -> Tensor:
    """The share of each row's whole range that gives the least squared error; sought on a sample, and not the
    whole only where the error over all weights falls.
    """
    ends = [-_upper(rows.abs(), 100.0), _upper(rows.abs(), 100.0)]
    if not symmetric:
        ends = [rows.amin(-1).clamp_max(0), rows.amax(-1).clamp_min(0)]
    sample = rows[..., :: max(1, rows.shape[-1] // _SAMPLE)]
    share = torch.ones_like(ends[0])
    least = _error(sample, *ends, bits, symmetric)
    for tried in _SHARES:
        error = _error(sample, *(each * tried for each in ends), bits, symmetric)
        share = torch.where(error < least, tried, share)
        least = torch.minimum(error, least)
    whole = _error(rows, *ends, bits, symmetric)
    narrow = _error(rows, *(each * share for each in ends), bits, symmetric)
    return torch.where(narrow < whole, share, 1.0)


def _error(rows: Tensor, low: Tensor, high: Tensor, bits: int, symmetric: bool) -> Tensor:
    """The sum of squared rounding errors of each row."""
    scale, zero = steps(low[..., None], high[..., None], bits, symmetric)
    return torch.square(Grid(bits, scale, zero=zero)(rows) - rows).sum(-1)
