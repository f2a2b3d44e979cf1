"""Uniform grids: whole multiples of a scale."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any, Self

import torch
from torch import Tensor

from workbench.constraints.scaled import Scaled, every, spread


@dataclass(frozen=True, eq=False)
class Grid(Scaled):
    """A uniform grid: whole multiples of a scale, zero among them.

    Symmetric without zero points: codes run from `-(2**(bits-1) - 1)` to `2**(bits-1) - 1`, and a weight is
    `code * scale`. With them codes run from 0 to `2**bits - 1`, and a weight is `(code - zero) * scale`.

    Attributes:
        bits: 1 to 16; 2 to 16 without zero points (one bit, symmetric, has no zero: see `Signs`).
        scale, group, axis, gain: see `Scaled`.
        zero: whole numbers from 0 to `2**bits - 1`, int32, of the scale's shape; None: symmetric.
    """

    bits: int
    scale: Tensor
    group: int = 0
    axis: int = 0
    zero: Tensor | None = None
    gain: Tensor | None = None

    @property
    def top(self) -> int:
        """The largest code."""
        return 2**self.bits - 1 if self.zero is not None else 2 ** (self.bits - 1) - 1

    @property
    def count(self) -> int:
        """How many codes there are."""
        return 2**self.bits if self.zero is not None else 2 * self.top + 1

    @property
    def zero_index(self) -> int | None:
        """The index of the code zero; None with zero points, which differ from channel to channel."""
        return self.top if self.zero is None else None

    def codes(self, weight: Tensor) -> Tensor:
        """The whole number each weight is rounded to; int32, same shape."""
        multiples = self.nearest(weight / self.scales(weight.shape)).to(torch.int32)
        return multiples if self.zero is None else multiples.add_(self._zeros(weight.shape))

    def nearest(self, ratio: Tensor) -> Tensor:
        """The nearest whole multiple of the scale within the range."""
        return ratio.round_().clamp_(*self.ends(ratio.shape))

    def ends(self, shape: Sequence[int]) -> tuple[Any, Any]:
        """The lowest and the highest multiple of the scale."""
        if self.zero is None:
            return -self.top, self.top
        zero = self._zeros(shape).float()
        return -zero, self.top - zero

    def indices(self, weight: Tensor) -> Tensor:
        """The codes, counted from the lowest."""
        return self.codes(weight) + (self.top if self.zero is None else 0)

    def of_indices(self, indices: Tensor) -> Tensor:
        """The weights of these codes."""
        zero: Any = self.top if self.zero is None else self._zeros(indices.shape)
        return (indices - zero).float().mul_(self.scales(indices.shape)).add_(0.0)

    def sampled(self, shape: Sequence[int], step: int) -> Self:
        """The same grid for every `step`-th weight of a tensor of this shape, flat."""
        zero = None if self.zero is None else every(self._zeros(shape), shape, step)
        return replace(
            self, scale=every(self.scales(shape), shape, step), zero=zero, group=0, axis=0, gain=None
        )

    def _zeros(self, shape: Sequence[int]) -> Tensor:
        assert self.zero is not None
        return spread(self.zero, shape, self.group, self.axis)
