"""What training minimizes where it is not the workload's own loss."""

from __future__ import annotations

from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from typing import Any

from torch import Tensor, nn


@dataclass(frozen=True)
class Moment:
    """Where a training is: the epoch that runs, and the batch within it, both from 0."""

    epoch: int
    batch: int


class Objective:
    """A loss with whatever it needs beside the model: hooks on layers, learned tensors of its own."""

    def parameters(self) -> list[Tensor]:
        """Leaf tensors that are trained with the model and thrown away afterwards (adaptors of features)."""
        return []

    def watching(self, model: nn.Module) -> AbstractContextManager[Any]:
        """What holds while the training lasts: hooks on the model that learns, removed at the end."""
        return nullcontext()

    def __call__(
        self, outputs: Any, inputs: Any, targets: Any, moment: Moment
    ) -> tuple[Tensor, dict[str, float]]:
        """The loss of a batch, a scalar with gradients, and its terms by name for the record."""
        raise NotImplementedError
