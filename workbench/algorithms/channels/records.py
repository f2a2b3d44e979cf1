"""Groups of channels that go together, as plain data: no modules, so that nothing keeps a candidate alive."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

OUT, IN, BOTH, INNER = "out", "in", "both", "inner"


@dataclass(frozen=True, eq=False)
class Part:
    """What one layer has of a group's channels.

    Attributes:
        layer: its path, or the name of a parameter that belongs to no layer.
        side: whether these are what it gives (`out`), what it takes (`in`), both at once (a normalization, a
            depthwise convolution), or what attention computes inside (`inner`).
        index: the layer's own numbers of the channels, int64.
        channel: which of the group's channels each of them is; of the same length.
        axis: the axis of a parameter that belongs to no layer.
    """

    layer: str
    side: str
    index: Tensor
    channel: Tensor
    axis: int | None = None

    def of(self, channels: Tensor) -> Tensor:
        """The layer's own numbers of some of the group's channels."""
        is_gone = torch.zeros(int(self.channel.max()) + 1 if len(self.channel) else 0, dtype=torch.bool)
        is_gone[channels[channels < len(is_gone)]] = True
        return self.index[is_gone[self.channel]]


@dataclass(frozen=True)
class Scalar:
    """A whole number that a person's module keeps and that shrinks with the group: `num_heads`, `width`.

    `per_unit` is by how much, for each unit that goes.
    """

    module: str
    name: str
    per_unit: int


@dataclass(frozen=True, eq=False)
class Group:
    """Channels of several layers that can only go together.

    Attributes:
        name: the first layer that makes these channels; what locks and scores go by.
        makers: the layers that make them (their weights say what a channel is worth), in the model's order.
        channels: how many there are.
        unit: which unit each channel belongs to, int64: units go as one (a head; with grouped convolutions
            the channels at one place of every block).
        word: what a unit is called, in the plural: channels, neurons, heads.
        locked: why nothing can go, in words; empty where it can.
    """

    name: str
    makers: tuple[str, ...]
    parts: tuple[Part, ...]
    channels: int
    unit: Tensor
    word: str = "channels"
    locked: str = ""
    scalars: tuple[Scalar, ...] = ()

    @property
    def units(self) -> int:
        """How many units there are."""
        return int(self.unit.max()) + 1 if self.channels else 0

    @property
    def layers(self) -> tuple[str, ...]:
        """Every layer that the group touches, in order, each once."""
        return tuple(dict.fromkeys(part.layer for part in self.parts))

    def channels_of(self, units: Tensor) -> Tensor:
        """The channels of some units, rising."""
        return torch.isin(self.unit, units).nonzero().flatten()


def each_channel(count: int) -> Tensor:
    """Every channel a unit of its own."""
    return torch.arange(count)
