"""Weights that a shorter floating-point type holds."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import torch
from torch import Tensor

from workbench.constraints.base import Constraint, Straight

NAMES = {"float16": torch.float16, "bfloat16": torch.bfloat16}


@dataclass(frozen=True, eq=False)
class Precision(Constraint):
    """Weights whose values `dtype`, "float16" or "bfloat16", holds exactly; they are computed with in the
    model's own type. What lies beyond the largest finite value becomes that value.
    """

    order: ClassVar[int] = 16
    role: ClassVar[str] = "values"
    dtype: str

    @property
    def bits(self) -> int:
        """Bits of a weight."""
        return 16

    @property
    def type(self) -> torch.dtype:
        """The type as torch has it."""
        return NAMES[self.dtype]

    def narrow(self, weight: Tensor) -> Tensor:
        """The weight in the shorter type."""
        largest = torch.finfo(self.type).max
        return weight.detach().to(self.type).clamp(-largest, largest).add_(0.0)

    def __call__(self, weight: Tensor) -> Tensor:
        rounded = self.narrow(weight).to(weight.dtype)
        return Straight.apply(weight, rounded) if weight.requires_grad else rounded
