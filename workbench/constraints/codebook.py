"""Few values that many weights share, learned."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar

import torch
from torch import Tensor

from workbench.constraints.base import Constraint
from workbench.constraints.scaled import as_float16


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
