"""One bit a weight: its sign, times a scale."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

import torch
from torch import Tensor

from workbench.constraints.scaled import FAR, Scaled


@dataclass(frozen=True, eq=False)
class Signs(Scaled):
    """Every weight is its scale or minus its scale: the uniform grid of one bit. It has no zero: zeros are
    the mask's, which comes later in the chain. The sign of zero is plus.

    Attributes:
        scale, group, axis, gain: see `Scaled`.
    """

    order: ClassVar[int] = 14
    scale: Tensor
    group: int = 0
    axis: int = 0
    gain: Tensor | None = None

    @property
    def bits(self) -> int:
        """Bits of one code."""
        return 1

    @property
    def count(self) -> int:
        """Plus and minus."""
        return 2

    def nearest(self, ratio: Tensor) -> Tensor:
        """One, or minus one."""
        return (ratio >= 0).float().mul_(2).sub_(1)

    def ends(self, shape: Sequence[int]) -> tuple[Any, Any]:
        """The range in which gradients pass: a weight that far out would not change its sign for long, and
        must not run away (the clip of Courbariaux et al. 2015, "BinaryConnect", in scales)."""
        return -FAR, FAR

    def slope(self, number: Tensor, ratio: Tensor, inside: Tensor) -> Tensor:
        """The sign: with two values there is no rounding error that a larger scale would shrink."""
        return number

    def indices(self, weight: Tensor) -> Tensor:
        """1 where the weight is not negative."""
        return (weight >= 0).to(torch.int32)

    def of_indices(self, indices: Tensor) -> Tensor:
        """The weights with these signs."""
        return (2 * indices - 1).float().mul_(self.scales(indices.shape))
