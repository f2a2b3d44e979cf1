"""Which channels of which layer stay: what a chart of them draws, as plain data."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from torch import Tensor

from workbench.algorithms.channels.records import Group


@dataclass(frozen=True)
class Remains:
    """One group of coupled layers, under the name of its first: for each unit, in order, whether it stays.

    Attributes:
        worth: what each unit is worth by the criterion; empty where it says nothing.
        locked: why none can go, in words; empty where they can.
    """

    name: str
    kept: tuple[bool, ...]
    word: str
    locked: str
    worth: tuple[float, ...] = ()


def remains(
    groups: Sequence[Group], worth: Mapping[str, Tensor], units: Mapping[str, Tensor]
) -> list[Remains]:
    """A record per group, locked ones included, from the units that go."""
    found = []
    for group in groups:
        gone = set(units[group.name].tolist()) if group.name in units else set()
        kept = tuple(unit not in gone for unit in range(group.units))
        worths = tuple(worth[group.name].tolist()) if group.name in worth else ()
        found.append(Remains(group.name, kept, group.word, group.locked, worths))
    return found
