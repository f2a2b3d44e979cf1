"""How many singular values stand out of noise: variational Bayesian matrix factorization in closed form.

Nakajima, Sugiyama, Babacan and Tomioka 2013, "Global analytic solution of fully-observed variational Bayesian
matrix factorization", JMLR 14: the empirical VB solution keeps the singular values above a threshold that
depends on the noise alone (theorem 2), and the noise is the minimum of a function of one variable between two
bounds (theorem 3).
"""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np

_TAU = 2.5129  # the root of the paper's equation for small alpha, an accurate approximation for all


def rank(singular_values: np.ndarray, rows: int, columns: int, noise: float | None = None) -> int:
    """The rank of a noisy matrix.

    Args:
        singular_values: all `min(rows, columns)` of them, in any order.
        noise: the variance of a noisy entry; estimated where it is not given.

    Returns:
        how many singular values are signal: 0 where all of it looks like noise.
    """
    small, large = sorted((rows, columns))
    values = np.sort(np.asarray(singular_values, dtype=np.float64))[::-1]
    if not len(values) or values[0] <= 0:
        return 0
    scale = math.sqrt(float(np.square(values).sum()) / (small * large))  # entries of about 1: no underflow
    values = values / scale
    variance = noise / scale**2 if noise is not None else _noise(values, small, large)
    alpha = small / large
    tau = _TAU * math.sqrt(alpha)
    threshold = math.sqrt(large * variance * (1 + tau) * (1 + alpha / tau))
    return int((values > threshold).sum())


def _noise(values: np.ndarray, small: int, large: int) -> float:
    """The variance that maximizes the evidence."""
    alpha = small / large
    tau = _TAU * math.sqrt(alpha)
    edge = (1 + tau) * (1 + alpha / tau)
    squares = np.square(values)
    most = min(math.ceil(small / (1 + alpha)) - 1, small)  # no more components can be signal
    highest = float(squares.sum()) / (small * large)
    beyond = squares[most:] if most < small else squares[-1:]
    lowest = max(float(beyond[0]) / (large * edge), float(beyond.mean()) / large)
    if not 0 < lowest < highest:
        return max(min(lowest, highest), np.finfo(np.float64).tiny)
    return _minimum(lambda v: _free_energy(v, squares, small, large, edge), lowest, highest)


def _free_energy(variance: float, squares: np.ndarray, small: int, large: int, edge: float) -> float:
    alpha = small / large
    x = np.maximum(squares, np.finfo(np.float64).tiny) / (large * variance)
    noise, signal = x[x <= edge], x[x > edge]
    shifted = signal - (1 + alpha)
    tau = 0.5 * (shifted + np.sqrt(np.maximum(shifted**2 - 4 * alpha, 0)))
    energy = np.sum(noise - np.log(noise)) + np.sum(signal - tau)
    energy += np.sum(np.log((tau + 1) / signal)) + alpha * np.sum(np.log(tau / alpha + 1))
    return float(energy)


def _minimum(function: Callable[[float], float], low: float, high: float) -> float:
    """Where a function of one variable is smallest: a grid in the logarithm, then golden section."""
    grid = np.geomspace(low, high, 65)
    best = int(np.argmin([function(float(each)) for each in grid]))
    low, high = math.log(grid[max(best - 1, 0)]), math.log(grid[min(best + 1, len(grid) - 1)])
    golden = (math.sqrt(5) - 1) / 2
    for _ in range(40):
        left, right = high - golden * (high - low), low + golden * (high - low)
        if function(math.exp(left)) < function(math.exp(right)):
            high = right
        else:
            low = left
    return math.exp((low + high) / 2)
