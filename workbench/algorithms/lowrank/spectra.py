"""What a person looks at before choosing a rank: each layer's spectrum, its rank and its break-evens."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from workbench.algorithms.lowrank import timing
from workbench.algorithms.lowrank.layers import Whole
from workbench.algorithms.lowrank.prepared import Prepared
from workbench.algorithms.lowrank.rule import Chosen
from workbench.algorithms.lowrank.split import Split


@dataclass(frozen=True, eq=False)
class LayerSpectrum:
    """One side of one layer's split.

    Attributes:
        name, method: the layer, and how it is or would be split.
        side: `out` or `in` channels for Tucker; otherwise empty.
        energies: the share of the squared error that each rank explains, falling, `(full,)`.
        rank: chosen; None where the layer stays whole.
        larger_above: the rank above which the split layer has more parameters than it had.
        slower_above: the rank above which it is slower as measured here; None where it was not measured.
        reason: why it stays whole, or nothing.
    """

    name: str
    method: str
    side: str
    energies: np.ndarray
    rank: int | None
    larger_above: int
    slower_above: int | None = None
    reason: str = ""

    @property
    def full(self) -> int:
        """The rank at which nothing is lost."""
        return len(self.energies)

    @property
    def kept(self) -> float:
        """The share of the energy that the chosen rank keeps; 1 for a whole layer."""
        return 1.0 if self.rank is None else float(self.energies[: self.rank].sum())


def spectra(
    prepared: Prepared, chosen: list[Chosen], whole: list[Whole], *, measured: bool = False
) -> list[LayerSpectrum]:
    """The spectra of every layer that can be split, in the model's own order.

    Args:
        measured: time the layers too (once), for `slower_above`.
    """
    choices = {each.name: each for each in chosen}
    reasons = {each.name: each.reason for each in whole}
    found = []
    for each in prepared.layers:
        choice = choices.get(each.name)
        split = choice.split if choice else next(iter(each.splits.values()))
        timed = timing.curve(each, split) if measured else each.curves.get(split.method)
        larger, slower = split.break_even, timed.break_even if timed else None
        for index, spectrum in enumerate(split.spectra()):
            found.append(
                LayerSpectrum(
                    each.name,
                    split.method,
                    spectrum.side,
                    spectrum.energies,
                    choice.ranks[index] if choice else None,
                    _side(split, larger, index),
                    None if slower is None else _side(split, slower, index),
                    reasons.get(each.name, ""),
                )
            )
    return found


def _side(split: Split, rank: int, index: int) -> int:
    """The rank of one side that goes with a first rank."""
    return split.scaled(rank)[index] if rank else 0
