"""The Pareto front of marks: those that no other beats in one quantity without losing in the other."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

Row = Mapping[str, Any]


def front(marks: Sequence[Row], is_higher_better: tuple[bool, bool]) -> list[Row]:
    """The marks on the front by their `x` and `y`, from the least x to the greatest; ties once, the first."""
    right, up = (1 if each else -1 for each in is_higher_better)
    best_first = sorted(marks, key=lambda mark: (-right * mark["x"], -up * mark["y"]))
    kept: list[Row] = []
    for mark in best_first:
        if not kept or up * mark["y"] > up * kept[-1]["y"]:
            kept.append(mark)
    return sorted(kept, key=lambda mark: mark["x"])


def steps(kept: Sequence[Row], is_higher_better: tuple[bool, bool]) -> list[tuple[float, float]]:
    """The line along a front: between two of its marks only what the worse of them reaches is shown.

    A straight line between two marks would promise versions that nobody has made.
    """
    is_right = is_higher_better[0]
    points: list[tuple[float, float]] = []
    for mark in kept:
        if points:
            before = points[-1]
            points.append((before[0], mark["y"]) if is_right else (mark["x"], before[1]))
        points.append((mark["x"], mark["y"]))
    return points
