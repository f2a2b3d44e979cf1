"""Zeros in a pattern: n of every m weights stay, or whole blocks go.

A weight is looked at as the matrix that its layer multiplies by: a row for each output channel, and along the
row everything that is summed up for it (input features; input channels × kernel).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import torch
from torch import Tensor

from workbench.algorithms.pruning import GONE
from workbench.algorithms.ranking import Ranking
from workbench.layers import Weight


@dataclass(frozen=True)
class NOfM:
    """At most `n` of every `m` consecutive weights of a row differ from zero."""

    n: int
    m: int

    def __str__(self) -> str:
        return f"{self.n}:{self.m}"

    def misfit(self, weight: Weight) -> str:
        """Why the pattern does not go into a weight; empty where it does."""
        width = _matrix(weight.parameter, weight.channel_axis).shape[1]
        return f"{self.m} does not divide its {width} inputs" if width % self.m else ""

    def keep(self, score: Tensor, axis: int) -> Tensor:
        """Which weights stay: the `n` highest scores of each `m`; of equal ones the first go."""
        matrix = _matrix(score, axis)
        order = matrix.reshape(-1, self.m).argsort(dim=1, stable=True)
        keep = torch.ones(order.shape, dtype=torch.bool, device=score.device)
        keep.scatter_(1, order[:, : self.m - self.n], False)
        return _shaped(keep.reshape(matrix.shape), score, axis)


@dataclass(frozen=True)
class Blocks:
    """Blocks of `rows` output channels by `columns` weights of a row are zero or not as a whole."""

    rows: int
    columns: int

    def __str__(self) -> str:
        return f"{self.rows}x{self.columns} blocks"

    def misfit(self, weight: Weight) -> str:
        """Why the blocks do not tile a weight; empty where they do."""
        height, width = _matrix(weight.parameter, weight.channel_axis).shape
        if height % self.rows:
            return f"{self.rows} does not divide its {height} outputs"
        return f"{self.columns} does not divide its {width} inputs" if width % self.columns else ""

    def scores(self, score: Tensor, axis: int) -> Tensor:
        """The sum of each block; `GONE` where all of it is zero already."""
        tiles = self._tiles(_matrix(score, axis))
        is_gone = tiles == GONE
        return torch.where(is_gone.all(-1), GONE, torch.where(is_gone, 0.0, tiles).sum(-1))

    def spread(self, blocks: Tensor, like: Tensor, axis: int) -> Tensor:
        """One flag for each weight from one for each block."""
        matrix = blocks.repeat_interleave(self.rows, 0).repeat_interleave(self.columns, 1)
        return _shaped(matrix, like, axis)

    def _tiles(self, matrix: Tensor) -> Tensor:
        """`(blocks down, blocks across, weights of a block)`."""
        height, width = matrix.shape
        split = matrix.reshape(height // self.rows, self.rows, width // self.columns, self.columns)
        return split.transpose(1, 2).flatten(2)


def in_groups(pattern: NOfM, scores: Mapping[str, Tensor], axes: Mapping[str, int]) -> dict[str, Tensor]:
    """Which weights stay by parameter name, `n` of every `m`."""
    return {name: pattern.keep(score, axes[name]) for name, score in scores.items()}


def in_blocks(
    pattern: Blocks, scores: Mapping[str, Tensor], axes: Mapping[str, int], sparsity: float, scope: str
) -> dict[str, Tensor]:
    """Which weights stay by parameter name, so that a share of the blocks of the model or layer goes."""
    blocks = {name: pattern.scores(score, axes[name]) for name, score in scores.items()}
    parts = [blocks] if scope == "global" else [{name: each} for name, each in blocks.items()]
    keep: dict[str, Tensor] = {}
    for part in parts:
        ranking = Ranking(part)
        keep |= ranking.all_but_lowest(round(sparsity * ranking.size))
    return {name: pattern.spread(each, scores[name], axes[name]) for name, each in keep.items()}


def _matrix(weight: Tensor, axis: int) -> Tensor:
    return weight.movedim(axis, 0).flatten(1)


def _shaped(matrix: Tensor, like: Tensor, axis: int) -> Tensor:
    return matrix.reshape(like.movedim(axis, 0).shape).movedim(0, axis).contiguous()
