"""What every way to split a layer has in common: full ranks, costs, error, and factors at chosen ranks."""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from workbench.algorithms.lowrank.menu import Menu
from workbench.algorithms.lowrank.shape import Shape

Ranks = tuple[int, ...]


@dataclass(frozen=True, eq=False)
class Spectrum:
    """How much of a layer each rank holds.

    Attributes:
        side: what is ranked, `out` or `in` channels for Tucker, otherwise empty.
        energies: the share of the squared error that each rank explains, falling; float64.
    """

    side: str
    energies: np.ndarray


@dataclass(frozen=True, eq=False)
class Factors:
    """What a layer becomes.

    Attributes:
        weights: in the order they are applied, each in a convolution's layout.
        offset: what to add to the layer's bias, where the inputs' mean is known; `(out,)`.
    """

    weights: tuple[Tensor, ...]
    offset: Tensor | None = None


class Split(ABC):
    """A layer's weight prepared for one method: choosing ranks is a slice from here on.

    Weights are float32 or float64 with the layout of a convolution, `(out, inp / groups, *kernel)`.
    """

    method: str

    def __init__(self, shape: Shape, weight: Tensor) -> None:
        self.shape = shape
        self.weight = weight

    @property
    @abstractmethod
    def full(self) -> Ranks:
        """The ranks at which nothing is lost."""

    @abstractmethod
    def parameters(self, ranks: np.ndarray) -> np.ndarray:
        """Weights of the factors, for rows of ranks `(n, len(full))`; `(n,)`."""

    @abstractmethod
    def macs(self, ranks: np.ndarray) -> np.ndarray:
        """Multiplications of the factors for one sample; `(n,)`."""

    @abstractmethod
    def lost(self, ranks: np.ndarray) -> np.ndarray:
        """The share of the squared error that these ranks leave, from 0 to 1; `(n,)`."""

    @abstractmethod
    def factors(self, ranks: Ranks) -> Factors:
        """The factors at these ranks, balanced."""

    def sketch(self, ranks: Ranks) -> Factors:
        """Factors of the same sizes, as quickly as possible: for timing, where values do not matter."""
        return self.factors(ranks)

    def unfoldings(self) -> tuple[Tensor, ...]:
        """The matrices whose ranks are chosen, one per entry of `full`; empty where there are none."""
        return ()

    def spectra(self) -> tuple[Spectrum, ...]:
        """What each rank holds, one spectrum per entry of `full`; empty where there is none."""
        return ()

    def at(self, ratio: float) -> Ranks:
        """The ranks at a share of the full ones, at least 1 each."""
        return tuple(max(1, min(full, round(ratio * full))) for full in self.full)

    def scaled(self, rank: int) -> Ranks:
        """The ranks whose first is `rank`, the others in proportion."""
        return (rank, *self.at(rank / self.full[0])[1:])

    def menu(self) -> Menu:
        """Every choice of ranks with its costs and error."""
        axes = [np.arange(1, full + 1) for full in self.full]
        ranks = np.stack([each.ravel() for each in np.meshgrid(*axes, indexing="ij")], axis=1)
        return Menu(ranks, self.parameters(ranks), self.macs(ranks), self.lost(ranks))

    def cost(self, ranks: Ranks) -> tuple[int, int]:
        """Parameters and multiplications of one choice."""
        row = np.array([ranks])
        return int(self.parameters(row)[0]), int(self.macs(row)[0])

    @property
    def break_even(self) -> int:
        """The largest first rank at which the layer gets smaller (others in proportion); 0 if none."""
        ranks = np.array([self.scaled(rank) for rank in range(1, self.full[0] + 1)])
        smaller = np.flatnonzero(self.parameters(ranks) < self.shape.parameters)
        return int(smaller[-1]) + 1 if len(smaller) else 0


def ordered(gram: Tensor) -> tuple[Tensor, Tensor]:
    """Eigenvalues (falling, not below zero) and eigenvectors of symmetric matrices `(..., n, n)`."""
    values, vectors = torch.linalg.eigh(gram)
    return values.flip(-1).clamp_min(0), vectors.flip(-1)


def balanced(left: Tensor, right: Tensor) -> tuple[Tensor, Tensor]:
    """The same product with equal norms per component.

    Components are columns of `left (..., o, r)` and rows of `right (..., r, d)`.

    Both factors then have the size of the square root of the layer: training and rounding treat them alike.
    """
    column = torch.linalg.vector_norm(left, dim=-2)
    row = torch.linalg.vector_norm(right, dim=-1)
    scale = torch.where((column > 0) & (row > 0), (row / column).sqrt(), torch.ones_like(row))
    return left * scale.unsqueeze(-2), right / scale.unsqueeze(-1)


def remaining(energies: np.ndarray, ranks: np.ndarray) -> np.ndarray:
    """The share of the energy beyond each rank: `energies (n,)` fall, `ranks (m,)` are at least 1."""
    total = energies.sum()
    if total <= 0:
        return np.zeros(len(ranks))
    beyond = np.append(np.cumsum(energies[::-1])[::-1], 0.0)  # summed from the small end: no cancellation
    return beyond[ranks] / total
