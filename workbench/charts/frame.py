"""The ranges of the trade-off's axes: they move in steps, so that axes rest while a slider moves a mark."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from workbench.measurement.quantities import Unit

# where an axis of shares may begin; it ends a little above one, so that a mark there is whole
_FLOORS = (0.99, 0.98, 0.95, 0.93, 0.9, 0.85, 0.8, 0.7, 0.6, 0.4, 0.2, 0.0)
_ABOVE = 0.06  # of the axis
_STEPS = (1, 2, 5)
_FINE_STEPS = (1, 1.5, 2, 2.5, 3, 4, 5, 6, 8)
_REACH = 40  # a log axis begins at least this many times below the baseline
_EMPTY = {"share": (0.0, 1.0 + _ABOVE), "bytes": (1e3, 1e6), "count": (1e4, 1e7), "J": (1e-6, 1e-3)}
_FAR = 20  # a limit further away than so many times is not brought into sight


@dataclass(frozen=True)
class Span:
    """One axis, in its quantity's unit."""

    low: float
    high: float
    is_log: bool = False

    def at(self, value: float) -> float:
        """How far along the axis a value lies, from 0 to 1."""
        scale = math.log if self.is_log else float
        return (scale(value) - scale(self.low)) / (scale(self.high) - scale(self.low))

    def held(self, value: float) -> float:
        """The value, or the end of the axis it lies beyond."""
        return min(max(value, self.low), self.high)


@dataclass(frozen=True)
class Frame:
    """The two axes."""

    x: Span
    y: Span


def span(
    unit: Unit, values: Sequence[float], baseline: float | None = None, limit: float | None = None
) -> Span:
    """An axis around these values (a log axis takes those above zero).

    Args:
        baseline: its value, to which a log axis leaves room below. limit: brought into sight if it is near.
    """
    values = [each for each in values if not unit.is_log or each > 0]
    if not values:
        return Span(*_EMPTY.get(unit.name, (0.0, 1.0)), unit.is_log)
    values = [*values, *_near(values, limit)]
    if unit.is_log:
        least = min((baseline or max(values)) / _REACH, *values)
        return Span(_step_down(least / 1.2), _step_up(1.2 * max(values)), True)
    if unit.name == "share":
        floors = [floor for floor in _FLOORS if floor <= min(values) - 0.001]
        floor = max(floors, default=0.0)
        return Span(floor, 1.0 + _ABOVE * (1.0 - floor))
    return _linear(min(values), max(values))


def _linear(least: float, most: float) -> Span:
    """From zero, where all lie above and not far from it; else around the values in steps."""
    if least >= 0:
        return Span(0.0, _step_up(1.1 * most, _FINE_STEPS) if most > 0 else 1.0)
    step = _step_down(max((most - least) / 4, -least * 1e-6))
    return Span(math.floor(least / step - 0.5) * step, math.ceil(most / step + 0.5) * step)


def _near(values: Sequence[float], limit: float | None) -> list[float]:
    if limit is None or not limit > 0:
        return []
    return [limit] if min(values) / _FAR <= limit <= max(values) * _FAR else []


def _step_down(value: float) -> float:
    """The next 1, 2 or 5 times a power of ten below."""
    power = 10.0 ** math.floor(math.log10(value))
    return max(step * power for step in _STEPS if step * power <= value * (1 + 1e-9))


def _step_up(value: float, steps: Sequence[float] = _STEPS) -> float:
    """The next of these steps times a power of ten above."""
    power = 10.0 ** math.floor(math.log10(value))
    return min(step * power for step in (*steps, 10) if step * power >= value * (1 - 1e-9))
