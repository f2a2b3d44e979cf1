"""Split a convolution into 1×1, a depthwise kernel and 1×1: a sum of rank-one terms (Lebedev et al. 2015).

The start is exact at full rank and ordered: the singular triplets of every tap's matrix, largest first.
Alternating least squares improves the terms at the chosen rank; each update also holds on to the factor it
replaces a little (proximal), which keeps the fit falling where plain updates become ill-conditioned.
"""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor

from workbench.algorithms.lowrank.shape import Shape
from workbench.algorithms.lowrank.split import Factors, Ranks, Spectrum, Split, remaining

SWEEPS = 10
_HOLD = 1e-4  # weight of the old factor, relative to the mean diagonal of the normal equations


class CPSplit(Split):
    """A convolution as `inp → rank` (1×1), one kernel per channel, `rank → out` (1×1).

    `lost` is that of the start, which the sweeps only lower. Factors are found once per rank.
    """

    method = "cp"

    def __init__(self, shape: Shape, weight: Tensor, sweeps: int = SWEEPS) -> None:
        super().__init__(shape, weight)
        self._tensor = weight.flatten(2)
        self._sweeps = sweeps
        left, values, right = torch.linalg.svd(self._tensor.permute(2, 0, 1), full_matrices=False)
        taps, terms = values.shape
        order = torch.argsort(values.flatten(), descending=True)
        self._values = values.flatten()[order]
        self._out = (left.mT.reshape(taps * terms, -1))[order]
        self._in = right.reshape(taps * terms, -1)[order]
        self._taps = torch.eye(taps, dtype=weight.dtype).repeat_interleave(terms, 0)[order]
        self._found: dict[int, Factors] = {}

    @property
    def full(self) -> Ranks:
        return (len(self._values),)

    def parameters(self, ranks: np.ndarray) -> np.ndarray:
        return ranks[:, 0] * (self.shape.inp + self.shape.taps + self.shape.out)

    def macs(self, ranks: np.ndarray) -> np.ndarray:
        shape = self.shape
        after = (shape.taps + shape.out) * shape.positions_out
        return ranks[:, 0] * (shape.inp * shape.positions_in + after)

    def lost(self, ranks: np.ndarray) -> np.ndarray:
        return remaining(self._values.double().square().numpy(), ranks[:, 0])

    def factors(self, ranks: Ranks) -> Factors:
        (rank,) = ranks
        if rank not in self._found:
            self._found[rank] = self._fitted(rank, self._sweeps)
        return self._found[rank]

    def sketch(self, ranks: Ranks) -> Factors:
        return self._fitted(ranks[0], sweeps=0)

    def spectra(self) -> tuple[Spectrum, ...]:
        energies = self._values.double().square().numpy()
        return (Spectrum("", energies / max(energies.sum(), 1e-300)),)

    def _fitted(self, rank: int, sweeps: int) -> Factors:
        terms = [
            self._out[:rank].T * self._values[:rank],
            self._in[:rank].T.clone(),
            self._taps[:rank].T.clone(),
        ]
        if rank < self.full[0]:
            for _ in range(sweeps):
                for mode in range(3):
                    terms[mode] = _updated(self._tensor, terms, mode)
        out, inward, taps = _balanced(terms)
        ones = (1,) * len(self.shape.kernel)
        return Factors(
            (
                inward.T.reshape(rank, -1, *ones),
                taps.T.reshape(rank, 1, *self.shape.kernel),
                out.reshape(-1, rank, *ones),
            )
        )


def _updated(tensor: Tensor, terms: list[Tensor], mode: int) -> Tensor:
    """The best factor of one mode `(n, rank)` for the two others."""
    others = [terms[other] for other in range(3) if other != mode]
    normal = (others[0].T @ others[0]) * (others[1].T @ others[1])
    hold = _HOLD * normal.diagonal().mean()
    right = _contracted(tensor.movedim(mode, 0), *others) + hold * terms[mode]
    normal.diagonal().add_(hold)
    return torch.linalg.solve(normal, right.T).T


def _contracted(tensor: Tensor, first: Tensor, second: Tensor) -> Tensor:
    """`sum over a, b of tensor[n, a, b] first[a, r] second[b, r]`, one matrix product per slice."""
    if first.shape[0] < second.shape[0]:
        tensor, first, second = tensor.transpose(1, 2), second, first
    result = tensor.new_zeros(tensor.shape[0], first.shape[1])
    for index in range(second.shape[0]):
        result += tensor[:, :, index] @ (first * second[index])
    return result


def _balanced(terms: list[Tensor]) -> list[Tensor]:
    """The same terms with one norm in all three factors."""
    norms = torch.stack([torch.linalg.vector_norm(each, dim=0) for each in terms])
    mean = norms.clamp_min(1e-30).log().mean(0).exp()
    scales = torch.where(norms > 0, mean / norms.clamp_min(1e-30), torch.zeros_like(norms))
    return [each * scale for each, scale in zip(terms, scales, strict=True)]
