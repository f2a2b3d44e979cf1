"""One strength for each layer, saving so much at the least cost: the best choice of all, not only on hulls.

Where layers are few and one of them holds most of the bytes, a step along its hull is too long to end near a
target; then other layers must give what is missing. That is a knapsack with one choice for each layer, solved
over savings counted in small units (Kellerer, Pferschy and Pisinger 2004, "Knapsack problems", chapter 11).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from workbench.exploration.allocation import Point

_UNITS = 1 << 14  # that what can be saved is counted in


def cheapest(points: Mapping[str, Sequence[Point]], saving: float) -> dict[str, Any]:
    """A strength for each layer, saving at least so much in all at the least cost.

    Savings are rounded down to a unit, a 16384th of what layers can save more than they must: what is
    chosen may save a unit a layer more than is needed, never less. Beyond what can be saved the strongest
    are chosen.

    Args:
        points: by layer, one or more each: there is no other choice.
    """
    must = {layer: min(each.saves for each in found) for layer, found in points.items()}
    unit = sum(max(each.saves for each in found) - must[layer] for layer, found in points.items()) / _UNITS
    weights = {
        layer: [int((each.saves - must[layer]) // unit) if unit else 0 for each in found]
        for layer, found in points.items()
    }
    left = max(saving - sum(must.values()), 0.0)
    most = sum(max(each) for each in weights.values())
    wanted = min(int(np.ceil(left / unit)), most) if unit else 0
    least = np.full(wanted + 1, np.inf)  # the least cost of saving at least so many units
    least[0] = 0.0
    chosen: dict[str, np.ndarray] = {}
    for layer, found in points.items():
        tried = np.stack(
            [_after(least, weight) + each.costs for weight, each in zip(weights[layer], found, strict=True)]
        )
        chosen[layer] = tried.argmin(0)
        least = tried.min(0)
    return _traced(points, weights, chosen, wanted)


def _after(least: np.ndarray, weight: int) -> np.ndarray:
    """The cost of what is left to be saved once so many units are."""
    left = np.maximum(np.arange(len(least)) - weight, 0)
    return least[left]


def _traced(
    points: Mapping[str, Sequence[Point]],
    weights: Mapping[str, list[int]],
    chosen: Mapping[str, np.ndarray],
    wanted: int,
) -> dict[str, Any]:
    """The choices that led to the end, from the last layer to the first."""
    found: dict[str, Any] = {}
    for layer in reversed(list(points)):
        index = int(chosen[layer][wanted])
        found[layer] = points[layer][index].strength
        wanted = max(wanted - weights[layer][index], 0)
    return {layer: found[layer] for layer in points}
