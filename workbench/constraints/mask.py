"""Which weights may differ from zero."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import torch
from torch import Tensor

from workbench.constraints.base import Constraint


@dataclass(frozen=True, eq=False)
class Mask(Constraint):
    """Which weights may differ from zero. `keep` is bool, of the weight's shape."""

    order: ClassVar[int] = 100
    role: ClassVar[str] = "zeros"
    keep: Tensor

    def __call__(self, weight: Tensor) -> Tensor:
        return torch.where(self.keep, weight, torch.zeros((), dtype=weight.dtype, device=weight.device))

    def joined(self, earlier: Constraint) -> Constraint:
        """What one mask removed, a later one does not bring back."""
        return Mask(self.keep & earlier.keep) if isinstance(earlier, Mask) else self
