"""What is seen of one layer when it is looked at, as records: its kernels, its spectrum."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

Tile = Sequence[Sequence[float]]


@dataclass(frozen=True)
class Singular:
    """The singular values of one layer's weight, outputs by inputs.

    Attributes:
        energies: the share of the squared weights that each rank holds, falling; of the original.
        rank: between the thin layers it is split into; None where it is whole.
        now: the singular values of what it is now, over the largest of the original; empty where the same.
    """

    energies: Sequence[float]
    rank: int | None = None
    now: Sequence[float] = ()


@dataclass(frozen=True)
class Kernels:
    """Rows of kernels of one layer.

    Attributes:
        now, before: tiles, row by row; infinity where a row has no more.
        limit: the largest absolute weight: what the ends of a colour scale stand for.
        outputs, inputs: how many the layer has; the first of them are shown.
    """

    name: str
    now: Sequence[Sequence[Tile]]
    before: Sequence[Sequence[Tile]]
    limit: float
    outputs: int
    inputs: int
    note: str = ""

    @property
    def is_changed(self) -> bool:
        """Whether there is anything to compare."""
        return self.now != self.before

    @property
    def title(self) -> str:
        """What the rows and columns are, and how many of all are shown."""
        rows, columns = len(self.now), len(self.now[0]) if self.now else 0
        if self.inputs == 1:
            shown = sum(not math.isinf(tile[0][0]) for row in self.now for tile in row)
            told = f"kernels of {_of(shown, self.outputs, 'outputs')}"
        else:
            told = (
                f"rows: {_of(rows, self.outputs, 'outputs')}, columns: {_of(columns, self.inputs, 'inputs')}"
            )
        return f"{told}; {self.note}" if self.note else told


def _of(shown: int, there: int, word: str) -> str:
    return f"the first {shown} of {there:,} {word}" if shown < there else f"{there} {word}"
