"""Split a convolution into 1×1, a small core of the same kernel, and 1×1 (Tucker-2; Kim et al. 2016).

Truncated higher-order SVD: the leading directions of each mode, from the eigenvectors of its Gram matrix
(De Lathauwer et al. 2000). Since the bases are orthonormal, the error at any pair of ranks is a sum of
squares of the full core, which one table of running sums holds for all pairs. Sweeps of orthogonal iteration
(HOOI) refine the bases at chosen ranks.
"""

from __future__ import annotations

from functools import cached_property

import numpy as np
import torch
from torch import Tensor

from workbench.algorithms.lowrank.shape import Shape
from workbench.algorithms.lowrank.split import Factors, Ranks, Spectrum, Split, balanced, ordered
from workbench.algorithms.lowrank.statistics import Seen
from workbench.algorithms.lowrank.whitening import roots


class TuckerSplit(Split):
    """A convolution as `inp → r_in` (1×1), `r_in → r_out` (k×k), `r_out → out` (1×1).

    Ranks are `(r_out, r_in)`.

    Args:
        seen: whitens the input channels, and gives the directions of the outputs exactly.
        sweeps: of orthogonal iteration after the truncation, some percent better for three times the work.
    """

    method = "tucker"

    def __init__(self, shape: Shape, weight: Tensor, seen: Seen | None = None, sweeps: int = 0) -> None:
        super().__init__(shape, weight)
        self._sweeps = sweeps
        self._tensor, self._inverse = weight.flatten(2), None
        if seen is not None and seen.channels is not None:
            root, self._inverse = roots(seen.channels, weight)
            self._tensor = torch.einsum("oik,ij->ojk", self._tensor, root)
        mode_out = seen.outputs[0] if seen is not None else _gram(self._tensor, 0)
        self._energies_out, basis_out = ordered(mode_out)
        self._out = basis_out.to(weight.dtype)
        self._energies_in, self._in = ordered(_gram(self._tensor, 1))
        self._questions = 0

    @property
    def full(self) -> Ranks:
        return (self.shape.out, self.shape.inp)

    def parameters(self, ranks: np.ndarray) -> np.ndarray:
        out, inward = ranks[:, 0], ranks[:, 1]
        return out * self.shape.out + inward * self.shape.inp + out * inward * self.shape.taps

    def macs(self, ranks: np.ndarray) -> np.ndarray:
        (out, inward), shape = ranks.T, self.shape
        after = (out * inward * shape.taps + out * shape.out) * shape.positions_out
        return inward * shape.inp * shape.positions_in + after

    def lost(self, ranks: np.ndarray) -> np.ndarray:
        kept = self._kept[ranks[:, 0] - 1, ranks[:, 1] - 1] / max(self._kept[-1, -1], 1e-300)
        return np.clip(1 - kept, 0, 1)

    def factors(self, ranks: Ranks) -> Factors:
        out, inward = ranks
        basis_out, basis_in, core = self._out[:, :out], self._in[:, :inward], self._core_at(out, inward)
        if self._sweeps:
            basis_out, basis_in, core = _iterated(self._tensor, basis_out, basis_in, self._sweeps)
        if self._inverse is not None:
            basis_in = self._inverse @ basis_in
        first, core, last = _balanced(basis_in.T, core, basis_out)
        ones = (1,) * len(self.shape.kernel)
        return Factors(
            (
                first.reshape(inward, self.shape.inp, *ones),
                core.reshape(out, inward, *self.shape.kernel),
                last.reshape(self.shape.out, out, *ones),
            )
        )

    def spectra(self) -> tuple[Spectrum, ...]:
        sides = {"out": self._energies_out, "in": self._energies_in}
        return tuple(Spectrum(side, _shares(energies)) for side, energies in sides.items())

    def unfoldings(self) -> tuple[Tensor, ...]:
        weight = self.weight.flatten(2)
        return weight.flatten(1).unsqueeze(0), weight.transpose(0, 1).flatten(1).unsqueeze(0)

    def _core_at(self, out: int, inward: int) -> Tensor:
        """A corner of the core: computed alone when first asked for, sliced when a slider moves."""
        self._questions += 1
        if self._questions == 1:
            return _projected(self._tensor, self._out[:, :out], self._in[:, :inward])
        return self._core[:out, :inward]

    @cached_property
    def _core(self) -> Tensor:
        return _projected(self._tensor, self._out, self._in)

    @cached_property
    def _kept(self) -> np.ndarray:
        """Energy kept at every pair of ranks: running sums over both modes of the core; float64."""
        squares = self._core.double().square().sum(-1)
        return squares.cumsum(0).cumsum(1).numpy()


def _gram(tensor: Tensor, mode: int) -> Tensor:
    """The Gram matrix of a mode of `(out, inp, taps)`."""
    unfolded = tensor.movedim(mode, 0).flatten(1)
    return unfolded @ unfolded.T


def _projected(tensor: Tensor, out: Tensor, inward: Tensor) -> Tensor:
    """The tensor in the coordinates of two bases, `(r_out, r_in, taps)`."""
    rows = (out.T @ tensor.flatten(1)).reshape(out.shape[1], tensor.shape[1], -1)
    return torch.einsum("rik,is->rsk", rows, inward)


def _iterated(tensor: Tensor, out: Tensor, inward: Tensor, sweeps: int) -> tuple[Tensor, Tensor, Tensor]:
    """Each basis made best for the other one, in turns."""
    for _ in range(sweeps):
        out = ordered(_gram(torch.einsum("oik,is->osk", tensor, inward), 0))[1][:, : out.shape[1]]
        inward = ordered(_gram(torch.einsum("oik,or->rik", tensor, out), 1))[1][:, : inward.shape[1]]
    return out, inward, _projected(tensor, out, inward)


def _balanced(first: Tensor, core: Tensor, last: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """The same product with the norms of components shared between the core and its neighbours."""
    out, inward, taps = core.shape
    last, rows = balanced(last, core.reshape(out, inward * taps))
    columns = rows.reshape(out, inward, taps).transpose(1, 2).reshape(out * taps, inward)
    columns, first = balanced(columns, first)
    return first, columns.reshape(out, taps, inward).transpose(1, 2).contiguous(), last


def _shares(energies: Tensor) -> np.ndarray:
    values = energies.double().numpy()
    return values / max(values.sum(), 1e-300)
