"""Least squares on outputs for factors of any shape: solve the last one again, keep the better start."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor

from workbench.algorithms.lowrank.multiply import composed
from workbench.algorithms.lowrank.split import Factors, Ranks, Spectrum, Split
from workbench.algorithms.lowrank.statistics import Seen

_HOLD = 1e-5  # weight of the factor as it was, relative to the mean second moment of what it sees


class RefitSplit(Split):
    """Another split whose last factor is solved again for the outputs, at the ranks that are asked for.

    Args:
        starts: splits of the same layer and method; costs and error are looked up in the first, the factors
            with the smallest error on the data win. With the plain split among them the result is never
            worse on these data than the plain one.
        seen: second moments of patches.
    """

    def __init__(self, starts: tuple[Split, ...], seen: Seen) -> None:
        super().__init__(starts[0].shape, starts[0].weight)
        self.method = starts[0].method
        self._starts = starts
        self._seen = seen

    @property
    def full(self) -> Ranks:
        return self._starts[0].full

    def parameters(self, ranks: np.ndarray) -> np.ndarray:
        return self._starts[0].parameters(ranks)

    def macs(self, ranks: np.ndarray) -> np.ndarray:
        return self._starts[0].macs(ranks)

    def lost(self, ranks: np.ndarray) -> np.ndarray:
        return self._starts[0].lost(ranks)

    def spectra(self) -> tuple[Spectrum, ...]:
        return self._starts[0].spectra()

    def unfoldings(self) -> tuple[Tensor, ...]:
        return self._starts[0].unfoldings()

    def sketch(self, ranks: Ranks) -> Factors:
        return self._starts[0].sketch(ranks)

    def factors(self, ranks: Ranks) -> Factors:
        solved = [self._solved(start.factors(ranks).weights) for start in self._starts]
        return min(solved, key=lambda each: each[0])[1]

    def _solved(self, weights: tuple[Tensor, ...]) -> tuple[float, Factors]:
        """The error on the data and the factors, the last one solved again."""
        *first, last = [each.double() for each in weights]
        features = _features(composed(first), last.shape[2:])
        dense, moments = self.weight.double().flatten(1), self._seen.patches
        assert moments is not None
        old = last.flatten(1)
        cross = features @ moments
        normal = cross @ features.T
        normal.diagonal().add_(_HOLD * normal.diagonal().mean().clamp_min(1e-30))
        new = old + torch.linalg.solve(normal, cross @ (dense - old @ features).T).T
        rest = dense - new @ features
        error = float(((rest @ moments) * rest).sum())
        offset = None
        if self._seen.is_centered and self._seen.patch_mean is not None:
            offset = (rest @ self._seen.patch_mean).to(self.weight.dtype)
        return error, Factors((*weights[:-1], new.reshape(last.shape).to(self.weight.dtype)), offset)


def _features(first: Tensor, kernel: torch.Size) -> Tensor:
    """What the last factor multiplies, as rows over a patch `(rank · taps of the last, inp · taps)`."""
    if all(size == 1 for size in kernel):
        return first.flatten(1)
    rank, inp, height, _ = first.shape  # height × 1, followed by 1 × width
    width = kernel[1]
    spread = torch.einsum("rih,vw->rvihw", first[..., 0], torch.eye(width, dtype=first.dtype))
    return spread.reshape(rank * width, inp * height * width)
