"""What weights must satisfy, beside a plain model: masks and rounding grids, and the order they chain in.

A constraint is a record by parameter name. Called on a weight it gives the nearest weight that satisfies it;
where it rounds, gradients pass straight through, so that training can go on from the free weights. Masks
come last in the chain and every grid maps zero to zero, so zeros survive rounding and training.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import ClassVar, TypeVar

import torch
from torch import Tensor


@dataclass(frozen=True, eq=False)
class Constraint:
    """Something one parameter's values must satisfy. Chained by rising `order`."""

    order: ClassVar[int] = 0

    def __call__(self, weight: Tensor) -> Tensor:
        """The nearest weight that satisfies the constraint; same shape and dtype."""
        raise NotImplementedError

    def joined(self, earlier: Constraint) -> Constraint:
        """This constraint where the parameter already has one of the same type."""
        return self


@dataclass(frozen=True, eq=False)
class Grid(Constraint):
    """A symmetric uniform grid: whole multiples of a scale.

    Attributes:
        bits: 2 to 16; codes run from `-(2**(bits-1) - 1)` to `2**(bits-1) - 1`.
        scale: float32, positive, broadcastable to the weight (one value, or one per output channel).
    """

    order: ClassVar[int] = 10
    bits: int
    scale: Tensor

    @property
    def top(self) -> int:
        """The largest code."""
        return 2 ** (self.bits - 1) - 1

    def codes(self, weight: Tensor) -> Tensor:
        """The whole number each weight is rounded to; int32, same shape."""
        return torch.round(weight / self.scale).clamp_(-self.top, self.top).to(torch.int32)

    def __call__(self, weight: Tensor) -> Tensor:
        rounded = torch.round(weight / self.scale).clamp_(-self.top, self.top).mul_(self.scale)
        rounded += 0.0  # no negative zeros: the file stores codes, which have one zero
        if not weight.requires_grad:
            return rounded
        return _Straight.apply(weight, rounded)


class _Straight(torch.autograd.Function):
    """Exactly the rounded values forward (no float residue), the gradient unchanged backward."""

    @staticmethod
    def forward(ctx: object, weight: Tensor, rounded: Tensor) -> Tensor:
        return rounded

    @staticmethod
    def backward(ctx: object, gradient: Tensor) -> tuple[Tensor, None]:
        return gradient, None


@dataclass(frozen=True, eq=False)
class Mask(Constraint):
    """Which weights may differ from zero. `keep` is bool, of the weight's shape."""

    order: ClassVar[int] = 100
    keep: Tensor

    def __call__(self, weight: Tensor) -> Tensor:
        return torch.where(self.keep, weight, torch.zeros((), dtype=weight.dtype, device=weight.device))

    def joined(self, earlier: Constraint) -> Constraint:
        """What one mask removed, a later one does not bring back."""
        return Mask(self.keep & earlier.keep) if isinstance(earlier, Mask) else self


C = TypeVar("C", bound=Constraint)


@dataclass(frozen=True, eq=False)
class Constraints(Mapping[str, tuple[Constraint, ...]]):
    """Constraints by parameter name, each parameter's in chain order. Immutable."""

    by_name: Mapping[str, tuple[Constraint, ...]] = field(default_factory=dict)

    def __getitem__(self, name: str) -> tuple[Constraint, ...]:
        return self.by_name[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self.by_name)

    def __len__(self) -> int:
        return len(self.by_name)

    def adding(self, new: Mapping[str, Constraint]) -> Constraints:
        """These and the new ones; a new one takes the place of an earlier one of its type."""
        chains = dict(self.by_name)
        for name, constraint in new.items():
            chain = list(chains.get(name, ()))
            earlier = next((each for each in chain if type(each) is type(constraint)), None)
            if earlier is not None:
                chain.remove(earlier)
                constraint = constraint.joined(earlier)
            chains[name] = tuple(sorted([*chain, constraint], key=lambda each: each.order))
        return Constraints(chains)

    def without(self, kind: type[Constraint]) -> Constraints:
        """These, less all of one type."""
        kept = {name: tuple(c for c in chain if type(c) is not kind) for name, chain in self.items()}
        return Constraints({name: chain for name, chain in kept.items() if chain})

    def of(self, name: str, kind: type[C]) -> C | None:
        """The constraint of one type on a parameter, or None."""
        return next((each for each in self.by_name.get(name, ()) if type(each) is kind), None)

    def constrain(self, name: str, weight: Tensor) -> Tensor:
        """`weight` with the parameter's whole chain applied."""
        for constraint in self.by_name.get(name, ()):
            weight = constraint(weight)
        return weight
