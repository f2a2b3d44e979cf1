"""Weigh a weight by what its inputs are like, so that the error that is minimized is that of outputs."""

from __future__ import annotations

import torch
from torch import Tensor

_FLOOR = 1e-4  # of the mean second moment: directions that the data hardly show stay invertible in float32


def roots(moments: Tensor, like: Tensor) -> tuple[Tensor, Tensor]:
    """The symmetric square root of second moments `(n, n)` and its inverse, in the dtype of `like`.

    With `root @ weight` in the place of a weight, the squared error of the weight is the expected squared
    error of what it gives for such inputs.
    """
    values, vectors = torch.linalg.eigh(moments.double())
    values = values.clamp_min(0) + _FLOOR * values.clamp_min(0).mean().clamp_min(1e-30)
    root = (vectors * values.sqrt()) @ vectors.T
    inverse = (vectors / values.sqrt()) @ vectors.T
    return root.to(like.dtype), inverse.to(like.dtype)
