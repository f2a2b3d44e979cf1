"""k-means on a histogram: the error it reaches, and what happens at the edges."""

from __future__ import annotations

import itertools

import numpy as np
import pytest

from workbench.algorithms.clustering import BINS, REMOVED, STARTS, Histogram, cluster, entropy


def normal(count: int, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).normal(0, 0.02, count).astype(np.float32)


def real_error(values: np.ndarray, histogram: Histogram, found) -> float:
    """The squared distance between each weight and the value its table gives it."""
    codes = found.table()[histogram.bins["w"]]
    return float(((values.astype(np.float64) - found.values[codes]) ** 2).sum())


@pytest.mark.parametrize("start", STARTS)
@pytest.mark.parametrize("count", [2, 7, 64, 256])
def test_the_error_it_tells_is_the_error_of_the_table_it_gives(start, count):
    values = normal(20_000)
    histogram = Histogram.of({"w": values})
    found = cluster(histogram, count, start, seed=3)
    assert len(found.values) == count
    assert np.all(np.diff(found.values) > 0)
    assert found.error == pytest.approx(real_error(values, histogram, found), rel=1e-3)


def test_values_are_the_means_of_their_clusters():
    values = normal(5_000)
    histogram = Histogram.of({"w": values})
    found = cluster(histogram, 5)
    codes = found.table()[histogram.bins["w"]]
    for index, value in enumerate(found.values):
        assert value == pytest.approx(values[codes == index].mean(), rel=1e-4, abs=1e-8)


@pytest.mark.parametrize("seed", range(20))
def test_exact_finds_the_best_of_all_clusterings(seed):
    rng = np.random.default_rng(seed)
    size, count = int(rng.integers(2, 11)), int(rng.integers(2, 5))
    values = np.sort(rng.normal(size=size)).astype(np.float32)
    found = cluster(Histogram.of({"w": values}), count, "exact")
    count = min(count, size)
    parts = (
        np.split(values.astype(float), cuts) for cuts in itertools.combinations(range(1, size), count - 1)
    )
    best = min(sum(((part - part.mean()) ** 2).sum() for part in each) for each in parts)
    assert found.error == pytest.approx(best, abs=1e-5)


@pytest.mark.parametrize("start", STARTS)
def test_no_start_beats_exact(start):
    values = np.concatenate([normal(3_000), 30 * normal(20, seed=1)])
    histogram = Histogram.of({"w": values})
    exact = cluster(histogram, 16, "exact").error
    assert exact <= cluster(histogram, 16, start, seed=1).error * (1 + 1e-6)


@pytest.mark.parametrize("start", STARTS)
def test_no_more_values_than_there_are(start):
    values = np.array([1, 1, 2, 3, 3, 3], np.float32)
    found = cluster(Histogram.of({"w": values}), 16, start)
    assert found.values == pytest.approx([1, 2, 3])
    assert found.error == pytest.approx(0, abs=1e-9)


@pytest.mark.parametrize("start", STARTS)
def test_equal_values_and_none_at_all(start):
    same = cluster(Histogram.of({"w": np.full(9, 0.3, np.float32)}), 4, start)
    assert same.values == pytest.approx([0.3])
    assert len(cluster(Histogram.of({"w": np.zeros(0, np.float32)}), 4, start).values) == 0


def test_removed_weights_are_no_clusters_business():
    values = np.array([0, 5, 0, 6, 0, 0], np.float32)
    histogram = Histogram.of({"w": values}, {"w": values != 0})
    assert histogram.total == 2
    assert (histogram.bins["w"] == REMOVED).tolist() == [True, False, True, False, True, True]
    found = cluster(histogram, 2)
    assert found.values == pytest.approx([5, 6])


def test_empty_clusters_move_to_where_the_error_is():
    values = np.concatenate([normal(10_000), np.array([3.0, -3.0], np.float32)])  # linear: nearly all in one
    histogram = Histogram.of({"w": values})
    found = cluster(histogram, 32, "linear")
    counts = np.bincount(found.table()[histogram.bins["w"]], minlength=32)
    assert (counts > 0).all()
    assert found.error < 0.02 * values[:-2].var() * len(values)


def test_random_follows_its_seed():
    histogram = Histogram.of({"w": normal(5_000)})
    again = [cluster(histogram, 8, "random", seed) for seed in (1, 1, 2)]
    assert np.array_equal(again[0].values, again[1].values)
    assert not np.array_equal(again[0].values, again[2].values)


def test_several_arrays_make_one_histogram():
    one, other = normal(1000), 4 * normal(500, seed=1)
    together = Histogram.of({"a": one, "b": other})
    assert together.counts.sum() == 1500
    assert together.counts.shape == (BINS,)
    assert together.sums.sum() == pytest.approx(one.sum(dtype=float) + other.sum(dtype=float))


def test_entropy_of_what_one_can_count_by_eye():
    assert entropy([4, 4]) == 1.0
    assert entropy([8, 0]) == 0.0
    assert entropy([2, 1, 1]) == 1.5
    assert entropy([]) == 0.0
