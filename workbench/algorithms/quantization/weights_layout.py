"""Which weights share a scale: those of a tensor, of an output channel, or of a group within a channel."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor


@dataclass(frozen=True)
class Layout:
    """Which weights of a tensor share a scale.

    Attributes:
        axis: of the output channels; None where the whole tensor shares one scale.
        group: how many weights of a channel share a scale, along its flattened other dimensions; the last
            group may be shorter. 0: all of them.
    """

    axis: int | None
    group: int = 0

    @classmethod
    def of(cls, granularity: str, group: int, weight: Tensor, axis: int) -> Layout:
        """The layout that a technique's options mean for a weight; a group is no longer than a channel."""
        if granularity == "tensor":
            return cls(None)
        length = weight.numel() // weight.shape[axis]
        return cls(axis, min(group, length) if granularity == "group" else 0)

    def reduced(self, weight: Tensor, reduce: Callable[[Tensor], Tensor]) -> Tensor:
        """One value for each scale, shaped as constraints want it: (channels, groups), or broadcastable.

        `reduce` takes the last dimension away; the weights along it share a scale.
        """
        if self.axis is None:
            return reduce(weight.reshape(1, -1)).reshape((1,) * weight.ndim)
        rows = weight.movedim(self.axis, 0).reshape(weight.shape[self.axis], -1)
        if not self.group:
            shape = [1] * weight.ndim
            shape[self.axis] = -1
            return reduce(rows).reshape(shape)
        whole = rows.shape[1] // self.group * self.group
        parts = [reduce(rows[:, :whole].reshape(len(rows), -1, self.group))] if whole else []
        if whole < rows.shape[1]:
            parts.append(reduce(rows[:, whole:])[:, None])
        return torch.cat(parts, 1)

    @property
    def fields(self) -> dict[str, int]:
        """What a constraint is told of it."""
        return {"group": self.group, "axis": (self.axis or 0) if self.group else 0}
