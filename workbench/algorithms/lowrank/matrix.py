"""Split a matrix in two: SVD for linear layers and embeddings, channel SVD for convolutions.

A convolution is the matrix `out × (inp · taps)`: a thin convolution of the same kernel to `rank` channels,
then 1×1 to `out`. With the covariance of the layer's outputs at hand, the factors minimize the error of the
outputs: the best map of rank r projects onto the r leading directions of the outputs (Zhang et al. 2015,
"Accelerating very deep convolutional networks", eq. 6). That equals truncating the whitened weight, without
inverting anything. Without data they minimize the error of the weight (Eckart and Young 1936).
"""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor

from workbench.algorithms.lowrank.shape import Shape
from workbench.algorithms.lowrank.split import Factors, Ranks, Spectrum, Split, balanced, ordered, remaining
from workbench.algorithms.lowrank.statistics import Seen

_SPAN = 1e-6  # share of the weight's own Gram: outputs that the data never excite are kept at full rank


class MatrixSplit(Split):
    """`out × rest` as the product of two, group by group.

    Args:
        seen: what the layer computes on data; the weight alone is approximated where it is None.
    """

    method = "channel"

    def __init__(self, shape: Shape, weight: Tensor, seen: Seen | None = None) -> None:
        super().__init__(shape, weight)
        groups = shape.groups
        matrix = weight.reshape(groups, shape.out // groups, -1)
        energies, self._left, self._right = _directions(matrix, seen)
        self._energies = energies.sum(0)
        # centered statistics: the mean of the outputs goes into the bias, not into the rank
        self._mean = seen.output_mean if seen is not None and seen.is_centered else None

    @property
    def full(self) -> Ranks:
        return (min(self.shape.out // self.shape.groups, self._right.shape[-1]),)

    def parameters(self, ranks: np.ndarray) -> np.ndarray:
        return ranks[:, 0] * (self.shape.inp * self.shape.taps + self.shape.out)

    def macs(self, ranks: np.ndarray) -> np.ndarray:
        inward = 0 if self.shape.is_lookup else self.shape.inp * self.shape.taps
        return ranks[:, 0] * (inward + self.shape.out) * self.shape.positions_out

    def lost(self, ranks: np.ndarray) -> np.ndarray:
        return remaining(self._energies, ranks[:, 0])

    def factors(self, ranks: Ranks) -> Factors:
        (rank,) = ranks
        groups, taps = self.shape.groups, (1,) * len(self.shape.kernel)
        left, right = balanced(self._left[..., :rank], self._right[:, :rank])
        inward = right.reshape(groups * rank, *self.weight.shape[1:])
        return Factors((inward, left.reshape(self.shape.out, rank, *taps)), self._offset(rank))

    def _offset(self, rank: int) -> Tensor | None:
        """The part of the mean output that the projection loses."""
        if self._mean is None:
            return None
        basis = self._left[..., :rank]
        mean = self._mean.to(basis.dtype).reshape(self.shape.groups, -1, 1)
        return (mean - basis @ (basis.mT @ mean)).reshape(-1)

    def unfoldings(self) -> tuple[Tensor, ...]:
        return (self.weight.reshape(self.shape.groups, self.shape.out // self.shape.groups, -1),)

    def spectra(self) -> tuple[Spectrum, ...]:
        return (Spectrum("", self._energies[: self.full[0]] / max(self._energies.sum(), 1e-300)),)


class LinearSplit(MatrixSplit):
    """The same for what is a matrix already: a linear layer, an embedding, a 1×1 convolution."""

    method = "svd"


def _directions(matrix: Tensor, seen: Seen | None) -> tuple[np.ndarray, Tensor, Tensor]:
    """Energies `(g, n)`, left `(g, o, r)` and right `(g, r, d)` with left @ right = matrix."""
    _, out, rest = matrix.shape
    full = min(out, rest)
    if seen is not None:
        gram = seen.outputs.reshape(matrix.shape[0], out, out)
        own = (matrix.double() @ matrix.double().mT) * _scale(gram, matrix)
        _, vectors = ordered(gram + _SPAN * own)
        energies = ((gram @ vectors) * vectors).sum(-2).clamp_min(0).numpy()
        left = vectors[..., :full].to(matrix.dtype)
        return energies, left.contiguous(), left.mT @ matrix
    if out <= rest:
        values, left = ordered(matrix @ matrix.mT)
        return values.double().numpy(), left, left.mT @ matrix
    values, right = ordered(matrix.mT @ matrix)
    return values.double().numpy(), matrix @ right, right.mT


def _scale(gram: Tensor, matrix: Tensor) -> Tensor:
    size = torch.linalg.vector_norm(matrix.double(), dim=(-2, -1), keepdim=True) ** 2
    trace = gram.diagonal(dim1=-2, dim2=-1).sum(-1)[:, None, None]
    return torch.where((size > 0) & (trace > 0), trace / size, torch.ones_like(size))
