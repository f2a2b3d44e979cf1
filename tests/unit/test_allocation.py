"""Strengths per layer for a target: worked examples by eye, and what must hold for any scan."""

from __future__ import annotations

import itertools
import random

import pytest

from workbench.errors import WorkbenchError
from workbench.exploration.allocation import Point, allocate, for_bytes, for_drop, shares
from workbench.exploration.records import Effect
from workbench.measurement.pairing import Paired

# `thick` saves much for little, `thin` little for much
BY_EYE = {
    "thick": [Point(8, 10, 1), Point(4, 20, 3), Point(2, 30, 10)],
    "thin": [Point(8, 1, 5), Point(4, 2, 20)],
}


def effect(layer: str, strength: float, error: float, saved: int = 0, lost: float = 0.0) -> Effect:
    paired = Paired(100, 0, 0, 1.0, -lost, -lost, -lost)
    return Effect(layer, strength, output_error=error, saved_bytes=saved, paired=paired)


def random_points(seed: int) -> dict[str, list[Point]]:
    """Up to four layers with up to four points each, costs in no order."""
    draw = random.Random(seed)
    return {
        f"layer{n}": [
            Point(k, draw.randint(0, 20), draw.choice([0, draw.random()])) for k in range(draw.randint(1, 4))
        ]
        for n in range(draw.randint(1, 4))
    }


def total(points: dict[str, list[Point]], chosen: dict[str, float]) -> tuple[float, float]:
    """What an allocation saves and costs."""
    taken = [next(p for p in points[layer] if p.strength == strength) for layer, strength in chosen.items()]
    return sum(p.saves for p in taken), sum(p.costs for p in taken)


def choices(points: dict[str, list[Point]]) -> list[tuple[float, float]]:
    """Saving and cost of every allocation there is."""
    combinations = itertools.product(*([Point(None, 0, 0), *each] for each in points.values()))
    return [(sum(p.saves for p in each), sum(p.costs for p in each)) for each in combinations]


def test_the_cheapest_steps_come_first():
    assert allocate(BY_EYE, saving=10) == {"thick": 8}
    assert allocate(BY_EYE, saving=20) == {"thick": 4}
    assert allocate(BY_EYE, saving=31) == {"thick": 2, "thin": 8}
    assert allocate(BY_EYE, saving=32) == {"thick": 2, "thin": 4}


def test_nothing_asked_is_nothing_done():
    assert allocate(BY_EYE, saving=0) == {}
    assert allocate({}, saving=0) == {}
    assert allocate(BY_EYE, cost=0.5) == {}


def test_a_cost_is_not_exceeded():
    assert allocate(BY_EYE, cost=3) == {"thick": 4}
    assert allocate(BY_EYE, cost=15) == {"thick": 2, "thin": 8}


def test_a_point_above_the_line_between_its_neighbors_is_passed_over():
    points = {"fc": [Point(0.5, 10, 8), Point(0.9, 20, 9)]}
    assert allocate(points, saving=5) == {"fc": 0.9}  # 0.5 saves half and costs nearly all


def test_a_stronger_setting_that_costs_less_takes_the_place_of_a_weaker_one():
    assert allocate({"fc": [Point(1, 5, 2), Point(2, 9, 1)]}, saving=1) == {"fc": 2}


def test_steps_that_the_last_one_made_needless_are_taken_back():
    points = {"small": [Point(1, 2, 1)], "large": [Point(1, 10, 10)]}
    assert allocate(points, saving=9) == {"large": 1}


def test_between_two_points_the_target_is_met_exactly():
    points = {"fc": [Point(0.5, 50, 1), Point(1.0, 100, 9)]}
    assert allocate(points, saving=75, between=True) == {"fc": pytest.approx(0.75)}
    assert allocate(points, saving=20, between=True) == {"fc": pytest.approx(0.2)}
    assert allocate(points, cost=5, between=True) == {"fc": pytest.approx(0.75)}


def test_too_much_is_refused_in_a_line_that_says_what_could_be_had():
    with pytest.raises(WorkbenchError, match=r"save 32 in all, and 33 is asked for; scan stronger ones"):
        allocate(BY_EYE, saving=33)
    with pytest.raises(TypeError):
        allocate(BY_EYE)


@pytest.mark.parametrize("seed", range(60))
def test_a_saving_is_reached_and_a_cost_is_kept(seed: int):
    points = random_points(seed)
    reachable = sum(max(p.saves for p in each) for each in points.values())
    for wanted in (0.1, 0.5, 0.9, 1.0):
        saved, _ = total(points, allocate(points, saving=wanted * reachable))
        assert saved >= wanted * reachable * (1 - 1e-9)
    for allowed in (0.0, 0.3, 2.0):
        assert total(points, allocate(points, cost=allowed))[1] <= allowed * (1 + 1e-6)


@pytest.mark.parametrize("seed", range(60))
def test_no_other_choice_saves_as_much_for_less_where_the_steps_end(seed: int):
    points = random_points(seed)
    every = choices(points)
    for price in (0.01, 0.05, 0.2):
        chosen = total(points, by_price(points, price))
        reached = total(points, allocate(points, saving=chosen[0]))
        assert reached[1] <= min(c for s, c in every if s >= chosen[0]) + 1e-9


def by_price(points: dict[str, list[Point]], price: float) -> dict[str, float]:
    """Each layer's best point when a unit saved is worth `price` (Everett's multiplier), by trying all."""
    found = {}
    for layer, each in points.items():
        best = max(each, key=lambda p: (price * p.saves - p.costs, p.saves))
        if price * best.saves - best.costs > 0:
            found[layer] = best.strength
    return found


def test_shares_reach_the_total_and_spare_the_layer_that_hurts():
    scan = [effect("a", s, 0.1 * s) for s in (0.5, 0.9)] + [effect("b", s, s) for s in (0.5, 0.9)]
    sizes = {"a": 100, "b": 100}
    for share in (0.0, 0.1, 0.45, 0.7, 0.9, 0.95, 0.99, 1.0):
        found = shares(scan, sizes, share)
        assert sum(found.get(layer, 0) * sizes[layer] for layer in sizes) == pytest.approx(200 * share)
        assert found.get("a", 0) >= found.get("b", 0)
        assert all(0 <= each <= 1 for each in found.values())


def test_above_what_was_scanned_every_layer_keeps_the_same_part():
    scan = [effect("a", 0.9, 0.1), effect("b", 0.8, 1)]
    found = shares(scan, {"a": 100, "b": 100}, 0.925)  # 15 of the 30 that are left
    assert found == {"a": pytest.approx(0.95), "b": pytest.approx(0.9)}


def test_layers_that_were_not_scanned_or_gave_no_numbers_stay_dense():
    scan = [effect("a", 0.9, 0.1), Effect("b", 0.9, problem="NaN")]
    assert shares(scan, {"a": 100, "b": 100, "c": 100}, 0.2) == {"a": pytest.approx(0.6)}
    with pytest.raises(WorkbenchError, match=r"50\.0% of the weights are to be zero, and .* hold 33\.3%"):
        shares(scan, {"a": 100, "b": 100, "c": 100}, 0.5)


def test_bytes_and_drops():
    scan = [
        effect("a", 8, 0.01, saved=75),
        effect("a", 4, 0.1, saved=87, lost=0.01),
        effect("b", 8, 0.02, saved=75),
        effect("b", 4, 0.5, saved=87, lost=0.2),
    ]
    assert for_bytes(scan, 150) == {"a": 8, "b": 8}
    assert for_bytes(scan, 160) == {"a": 4, "b": 8}
    assert for_drop(scan, 0.0) == {"a": 8, "b": 8}
    assert for_drop(scan, 0.02) == {"a": 4, "b": 8}


def test_a_gain_counts_as_no_loss():
    scan = [effect("a", 4, 0.1, 10, lost=-0.5), effect("b", 4, 0.1, 10, lost=0.1)]
    assert for_drop(scan, 0.05) == {"a": 4}
