"""How far a share, a difference of shares or a median can be trusted: 95 % intervals and an exact test."""

from __future__ import annotations

import math
from collections.abc import Sequence
from itertools import pairwise

_Z = 1.959963984540054  # the 97.5 % point of the normal distribution


def wilson(successes: int, n: int) -> tuple[float, float]:
    """The 95 % score interval of a share (Wilson 1927); `(0, 1)` where nothing was seen."""
    if n == 0:
        return 0.0, 1.0
    share, spread = successes / n, _Z * _Z / n
    middle = (share + spread / 2) / (1 + spread)
    half = _Z * math.sqrt(share * (1 - share) / n + spread / (4 * n)) / (1 + spread)
    # at 0 and at n the bound is exact; rounding would leave 0.9999999
    low = 0.0 if successes == 0 else max(0.0, middle - half)
    high = 1.0 if successes == n else min(1.0, middle + half)
    return low, high


def mcnemar(lost: int, gained: int) -> float:
    """The exact two-sided p-value that `lost` and `gained` are the same but for chance (McNemar 1947).

    Of the samples on which two models differ, each is as likely lost as gained: a fair coin.
    """
    flips = lost + gained
    term = total = (
        1  # flips over 0, then the sum up to the smaller count; whole numbers, so nothing underflows
    )
    for k in range(min(lost, gained)):
        term = term * (flips - k) // (k + 1)
        total += term
    return min(1.0, 2 * total / 2**flips)


def paired_difference(both: int, lost: int, gained: int, neither: int) -> tuple[float, float]:
    """The 95 % interval of (share after − share before) on the same samples.

    Newcombe 1998, "Improved confidence intervals for the difference between binomial proportions based on
    paired data", method 10: the two Wilson intervals, squared and added, less what the pairs share.
    """
    n = both + lost + gained + neither
    if n == 0:
        return -1.0, 1.0
    before, after = both + lost, both + gained
    low_before, high_before = wilson(before, n)
    low_after, high_after = wilson(after, n)
    shared = _correlation(both, lost, gained, neither)
    difference = (after - before) / n

    def reach(a: float, b: float) -> float:
        return math.sqrt(max(0.0, a * a - 2 * shared * a * b + b * b))

    down = reach(after / n - low_after, high_before - before / n)
    up = reach(high_after - after / n, before / n - low_before)
    return difference - down, difference + up


def median_interval(values: Sequence[float]) -> tuple[float, float]:
    """The 95 % interval of a median, by the ranks a fair coin gives (no shape is assumed).

    Neighbors in time resemble each other; the ranks are those of the smaller number of independent values
    that their lag-one correlation leaves.
    """
    ordered = sorted(values)
    n = len(ordered)
    if n < 3:
        return ordered[0], ordered[-1]
    independent = n * (1 - _lag_one(values)) / (1 + _lag_one(values))
    half = min(0.5, 0.5 * _Z / math.sqrt(max(independent, 1.0)))
    low = max(0, math.floor(n * (0.5 - half)) - 1)
    high = min(n - 1, math.ceil(n * (0.5 + half)))
    return ordered[low], ordered[high]


def quantile(ordered: Sequence[float], share: float) -> float:
    """The value below which `share` of the sorted values lie, interpolated."""
    place = share * (len(ordered) - 1)
    below = math.floor(place)
    above = min(below + 1, len(ordered) - 1)
    return ordered[below] + (place - below) * (ordered[above] - ordered[below])


def _correlation(both: int, lost: int, gained: int, neither: int) -> float:
    """Newcombe's corrected phi: half a count is taken off each corner before it is called positive."""
    n = both + lost + gained + neither
    product = (both + lost) * (gained + neither) * (both + gained) * (lost + neither)
    if product == 0:
        return 0.0
    agreement = both * neither - lost * gained
    if agreement > 0:
        agreement = max(agreement - n / 2, 0)
    return agreement / math.sqrt(product)


def _lag_one(values: Sequence[float]) -> float:
    """The correlation of each value with the next, between 0 and 0.9."""
    middle = quantile(sorted(values), 0.5)
    limit = 4 * quantile(sorted(abs(each - middle) for each in values), 0.5)
    calm = [max(-limit, min(limit, each - middle)) for each in values]  # one outlier must not decide
    power = sum(each * each for each in calm)
    if power == 0:
        return 0.0
    return min(0.9, max(0.0, sum(a * b for a, b in pairwise(calm)) / power))
