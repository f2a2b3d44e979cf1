"""What every constraint is."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import torch
from torch import Tensor


@dataclass(frozen=True, eq=False)
class Constraint:
    """Something one parameter's values must satisfy. Chained by rising `order`.

    Class attributes:
        role: what it decides; of constraints with one role a parameter has one, the latest.
        has_own_values: whether the values come from the constraint and not from the weight it is called on:
            training then leaves the weight alone, and what it gives is the parameter's free weight.
    """

    order: ClassVar[int] = 0
    role: ClassVar[str] = ""
    has_own_values: ClassVar[bool] = False

    def __call__(self, weight: Tensor) -> Tensor:
        """The nearest weight that satisfies the constraint; same shape and dtype."""
        raise NotImplementedError

    def learned(self) -> dict[str, Tensor]:
        """The fields that training makes leaves; one tensor in several constraints is learned as one."""
        return {}

    def joined(self, earlier: Constraint) -> Constraint:
        """This constraint where the parameter already has one of the same type."""
        return self

    def settled(self) -> Constraint:
        """This constraint once a training is over."""
        return self


class Straight(torch.autograd.Function):
    """Exactly the rounded values forward (no float residue), the gradient unchanged backward."""

    @staticmethod
    def forward(ctx: object, weight: Tensor, rounded: Tensor) -> Tensor:
        return rounded

    @staticmethod
    def backward(ctx: object, gradient: Tensor) -> tuple[Tensor, None]:
        return gradient, None
