"""The ranges of the trade-off's axes: they move in steps, so that axes rest while a slider moves a mark."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

_FLOORS = (0.99, 0.98, 0.95, 0.9, 0.8, 0.6, 0.0)  # where the accuracy axis may begin
_STEPS = (1, 2, 5)
_REACH = 40  # a log axis begins at least this many times below the baseline


@dataclass(frozen=True)
class Frame:
    """From left to right in the cost's unit, from bottom to top as shares."""

    left: float
    right: float
    bottom: float
    top: float
    is_log: bool

    def across(self, cost: float) -> float:
        """How far to the right a cost lies, from 0 to 1."""
        scale = math.log if self.is_log else float
        return (scale(cost) - scale(self.left)) / (scale(self.right) - scale(self.left))

    def up(self, accuracy: float) -> float:
        """How high an accuracy lies, from 0 to 1."""
        return (accuracy - self.bottom) / (self.top - self.bottom)


def around(costs: Sequence[float], accuracies: Sequence[float], baseline: float, is_log: bool) -> Frame:
    """A frame around these costs (at least one, above zero) and accuracies."""
    floors = [floor for floor in _FLOORS if floor <= min(accuracies, default=0.0) - 0.001]
    bottom = max(floors, default=0.0)
    if not is_log:
        return Frame(0.0, _step_up(1.1 * max(costs)), bottom, 1.0, is_log)
    least = min((baseline or max(costs)) / _REACH, *costs)
    return Frame(_step_down(least / 1.2), _step_up(1.2 * max(costs)), bottom, 1.0, is_log)


def _step_down(value: float) -> float:
    """The next 1, 2 or 5 times a power of ten below."""
    power = 10.0 ** math.floor(math.log10(value))
    return max(step * power for step in _STEPS if step * power <= value * (1 + 1e-9))


def _step_up(value: float) -> float:
    """The next 1, 2 or 5 times a power of ten above."""
    power = 10.0 ** math.floor(math.log10(value))
    return min(step * power for step in (*_STEPS, 10) if step * power >= value * (1 - 1e-9))
