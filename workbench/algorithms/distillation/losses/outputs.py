"""Outputs as they are: for anything that is not classes, and for logits in the limit of high temperatures."""

from __future__ import annotations

from torch import Tensor
from torch.nn import functional


def outputs(student: Tensor, teacher: Tensor) -> Tensor:
    """The mean squared difference of the outputs, of whatever shape.

    Source: Ba and Caruana 2014, equation 1 (logits); soft targets come to the same at high temperatures.
    """
    return functional.mse_loss(student, teacher.to(student.dtype))
