"""Few values for many weights: k-means in one dimension, on a histogram that is counted once.

A slider asks for many numbers of clusters over the same weights. So the weights are sorted into 65,535 bins
once (`Histogram`); every fit then works on the bins alone, and a table from bin to cluster gives each weight
its code. A bin is a 65,535th of the weights' range wide, to which the boundaries of clusters are rounded.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

import numpy as np

BINS = 65_535
REMOVED = BINS  # the bin of weights that a mask removed: not a cluster's business
STARTS = ("density", "linear", "random", "exact")

_CHUNK = 1 << 16  # values at a time, so that they stay in the processor's cache
_MOST_ROUNDS = 200
_GAIN = 1e-5  # a round that lowers the error by less than this share is the last
_EXACT_POINTS = 4096
_STRIDE = -(-BINS // _EXACT_POINTS)  # bins taken together where 65,535 are too many


@dataclass(frozen=True, eq=False)
class Histogram:
    """Values sorted into bins.

    Attributes:
        low: the lowest value; width: of a bin.
        counts, sums: float64, how many values each bin holds, and their sum.
        squares: the sum of all squared values.
        bins: uint16, flat: the bin of each value, by the name of its array; `REMOVED` for those left out.
    """

    low: float
    width: float
    counts: np.ndarray
    sums: np.ndarray
    squares: float
    bins: Mapping[str, np.ndarray]

    @classmethod
    def of(cls, arrays: Mapping[str, np.ndarray], kept: Mapping[str, np.ndarray] | None = None) -> Histogram:
        """The histogram of some arrays (float32) together; `kept` (bool, by name) says which values count."""
        kept = kept or {}
        given = [
            array.reshape(-1)[kept[name].reshape(-1)] if name in kept else array.reshape(-1)
            for name, array in arrays.items()
        ]
        low = min((float(each.min()) for each in given if each.size), default=0.0)
        high = max((float(each.max()) for each in given if each.size), default=0.0)
        width = (high - low) / BINS or 1.0
        counts, sums, squares, bins = np.zeros(BINS + 1), np.zeros(BINS + 1), 0.0, {}
        for name, array in arrays.items():
            bins[name] = _binned(array.reshape(-1), low, width, kept.get(name))
            counts += np.bincount(bins[name], minlength=BINS + 1)
            sums += np.bincount(bins[name], weights=array.reshape(-1), minlength=BINS + 1)
        for each in given:
            squares += _squares(each)
        return cls(low, width, counts[:BINS], sums[:BINS], squares, bins)

    def coarse(self, count: int) -> tuple[list[float], float, float]:
        """How many values lie in each of `count` equally wide bins, and between which values they lie."""
        edges = np.linspace(0, BINS, count + 1).astype(np.int64)[:-1]
        return np.add.reduceat(self.counts, edges).tolist(), self.low, self.low + self.width * BINS

    @property
    def total(self) -> int:
        """How many values there are."""
        return int(self.counts.sum())


@dataclass(frozen=True, eq=False)
class Clusters:
    """Values that stand for many, in rising order, and which bins each one stands for.

    Attributes:
        values: float64.
        starts: the first bin of each cluster.
        error: the sum of squared distances between the weights and the values that stand for them.
    """

    values: np.ndarray
    starts: np.ndarray
    error: float

    def table(self) -> np.ndarray:
        """uint8, from bin to cluster; 0 for `REMOVED`."""
        if not len(self.values):
            return np.zeros(BINS + 1, np.uint8)
        lengths = np.diff(self.starts, append=BINS)
        return np.append(np.repeat(np.arange(len(self.values), dtype=np.uint8), lengths), np.uint8(0))


def cluster(histogram: Histogram, count: int, start: str = "density", seed: int = 0) -> Clusters:
    """At most `count` values that stand for all of a histogram's with little squared error (k-means).

    Lloyd's rounds from a start after Han et al. 2016 ("Deep Compression", section 3.2). `linear` spaces the
    first values evenly over the range; `density` as the cube root of the density asks, which is best where
    clusters are many (Panter and Dite 1951, "Quantization distortion in pulse-count modulation"); `random`
    draws them. `exact` needs no start: dynamic programming finds the best of all clusterings (Wang and Song
    2011, "Ckmeans.1d.dp"), on 4,096 points where there are more. A value that comes to stand for nothing
    moves into the cluster with the largest error; with fewer distinct values than clusters there are as many
    clusters as values.
    """
    count = min(count, int(np.count_nonzero(histogram.counts)))
    if not count:
        return Clusters(np.zeros(0), np.zeros(0, np.int64), 0.0)
    sums = _Sums(histogram)
    if start == "exact":
        return sums.settled(_exact_starts(histogram, count))
    return sums.settled(sums.starts(_first_values(histogram, count, start, seed)))


class _Sums:
    """Cumulated counts and sums: what any run of bins holds, in two look-ups."""

    def __init__(self, histogram: Histogram) -> None:
        self.histogram = histogram
        self.counts = np.concatenate([[0.0], np.cumsum(histogram.counts)])
        self.sums = np.concatenate([[0.0], np.cumsum(histogram.sums)])
        middles = histogram.low + histogram.width * (np.arange(BINS) + 0.5)
        self.squares = np.concatenate([[0.0], np.cumsum(histogram.counts * middles**2)])

    def starts(self, values: np.ndarray) -> np.ndarray:
        """The first bin of each cluster when every value is given to the nearest of `values` (rising)."""
        middles = (values[1:] + values[:-1]) / 2
        cuts = np.rint((middles - self.histogram.low) / self.histogram.width).astype(np.int64)
        return np.concatenate([[0], np.clip(cuts, 0, BINS)])

    def held(self, starts: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """How many values each cluster holds, and their sums."""
        ends = np.append(starts[1:], BINS)
        return self.counts[ends] - self.counts[starts], self.sums[ends] - self.sums[starts]

    def settled(self, starts: np.ndarray) -> Clusters:
        """Lloyd's rounds until the error falls no more."""
        error, best = np.inf, None
        for _ in range(_MOST_ROUNDS):
            counts, sums = self.held(starts)
            if (empty := counts == 0).any():
                starts = self.starts(self._refilled(starts, counts, sums, empty))
                continue
            values = sums / counts
            lowered = max(0.0, self.histogram.squares - float(np.dot(values, sums)))
            if best is None or lowered < best.error:
                best = Clusters(values, starts, lowered)
            if error - lowered <= _GAIN * lowered:
                break
            error, starts = lowered, self.starts(values)
        return best if best is not None else self._merged(starts)

    def _refilled(
        self, starts: np.ndarray, counts: np.ndarray, sums: np.ndarray, empty: np.ndarray
    ) -> np.ndarray:
        """The clusters' values, those of empty ones moved into the clusters with the largest error."""
        ends = np.append(starts[1:], BINS)
        some = np.maximum(counts, 1)
        means = sums / some
        spread = np.maximum(self.squares[ends] - self.squares[starts] - counts * means**2, 0)
        worst = np.argsort(-spread, kind="stable")[: int(empty.sum())]
        moved = means[worst] + np.maximum(np.sqrt(spread[worst] / some[worst]), 0.6 * self.histogram.width)
        return np.sort(np.concatenate([means[~empty], moved]))

    def _merged(self, starts: np.ndarray) -> Clusters:
        """The clusters that are not empty (values that lie in very few bins may leave some without any)."""
        counts, sums = self.held(starts)
        kept = counts > 0
        starts = starts[kept]
        starts[0] = 0
        values = sums[kept] / counts[kept]
        return Clusters(values, starts, max(0.0, self.histogram.squares - float(np.dot(values, sums[kept]))))


def _first_values(histogram: Histogram, count: int, start: str, seed: int) -> np.ndarray:
    if start == "linear":
        return histogram.low + histogram.width * BINS * (np.arange(count) + 0.5) / count
    if start == "random":
        ranks = np.sort(np.random.default_rng(seed).random(count))
        bins = np.searchsorted(np.cumsum(histogram.counts), ranks * histogram.total)
        return histogram.low + histogram.width * (bins + 0.5)
    edges = np.append(np.arange(0, BINS, _STRIDE), BINS)
    roots = np.concatenate([[0.0], np.cumsum(np.cbrt(np.add.reduceat(histogram.counts, edges[:-1])))])
    places = np.interp((np.arange(count) + 0.5) / count * roots[-1], roots, edges)
    return histogram.low + histogram.width * places


def _exact_starts(histogram: Histogram, count: int) -> np.ndarray:
    """The first bins of the clusters with the least error."""
    points = np.flatnonzero(histogram.counts)
    if len(points) > _EXACT_POINTS:
        points = np.unique(points // _STRIDE) * _STRIDE
    counts = np.add.reduceat(histogram.counts, points)
    sums = np.add.reduceat(histogram.sums, points)
    totals = [np.concatenate([[0.0], np.cumsum(each)]) for each in (counts, sums)]
    errors = _error_of_one(totals, np.zeros(len(points) + 1, np.int64), np.arange(len(points) + 1))
    choices = []
    for _ in range(count - 1):
        errors, chosen = _one_more(totals, errors)
        choices.append(chosen)
    ends = [len(points)]
    for chosen in reversed(choices):
        ends.append(int(chosen[ends[-1]]))
    starts = points[np.array(ends[:0:-1], np.int64)]
    return np.concatenate([[0], starts])


def _error_of_one(totals: list[np.ndarray], first: np.ndarray, last: np.ndarray) -> np.ndarray:
    """What one cluster over points [first, last) adds to the error, less the sum of squares (a constant)."""
    counts, sums = (each[last] - each[first] for each in totals)
    return -(sums**2) / np.maximum(counts, 1)


def _one_more(totals: list[np.ndarray], errors: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The least error over points [0, end) with one cluster more, and where its last cluster begins, by end.

    Where the last cluster begins rises with its end: the ends are taken in finer and finer steps, and each
    beginning is sought between the answers of its neighbors, all ends of one step together.
    """
    size = len(errors)
    best, chosen = np.full(size, np.inf), np.zeros(size, np.int64)
    best[0] = 0.0
    step = 1 << (size - 1).bit_length()
    while step:
        ends = np.arange(step, size, 2 * step) if step < size else np.array([], np.int64)
        if len(ends):
            lowest = chosen[ends - step]
            above = np.minimum(ends + step, size)
            highest = np.where(above < size, chosen[np.minimum(above, size - 1)], ends)
            best[ends], chosen[ends] = _least(totals, errors, ends, lowest, np.minimum(highest, ends))
        step //= 2
    return best, chosen


def _least(
    totals: list[np.ndarray], errors: np.ndarray, ends: np.ndarray, lowest: np.ndarray, highest: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """For each end the best beginning between `lowest` and `highest`, the first of equals."""
    lengths = np.maximum(highest - lowest, 0) + 1
    first = np.cumsum(lengths) - lengths
    places = np.arange(lengths.sum()) - np.repeat(first - lowest, lengths)
    tried = errors[places] + _error_of_one(totals, places, np.repeat(ends, lengths))
    least = np.minimum.reduceat(tried, first)
    hits = np.flatnonzero(tried == np.repeat(least, lengths))
    return least, places[hits[np.searchsorted(hits, first)]]


def _binned(values: np.ndarray, low: float, width: float, kept: np.ndarray | None) -> np.ndarray:
    bins = np.empty(values.size, np.uint16)
    scale, offset = np.float32(1 / width), np.float32(low)
    for at in range(0, values.size, _CHUNK):
        part = np.minimum((values[at : at + _CHUNK] - offset) * scale, np.float32(BINS - 1))
        bins[at : at + _CHUNK] = np.maximum(part, 0)
    if kept is not None:
        bins[~kept.reshape(-1)] = REMOVED
    return bins


def _squares(values: np.ndarray) -> float:
    parts = (values[at : at + _CHUNK].astype(np.float64) for at in range(0, values.size, _CHUNK))
    return float(sum(np.dot(part, part) for part in parts))


def entropy(counts: Iterable[float] | np.ndarray) -> float:
    """Bits per symbol that no code of single symbols goes below (order-0 entropy)."""
    counts = np.asarray(list(counts) if not isinstance(counts, np.ndarray) else counts, np.float64)
    counts = counts[counts > 0]
    total = counts.sum()
    return float(np.log2(total) - (counts * np.log2(counts)).sum() / total) if total else 0.0
