"""All choices of ranks for one layer with what they cost and lose, and picking from them."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True, eq=False)
class Menu:
    """Choices of ranks, one a row.

    Attributes:
        ranks: whole numbers `(n, k)`.
        parameters, macs: of the factors, `(n,)`.
        lost: share of the squared error left, `(n,)`, 0 to 1.
    """

    ranks: np.ndarray
    parameters: np.ndarray
    macs: np.ndarray
    lost: np.ndarray

    def __len__(self) -> int:
        return len(self.ranks)

    def at(self, index: int) -> tuple[int, ...]:
        """One choice's ranks as plain numbers."""
        return tuple(int(rank) for rank in self.ranks[index])

    def where(self, is_kept: np.ndarray) -> Menu:
        """The choices a bool array keeps."""
        return Menu(self.ranks[is_kept], self.parameters[is_kept], self.macs[is_kept], self.lost[is_kept])

    def cheapest(self, lost: float, cost: str = "parameters") -> int | None:
        """The row that costs least among those that lose at most `lost`; None where there is none."""
        good = np.flatnonzero(self.lost <= lost)
        if not len(good):
            return None
        costs = getattr(self, cost)[good]
        return int(good[np.lexsort((self.lost[good], costs))[0]])

    def frontier(self, cost: str) -> Menu:
        """The choices that nothing beats in both cost and error, by rising cost."""
        order = np.lexsort((self.lost, getattr(self, cost)))
        best = np.minimum.accumulate(self.lost[order])
        is_better = np.append(True, best[1:] < best[:-1])
        return self.where(order[is_better])
