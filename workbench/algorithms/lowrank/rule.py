"""How ranks are to be chosen, and what was chosen for a layer."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np

from workbench.algorithms.lowrank.prepared import PreparedLayer
from workbench.algorithms.lowrank.split import Ranks, Split

TARGETS = ("parameters", "macs", "bytes")


@dataclass(frozen=True, eq=False)
class Chosen:
    """A layer, the split it becomes, and its ranks."""

    name: str
    split: Split
    ranks: Ranks

    @property
    def lost(self) -> float:
        """The share of the squared error left."""
        return float(self.split.lost(np.array([self.ranks]))[0])


@dataclass(frozen=True, eq=False)
class Rule:
    """How to choose; the fields are those of `Factorize`. Layers that `only` leaves out are passed over."""

    ratio: float = 0.25
    by: str = "rank"
    where: str = "smaller"
    ranks: Mapping[str, int] | None = None
    keep: tuple[str, ...] = ()
    worth: float = 0.02
    is_slower: Callable[[PreparedLayer, Split, Ranks], bool] | None = None
    only: frozenset[str] | None = None


Picked = Mapping[str, tuple[Chosen | None, str]]  # by layer: the choice, or None and why it stays whole
