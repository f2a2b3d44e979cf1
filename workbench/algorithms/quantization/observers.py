"""What range a grid of activations gets, from what was seen of them: five ways.

Ranges are `(low, high)` with zero inside. All but the first two keep a histogram whose bins widen as the
range grows, so that data are read once.
"""

from __future__ import annotations

import math
from collections.abc import Callable

import torch
from torch import Tensor

from workbench.activations import affine

CALIBRATIONS = ("minmax", "moving_average", "percentile", "mse", "entropy")
SHARE = 0.9999  # of the values that "percentile" keeps inside, both sides together
_MOMENTUM = 0.1  # of the newest batch, in the moving average
_BINS = 2048  # on each side of zero
_SHRINKS = torch.linspace(0.02, 1.0, 99)  # shares of the range that are tried
_FINEST = 10  # bits; a histogram cannot tell what a finer grid would lose


class Observer:
    """Sees the values of one place, batch by batch, and says what range its grid should have."""

    def __init__(self) -> None:
        self.low = 0.0
        self.high = 0.0
        self.count = 0

    def add(self, values: Tensor) -> None:
        """Count a batch of finite values."""
        if not values.numel():
            return
        low, high = (float(each) for each in values.detach().float().aminmax())
        self._see(values.detach().float(), min(low, 0.0), max(high, 0.0))
        self.count += values.numel()

    def _see(self, values: Tensor, low: float, high: float) -> None:
        self.low, self.high = min(self.low, low), max(self.high, high)

    def range(self, bits: int) -> tuple[float, float]:
        """The range for a grid of so many bits."""
        return self.low, self.high


class MinMax(Observer):
    """Everything that was seen."""


class MovingAverage(Observer):
    """The smallest and largest of each batch, averaged; the newest counts a tenth (Jacob et al. 2018)."""

    def _see(self, values: Tensor, low: float, high: float) -> None:
        share = _MOMENTUM if self.count else 1.0
        self.low += share * (low - self.low)
        self.high += share * (high - self.high)


class Histogram(Observer):
    """How often values fell into bins of one width, with an edge at zero."""

    def __init__(self) -> None:
        super().__init__()
        self.reach = 0.0  # bins cover -reach to reach
        self.counts = torch.zeros(2 * _BINS, dtype=torch.float64)
        self.zeros = 0.0  # exact ones: no grid loses them

    def _see(self, values: Tensor, low: float, high: float) -> None:
        super()._see(values, low, high)
        largest = max(-low, high)
        if largest > 0:
            self._widen(largest)
            found = torch.histc(values, 2 * _BINS, -self.reach, self.reach).double().cpu()
            zeros = float(values.numel() - torch.count_nonzero(values))
            found[_BINS] -= zeros  # the bin that begins at zero
            self.counts += found.clamp_min_(0)
            self.zeros += zeros
        else:
            self.zeros += values.numel()

    def _widen(self, largest: float) -> None:
        if not self.reach:
            self.reach = largest
        while self.reach < largest:
            kept = self.counts.reshape(2, -1, 2).sum(-1)  # pairs become one, from zero outwards
            self.counts = torch.zeros_like(self.counts)
            half = _BINS // 2
            self.counts[_BINS - half : _BINS] = kept[0]
            self.counts[_BINS : _BINS + half] = kept[1]
            self.reach *= 2

    @property
    def centers(self) -> Tensor:
        """The middle of each bin."""
        width = self.reach / _BINS
        return (torch.arange(2 * _BINS, dtype=torch.float64) - _BINS + 0.5) * width


class Percentile(Histogram):
    """So much that 99.99 % of the values lie inside."""

    def range(self, bits: int) -> tuple[float, float]:
        total = float(self.counts.sum()) + self.zeros
        if not self.reach or not total:
            return super().range(bits)
        outside = (1 - SHARE) * total / (2 if self.low < 0 < self.high else 1)
        width = self.reach / _BINS
        above = self.counts[_BINS:].flip(0).cumsum(0)
        below = self.counts[:_BINS].cumsum(0)
        high = self.reach - width * int((above <= outside).sum())
        low = -self.reach + width * int((below <= outside).sum())
        return max(min(low, 0.0), self.low), min(max(high, 0.0), self.high)


class MeanSquare(Histogram):
    """The range whose grid has the smallest squared error, of the values inside and beyond it."""

    def range(self, bits: int) -> tuple[float, float]:
        if not self.reach or bits > _FINEST:
            return super().range(bits)
        return _best(self.low, self.high, lambda low, high: self._error(low, high, bits))

    def _error(self, low: float, high: float, bits: int) -> float:
        scale, zero_point = affine(low, high, bits)
        values, step = self.centers, float(scale)
        codes = torch.round(values / step).clamp_(-zero_point, 2**bits - 1 - zero_point)
        # within a bin values are spread evenly: where it is as wide as a step its middle tells too little
        spread = (self.reach / _BINS) ** 2 / 12
        return float((self.counts * ((codes * step - values) ** 2 + spread)).sum())


class Entropy(Histogram):
    """The range whose rounded histogram tells least apart from the true one: the smallest Kullback-Leibler
    divergence (Migacz 2017, "8-bit inference with TensorRT")."""

    def range(self, bits: int) -> tuple[float, float]:
        if not self.reach or bits > _FINEST:
            return super().range(bits)
        return _best(self.low, self.high, lambda low, high: self._divergence(low, high, bits))

    def _divergence(self, low: float, high: float, bits: int) -> float:
        scale, zero_point = affine(low, high, bits)
        codes = torch.round(self.centers / float(scale)).clamp_(-zero_point, 2**bits - 1 - zero_point)
        levels = (codes + zero_point).long()
        is_inside = (self.centers >= low) & (self.centers <= high)
        true = torch.where(is_inside, self.counts, torch.zeros_like(self.counts))
        filled = (true > 0).double()
        mass = torch.bincount(levels, weights=true, minlength=2**bits)
        places = torch.bincount(levels, weights=filled, minlength=2**bits)
        rounded = filled * (mass / places.clamp_min(1))[levels]
        # what is cut off sits in the last bins of the true one, where the rounded one does not have it
        reference = true.clone()
        inside = torch.nonzero(is_inside).reshape(-1)
        if not len(inside) or not float(mass.sum()):
            return math.inf
        first, last = int(inside[0]), int(inside[-1])
        reference[first] += self.counts[:first].sum()
        reference[last] += self.counts[last + 1 :].sum()
        p, q = reference / reference.sum(), rounded / rounded.sum()
        seen = p > 0
        return float((p[seen] * torch.log(p[seen] / q[seen].clamp_min(1e-12))).sum())


def observer(calibration: str) -> Observer:
    """A new observer of one of the `CALIBRATIONS`."""
    kinds = (MinMax, MovingAverage, Percentile, MeanSquare, Entropy)
    return dict(zip(CALIBRATIONS, kinds, strict=True))[calibration]()


def _best(low: float, high: float, error: Callable[[float, float], float]) -> tuple[float, float]:
    """The range inside `low` to `high` with the smallest error: both ends together, then each on its own."""
    shrinks = [float(each) for each in _SHRINKS]
    found = min(shrinks, key=lambda each: (error(low * each, high * each), -each))
    ends = [low * found, high * found]
    for end in (0, 1) if low < 0 < high else ():
        limit = (low, high)[end]

        def tried(share: float, end: int = end, limit: float = limit) -> float:
            changed = [*ends]
            changed[end] = limit * share
            return error(*changed)

        ends[end] = limit * min(shrinks, key=lambda each: (tried(each), -each))
    return ends[0], ends[1]
