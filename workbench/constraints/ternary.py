"""Three values a weight: minus its scale, zero, its scale."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

import torch
from torch import Tensor

from workbench.constraints.scaled import FAR, Scaled, spread


@dataclass(frozen=True, eq=False)
class Ternary(Scaled):
    """Every weight is minus its scale, zero or its scale: zero where its magnitude is below the threshold.

    Attributes:
        scale, group, axis, gain: see `Scaled`.
        threshold: in scales, above 0 and at most 1, of the scale's shape or one number. A half is the nearest
            of the three, which a file gives back: it keeps values and not what they were made from.
    """

    order: ClassVar[int] = 13
    scale: Tensor
    group: int = 0
    axis: int = 0
    gain: Tensor | None = None
    threshold: Tensor | float = 0.5

    @property
    def bits(self) -> int:
        """Bits of one code."""
        return 2

    @property
    def count(self) -> int:
        """Minus, zero and plus."""
        return 3

    @property
    def zero_index(self) -> int | None:
        """The one in the middle."""
        return 1

    def nearest(self, ratio: Tensor) -> Tensor:
        """One, minus one, or zero between the thresholds."""
        threshold = self.threshold
        if isinstance(threshold, Tensor):
            threshold = spread(threshold, ratio.shape, self.group, self.axis)
        return torch.sign(ratio).mul_(ratio.abs() >= threshold)

    def ends(self, shape: Sequence[int]) -> tuple[Any, Any]:
        """The range in which gradients pass, as for `Signs`."""
        return -FAR, FAR

    def slope(self, number: Tensor, ratio: Tensor, inside: Tensor) -> Tensor:
        """The number: a scale gets the gradients of the weights that have it, after their signs (Zhu et al.
        2017, "Trained ternary quantization", section 3.2)."""
        return number

    def indices(self, weight: Tensor) -> Tensor:
        """0, 1 or 2."""
        return self.nearest(weight / self.scales(weight.shape)).to(torch.int32).add_(1)

    def of_indices(self, indices: Tensor) -> Tensor:
        """The weights with these indices."""
        return (indices - 1).float().mul_(self.scales(indices.shape)).add_(0.0)

    def sampled(self, shape: Sequence[int], step: int) -> Ternary:
        """The same for every `step`-th weight, of values that are rounded already."""
        return Ternary(super().sampled(shape, step).scale)
