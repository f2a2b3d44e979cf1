"""How much each layer is to be compressed, so that a target is reached where it hurts least.

From a scan: each layer has points (a strength, what it saves, what it costs). Costs of layers are taken to
add up, which holds while they are small: what an allocation really costs is measured afterwards.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from itertools import pairwise
from typing import TYPE_CHECKING, Any

from workbench.errors import WorkbenchError

if TYPE_CHECKING:
    from workbench.exploration.records import Effect

_CLOSE = 1e-9  # of the target; sums of floats miss it by less


@dataclass(frozen=True)
class Point:
    """One strength of one layer: what it saves (zeros, bytes) and what it costs (error, accuracy)."""

    strength: Any
    saves: float
    costs: float


@dataclass(frozen=True)
class _Step:
    """From one point of a layer's hull to the next."""

    layer: str
    before: Point | None
    after: Point

    @property
    def saves(self) -> float:
        return self.after.saves - (self.before.saves if self.before else 0.0)

    @property
    def costs(self) -> float:
        return self.after.costs - (self.before.costs if self.before else 0.0)

    @property
    def price(self) -> float:
        return self.costs / self.saves


def allocate(
    points: Mapping[str, Iterable[Point]],
    *,
    saving: float | None = None,
    cost: float | None = None,
    between: bool = False,
) -> dict[str, Any]:
    """A strength for each layer that is to be compressed; those that are left alone are not named.

    Greedy by marginal price: of each layer the points on the lower convex hull of cost over saving count, and
    of all layers the step that costs least per saving is taken next. Where it ends no other choice of
    these points saves as much and costs less (Shoham and Gersho 1988, "Efficient bit allocation for an
    arbitrary set of quantizers"; Everett 1963).

    Args:
        points: by layer, in any order. To be left alone (nothing saved, nothing lost) is always a choice.
        saving: what is to be saved in all, at least.
        cost: what may be lost in all, at most; instead of `saving`.
        between: strengths are numbers, and those between two points may be taken: the target is met exactly.
            Otherwise steps that are no longer needed are taken back, the dearest first.

    Raises:
        WorkbenchError: the strongest points together do not save that much.
    """
    if (saving is None) == (cost is None):
        raise TypeError("give one of saving= and cost=")
    steps = sorted(
        (step for layer, each in points.items() for step in _hull(layer, each)), key=lambda step: step.price
    )
    if cost is not None:
        return _within(steps, cost, between)
    taken, left = [], float(saving or 0.0)
    for step in steps:
        if left <= _CLOSE * abs(saving or 1.0):
            break
        taken.append(step)
        left -= step.saves
    if left > _CLOSE * abs(saving or 1.0):
        most = sum(step.saves for step in steps)
        raise WorkbenchError(
            f"the strongest settings that were scanned save {most:,.6g} in all, and {saving:,.6g} is asked "
            "for; scan stronger ones: wb.sensitivity(work, technique, strengths=[...])"
        )
    if not between:
        return _chosen(_needed(taken, -left))
    return _chosen(taken[:-1]) | (_part(taken[-1], 1 + left / taken[-1].saves) if taken else {})


def shares(effects: Iterable[Effect], sizes: Mapping[str, int], share: float) -> dict[str, float]:
    """A share of zeros for each layer, `share` of all weights together; layers left dense are not named.

    The cost of a layer's share is the square of its relative output error: errors of different layers are
    nearly at right angles, so that squares add up. Above what the strongest scanned shares reach, every layer
    keeps the same part of what those leave of it.

    Args:
        effects: of a scan over a technique whose strength is a share of zeros; failed ones are left out.
        sizes: weights by layer; layers that were not scanned stay dense.
        share: of the weights of all `sizes`, from 0 to 1.
    """
    points = {
        layer: [Point(each.strength, each.strength * sizes[layer], each.output_error**2) for each in found]
        for layer, found in _by_layer(effects).items()
        if sizes.get(layer)
    }
    wanted = share * sum(sizes.values())
    reached = sum(max((each.saves for each in found), default=0.0) for found in points.values())
    if wanted <= reached:
        return allocate(points, saving=wanted, between=True)
    strongest = {layer: max(each.strength for each in found) for layer, found in points.items() if found}
    there = sum(sizes[layer] for layer in strongest)
    if wanted > there * (1 + _CLOSE):
        raise WorkbenchError(
            f"{share:.1%} of the weights are to be zero, and the layers that can be pruned hold "
            f"{there / max(sum(sizes.values()), 1):.1%} of them"
        )
    kept = (there - wanted) / (there - reached) if there > reached else 0.0
    return {layer: 1 - (1 - strength) * max(kept, 0.0) for layer, strength in strongest.items()}


def for_bytes(effects: Iterable[Effect], saved: float) -> dict[str, Any]:
    """A strength for each layer, saving at least so many claimed bytes at the least squared output error."""
    return allocate(_by_bytes(effects, lambda each: each.output_error**2), saving=saved)


def for_drop(effects: Iterable[Effect], drop: float) -> dict[str, Any]:
    """A strength for each layer, saving the most bytes while the accuracies lost add up to `drop` at most.

    Of a workload without classes it is the rise of the loss instead. A gain counts as no loss: it is chance
    more often than not.
    """
    return allocate(_by_bytes(effects, lambda each: each.drop), cost=drop)


def _by_layer(effects: Iterable[Effect]) -> dict[str, list[Effect]]:
    found: dict[str, list[Effect]] = {}
    for each in effects:
        if not each.problem and math.isfinite(each.output_error):
            found.setdefault(each.layer, []).append(each)
    return found


def _by_bytes(effects: Iterable[Effect], costs: Any) -> dict[str, list[Point]]:
    return {
        layer: [Point(each.strength, each.saved_bytes, costs(each)) for each in found]
        for layer, found in _by_layer(effects).items()
    }


def _hull(layer: str, points: Iterable[Point]) -> list[_Step]:
    """The steps along the lower convex hull from nothing saved at no cost; prices rise from step to step."""
    hull: list[Point | None] = [None]
    # of equal savings the cheapest; a stronger one that costs less takes the place of a weaker one
    for point in sorted(points, key=lambda each: (each.saves, each.costs)):
        if point.saves <= (hull[-1].saves if hull[-1] else 0.0) or math.isnan(point.costs):
            continue
        point = Point(point.strength, point.saves, max(point.costs, 0.0))
        while hull[-1] is not None and _Step(layer, hull[-2], hull[-1]).price >= _from(hull[-2], point):
            hull.pop()
        hull.append(point)
    return [_Step(layer, a, b) for a, b in pairwise(hull) if b is not None]


def _from(before: Point | None, point: Point) -> float:
    return _Step("", before, point).price


def _within(steps: list[_Step], cost: float, between: bool) -> dict[str, Any]:
    """The cheapest steps as long as the cost allows; a layer whose step is too dear goes no further."""
    taken, ended, left, part = [], set(), cost * (1 + _CLOSE), {}
    for step in steps:
        if step.layer in ended:
            continue
        if step.costs <= left:
            taken.append(step)
            left -= step.costs
            continue
        ended.add(step.layer)
        if between and not part:
            part, left = _part(step, max(left, 0.0) / step.costs), 0.0
    return _chosen(taken) | part


def _needed(taken: list[_Step], spare: float) -> list[_Step]:
    """The steps without those that the last one has made needless, the dearest first."""
    kept = list(taken)
    for step in sorted(taken[:-1], key=lambda each: -each.costs):
        is_last_of_layer = [each for each in kept if each.layer == step.layer][-1] is step
        if is_last_of_layer and step.saves <= spare:
            kept.remove(step)
            spare -= step.saves
    return kept


def _chosen(steps: Iterable[_Step]) -> dict[str, Any]:
    return {step.layer: step.after.strength for step in steps}


def _part(step: _Step, share: float) -> dict[str, Any]:
    """A strength on the way from one point to the next; none where it saves nothing."""
    start = step.before.strength if step.before else 0.0
    return {step.layer: start + share * (step.after.strength - start)} if share > _CLOSE else {}
