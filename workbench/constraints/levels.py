"""Grids that follow the weights: a list of levels, times a scale."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

import torch
from torch import Tensor

from workbench.constraints.scaled import Scaled


@dataclass(frozen=True, eq=False)
class Levels(Scaled):
    """Fixed levels times a scale; a weight goes to the nearest. Unlike a `Codebook`'s, its level may change
    while training, and the levels stay.

    Attributes:
        levels: float32, rising, 1 to 256 of them, zero among them. Parameters may share one tensor.
        scale, group, axis, gain: see `Scaled`.
    """

    order: ClassVar[int] = 12
    levels: Tensor
    scale: Tensor
    group: int = 0
    axis: int = 0
    gain: Tensor | None = None

    @property
    def bits(self) -> int:
        """Bits of one code."""
        return max(1, (len(self.levels) - 1).bit_length())

    @property
    def count(self) -> int:
        """How many levels there are."""
        return len(self.levels)

    @property
    def zero_index(self) -> int | None:
        """Which level is zero."""
        zeros = torch.nonzero(self.levels == 0)
        return int(zeros[0]) if len(zeros) else None

    def nearest(self, ratio: Tensor) -> Tensor:
        """The nearest level, the lower one of two."""
        return self.levels[self._found(ratio)]

    def ends(self, shape: Sequence[int]) -> tuple[Any, Any]:
        """The lowest and the highest level."""
        return self.levels[0], self.levels[-1]

    def indices(self, weight: Tensor) -> Tensor:
        """Which level each weight takes."""
        return self._found(weight / self.scales(weight.shape))

    def of_indices(self, indices: Tensor) -> Tensor:
        """The weights that take these levels."""
        return self.levels[indices].mul_(self.scales(indices.shape)).add_(0.0)

    def _found(self, ratio: Tensor) -> Tensor:
        middles = (self.levels[1:] + self.levels[:-1]) / 2
        return torch.bucketize(ratio.float(), middles, out_int32=True)
