"""What a person selected in a chart, as frozen records made from what the front end sends."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class PointSelection:
    """A mark that was clicked, or the nearest to a click: the values of the selection's fields.

    Attributes:
        is_adding: with the shift key, which adds to what is selected or takes it away.
    """

    chart: str
    name: str
    values: tuple[Mapping[str, Any], ...]
    is_adding: bool = False

    def of(self, field: str) -> tuple[Any, ...]:
        """The values of one field: `selection.of("id")`."""
        return tuple(value[field] for value in self.values if field in value)


@dataclass(frozen=True)
class IntervalSelection:
    """A rectangle that was drawn: from and to per field, in the data's units; empty when it was cleared."""

    chart: str
    name: str
    ranges: Mapping[str, tuple[float, float]]

    def holds(self, row: Mapping[str, Any]) -> bool:
        """Whether a row lies inside; an empty rectangle holds nothing."""
        return bool(self.ranges) and all(
            row.get(field) is not None and low <= row[field] <= high
            for field, (low, high) in self.ranges.items()
        )


Selection = PointSelection | IntervalSelection


def from_front_end(chart: str, name: str, told: Mapping[str, Any]) -> Selection:
    """The record for one selection as the front end tells it.

    Args:
        told: `{"points": [{"id": "3"}]}` or `{"ranges": {"x": [1, 2]}}`.

    Raises:
        ValueError: it is neither.
    """
    if isinstance(told.get("points"), list):
        values = tuple(dict(value) for value in told["points"])
        return PointSelection(chart, name, values, told.get("shift") is True)
    if isinstance(told.get("ranges"), Mapping):
        ranges = {field: (min(ends), max(ends)) for field, ends in told["ranges"].items()}
        return IntervalSelection(chart, name, ranges)
    raise ValueError(f"the selection {name!r} of {chart!r} has neither points nor ranges: {told!r}")
