"""What weights must satisfy, beside a plain model: masks, grids and codebooks, and the order they chain in.

A constraint is a record by parameter name. Called on a weight it gives the nearest weight that satisfies it;
where it rounds, gradients pass straight through, so that training can go on from the free weights. Masks
come last in the chain and every grid maps zero to zero, so zeros survive rounding and training. A constraint
may hold tensors that training learns beside the weights, or instead of them (`learned`).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import Any, ClassVar, TypeVar

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


@dataclass(frozen=True, eq=False)
class Grid(Constraint):
    """A symmetric uniform grid: whole multiples of a scale.

    Attributes:
        bits: 2 to 16; codes run from `-(2**(bits-1) - 1)` to `2**(bits-1) - 1`.
        scale: float32, positive, broadcastable to the weight (one value, or one per output channel).
    """

    order: ClassVar[int] = 10
    role: ClassVar[str] = "values"
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
        # in float32 whatever the weight's precision, as a file computes it from its codes and scales
        rounded = torch.round(weight.detach() / self.scale).clamp_(-self.top, self.top).float()
        rounded = rounded.mul_(self.scale).add_(0.0)  # no negative zeros: codes have one zero
        rounded = rounded.to(weight.dtype)
        return _Straight.apply(weight, rounded) if weight.requires_grad else rounded


class _Straight(torch.autograd.Function):
    """Exactly the rounded values forward (no float residue), the gradient unchanged backward."""

    @staticmethod
    def forward(ctx: object, weight: Tensor, rounded: Tensor) -> Tensor:
        return rounded

    @staticmethod
    def backward(ctx: object, gradient: Tensor) -> tuple[Tensor, None]:
        return gradient, None


@dataclass(frozen=True, eq=False)
class Codebook(Constraint):
    """Few values shared by many weights: each weight is a number in a list of values.

    Which value a weight takes is fixed; the values are learned, each by the summed gradient of its weights
    (Han et al. 2016, "Deep Compression", section 3.3). Codebooks of several parameters that hold the same
    `values` tensor are one codebook.

    Attributes:
        values: float32, one dimension, 1 to 256 of them, free; weights take them rounded to float16, so that
            a stored file gives back the very same bits.
        codes: uint8, of the weight's shape.
    """

    order: ClassVar[int] = 20
    role: ClassVar[str] = "values"
    has_own_values: ClassVar[bool] = True
    values: Tensor
    codes: Tensor

    @property
    def bits(self) -> int:
        """Bits of one code."""
        return max(1, (len(self.values) - 1).bit_length())

    @property
    def shared(self) -> Tensor:
        """The values as weights take them: float32 that float16 holds exactly, without negative zeros."""
        return as_float16(self.values.detach())

    def __call__(self, weight: Tensor) -> Tensor:
        return _Looked.apply(self.values, self.codes).to(weight.dtype)

    def learned(self) -> dict[str, Tensor]:
        return {"values": self.values}


def as_float16(values: Tensor) -> Tensor:
    """The nearest values that float16 holds, as float32; the largest finite one for what lies beyond."""
    largest = torch.finfo(torch.float16).max
    return values.clamp(-largest, largest).half().float() + 0.0


class _Looked(torch.autograd.Function):
    """Rounded values by code forward; backward each value gets the sum of its weights' gradients."""

    @staticmethod
    def forward(ctx: Any, values: Tensor, codes: Tensor) -> Tensor:
        ctx.save_for_backward(codes)
        ctx.count = len(values)
        return as_float16(values)[codes.int()]

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor, None]:
        (codes,) = ctx.saved_tensors
        sums = torch.bincount(codes.reshape(-1), weights=gradient.reshape(-1), minlength=ctx.count)
        return sums.to(gradient.dtype), None


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
        """These and the new ones; a new one takes the place of an earlier one of its type, or of its role."""
        chains = dict(self.by_name)
        for name, constraint in new.items():
            chain = list(chains.get(name, ()))
            earlier = next((each for each in chain if _is_one_place(each, constraint)), None)
            if earlier is not None:
                chain.remove(earlier)
                constraint = constraint.joined(earlier)
            chains[name] = tuple(sorted([*chain, constraint], key=lambda each: each.order))
        return Constraints(chains)

    def exchanging(self, new: Mapping[str, Constraint]) -> Constraints:
        """These with the new ones in the place of those of their type, whatever those promised."""
        chains = dict(self.by_name)
        for name, constraint in new.items():
            chain = [each for each in chains.get(name, ()) if type(each) is not type(constraint)]
            chains[name] = tuple(sorted([*chain, constraint], key=lambda each: each.order))
        return Constraints(chains)

    def without(self, kind: type[Constraint]) -> Constraints:
        """These, less all of one type."""
        kept = {name: tuple(c for c in chain if type(c) is not kind) for name, chain in self.items()}
        return Constraints({name: chain for name, chain in kept.items() if chain})

    def learned(self) -> dict[int, Tensor]:
        """Every learned tensor once, by its `id`."""
        chains = self.by_name.values()
        return {id(t): t for chain in chains for each in chain for t in each.learned().values()}

    def replacing(self, tensors: Mapping[int, Tensor]) -> Constraints:
        """These with other learned tensors in the place of those with the given `id`s."""

        def replaced(each: Constraint) -> Constraint:
            new = {name: tensors[id(t)] for name, t in each.learned().items() if id(t) in tensors}
            return replace(each, **new) if new else each

        return Constraints({name: tuple(map(replaced, chain)) for name, chain in self.items()})

    def has_own_values(self, name: str) -> bool:
        """Whether a parameter's values come from its constraints, and not from its free weight."""
        return any(each.has_own_values for each in self.by_name.get(name, ()))

    def of(self, name: str, kind: type[C]) -> C | None:
        """The constraint of one type on a parameter, or None."""
        return next((each for each in self.by_name.get(name, ()) if type(each) is kind), None)

    def constrain(self, name: str, weight: Tensor) -> Tensor:
        """`weight` with the parameter's whole chain applied."""
        for constraint in self.by_name.get(name, ()):
            weight = constraint(weight)
        return weight


def _is_one_place(earlier: Constraint, new: Constraint) -> bool:
    return type(earlier) is type(new) or (bool(new.role) and earlier.role == new.role)
