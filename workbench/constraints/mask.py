"""Which weights may differ from zero."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import torch
from torch import Tensor

from workbench.constraints.base import Constraint, Straight


@dataclass(frozen=True, eq=False)
class Mask(Constraint):
    """Which weights may differ from zero.

    Attributes:
        keep: bool, of the weight's shape.
        is_open: while a schedule may still take weights back, those that are masked train on, by the gradient
            at zero (Lin et al. 2020, "Dynamic Model Pruning with Feedback").
    """

    order: ClassVar[int] = 100
    role: ClassVar[str] = "zeros"
    keep: Tensor
    is_open: bool = False

    def __call__(self, weight: Tensor) -> Tensor:
        zero = torch.zeros((), dtype=weight.dtype, device=weight.device)
        if self.is_open and weight.requires_grad:
            return Straight.apply(weight, torch.where(self.keep, weight.detach(), zero))
        return torch.where(self.keep, weight, zero)

    def settled(self) -> Mask:
        """The mask, closed."""
        return Mask(self.keep) if self.is_open else self

    def joined(self, earlier: Constraint) -> Constraint:
        """What one mask removed, a later one does not bring back."""
        return Mask(self.keep & earlier.keep) if isinstance(earlier, Mask) else self
