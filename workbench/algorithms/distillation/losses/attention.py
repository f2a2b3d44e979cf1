"""Attention transfer: where a layer looks, whatever channels it has."""

from __future__ import annotations

from torch import Tensor
from torch.nn import functional


def attention(student: Tensor, teacher: Tensor, dim: int = 1) -> Tensor:
    """The squared distance of two attention maps, each of length 1, averaged over samples; 0 to 2.

    A map is the sum of squares over channels at each position. Maps of different sizes are brought to the
    smaller one by averaging. Source: Zagoruyko and Komodakis 2017, equation 2 (p = 2).

    Args:
        student, teacher: features with positions: (n, channels, height, width), or (n, positions, channels)
            with `dim` = -1.
    """
    ours, theirs = _map(student, dim), _map(teacher, dim)
    size = [min(a, b) for a, b in zip(ours.shape[1:], theirs.shape[1:], strict=True)]
    return (_unit(ours, size) - _unit(theirs, size)).pow(2).sum(1).mean()


def _map(features: Tensor, dim: int) -> Tensor:
    """Positions only: (n, height, width), or (n, positions)."""
    return features.pow(2).sum(dim)


def _unit(attended: Tensor, size: list[int]) -> Tensor:
    """At this size, flat and of length 1 for each sample."""
    if list(attended.shape[1:]) != size:
        pool = {1: functional.adaptive_avg_pool1d, 2: functional.adaptive_avg_pool2d}.get(
            len(size), functional.adaptive_avg_pool3d
        )
        attended = pool(attended.unsqueeze(1), size).squeeze(1)
    return functional.normalize(attended.flatten(1), dim=1)
