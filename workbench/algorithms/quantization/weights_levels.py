"""Levels that follow weights: normal-float, powers of two, and k-means; all rise from -1 to 1, with zero."""

from __future__ import annotations

from statistics import NormalDist

import numpy as np
import torch
from torch import Tensor

from workbench.algorithms.clustering import BINS, Histogram, cluster

_MOST_POWERS = 31  # so that the smallest level times a scale is still a normal number
_ROUNDS = 50
_EXACT_BITS = 5  # the best clustering takes under 0.1 s up to here, and most of a second at 8 bits
_FEW = 50_000  # weights for which a start by density is too rough


def normal_float(bits: int) -> Tensor:
    """Levels at quantiles of the normal distribution, so that normal weights take each about equally often:
    `2**(bits-1)` above zero, zero, and one less below it.

    NF4 for 4 bits (Dettmers et al. 2023, "QLoRA", section 3 and appendix E); other widths by the same
    construction. The outermost quantiles are as far from 0 and 1 as half a level's share on either side.
    """
    normal, half = NormalDist(), 2 ** (bits - 1)
    outermost = 1 - (1 / (4 * half) + 1 / (4 * half - 2)) / 2
    above = [normal.inv_cdf(p) for p in np.linspace(outermost, 0.5, half + 1)[:-1].tolist()]
    below = [-normal.inv_cdf(p) for p in np.linspace(outermost, 0.5, half)[:-1].tolist()]
    levels = torch.tensor(sorted([*above, 0.0, *below]), dtype=torch.float64)
    return (levels / levels.abs().max()).float()


def power_of_two(bits: int) -> Tensor:
    """Zero and plus and minus 1, 1/2, 1/4, ...: multiplying by one is shifting bits (Zhou et al. 2017,
    "Incremental network quantization"). At most 31 powers.
    """
    powers = 2.0 ** -torch.arange(min(2 ** (bits - 1) - 1, _MOST_POWERS)).double()
    return torch.cat([-powers, torch.zeros(1), powers.flip(0)]).float()


def counted(ratios: Tensor) -> Histogram:
    """Weights over their scales, counted for `kmeans`; zeros do not count, they have their level anyway."""
    array = ratios.detach().cpu().float().reshape(-1).numpy()
    return Histogram.of({"ratios": array}, {"ratios": array != 0})


def kmeans(histogram: Histogram, bits: int) -> Tensor:
    """The `2**bits` levels with the least squared error, one of them zero: k-means, then the center next to
    zero is put there and the others settle around it.
    """
    is_quick = bits <= _EXACT_BITS or histogram.total <= _FEW
    found = cluster(histogram, 2**bits, "exact" if is_quick else "density").values
    # a level is left where there are fewer different weights than levels, or none
    values = np.sort(np.append(found, 0.0)) if len(found) < 2**bits else found.copy()
    at_zero = int(np.argmin(np.abs(values)))
    values[at_zero] = 0.0
    middles = histogram.low + histogram.width * (np.arange(BINS) + 0.5)
    for _ in range(_ROUNDS):
        taken = np.searchsorted((values[1:] + values[:-1]) / 2, middles)
        counts = np.bincount(taken, histogram.counts, len(values))
        sums = np.bincount(taken, histogram.sums, len(values))
        moved = np.where(counts > 0, sums / np.maximum(counts, 1), values)
        moved[at_zero] = 0.0
        if np.allclose(moved, values, rtol=0, atol=1e-5):
            break
        values = np.sort(moved)
        at_zero = int(np.argmin(np.abs(values)))
    return torch.unique(torch.from_numpy(values).float())
