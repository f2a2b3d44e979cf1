"""Between features of different shapes: channels by a learned linear map, positions by averaging."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional

from workbench.algorithms.distillation.points import Point
from workbench.errors import WorkloadError

_POOLS = {
    1: functional.adaptive_avg_pool1d,
    2: functional.adaptive_avg_pool2d,
    3: functional.adaptive_avg_pool3d,
}


class Adaptor:
    """Brings the student's features to the teacher's channels: a 1×1 convolution, or a linear layer.

    It begins as the identity where both have as many channels, else at random. Maps of different sizes are
    both brought to the smaller one by averaging, which `fit` does.

    Raises:
        WorkloadError: the shapes have no positions in common (a map against a vector, sequences of
            different lengths).
    """

    def __init__(self, student: Point, teacher: Point, seed: int, device: torch.device) -> None:
        check_fits(student, teacher)
        ours, theirs = student.channels, teacher.channels
        if ours == theirs:
            weight = torch.eye(ours)
        else:
            generator = torch.Generator().manual_seed(seed)
            weight = torch.randn(theirs, ours, generator=generator) / ours**0.5
        self.weight = weight.to(device).requires_grad_()
        self._student, self._teacher = student, teacher

    def __call__(self, student: Tensor, teacher: Tensor) -> tuple[Tensor, Tensor]:
        """Both with the teacher's channels and the smaller one's positions."""
        student, teacher = fit(student, self._student), fit(teacher, self._teacher)
        student, teacher = same_positions(student, teacher)
        adapted = torch.einsum("oc,nc...->no...", self.weight, student.to(self.weight.dtype))
        return adapted, teacher.to(adapted.dtype)


def fit(features: Tensor, point: Point) -> Tensor:
    """Features with channels at dimension 1."""
    return features if point.channel_dim == 1 else features.movedim(point.channel_dim, 1)


def same_positions(student: Tensor, teacher: Tensor) -> tuple[Tensor, Tensor]:
    """Both averaged to the smaller size in each direction; channels at dimension 1."""
    size = [min(a, b) for a, b in zip(student.shape[2:], teacher.shape[2:], strict=True)]
    return _averaged(student, size), _averaged(teacher, size)


def _averaged(features: Tensor, size: list[int]) -> Tensor:
    return features if list(features.shape[2:]) == size else _POOLS[len(size)](features, size)


def check_fits(student: Point, teacher: Point) -> None:
    """Refuse a pair of layers whose features no adaptor brings together.

    Raises:
        WorkloadError: with both shapes.
    """
    is_sequence = student.channel_dim != 1 and len(student.positions) == 1
    lengths_differ = is_sequence and student.positions != teacher.positions
    if len(student.positions) != len(teacher.positions) or lengths_differ:
        raise WorkloadError(
            f"no adaptor fits {teacher} of the teacher to {student} of the student; "
            "pair layers whose outputs have as many dimensions, like layers=('conv2:conv1',)"
        )
