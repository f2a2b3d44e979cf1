"""What rounded weights have in common: a few numbers, times a scale for each tensor, channel or group.

A weight is divided by its scale, the quotient goes to the nearest of the numbers, and that number times the
scale, one multiplication in float32, is the weight: a file that holds numbers and scales gives back the very
same bits. Groups are runs of weights along the reduction dimension: of the row that an output channel has
when its other dimensions are flattened.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import replace
from typing import Any, ClassVar, Self

import torch
from torch import Tensor

from workbench.constraints.base import Constraint, Straight

FAR = 8.0  # scales; further out, the gradient of a sign is cut
_LEAST_GAIN = 2.0**-6  # a learned scale stays positive, however far a step of training would take it


class Scaled(Constraint):
    """Numbers times a scale: `Grid`, `Levels`, `Signs`, `Ternary`; each is a dataclass with these fields.

    Attributes:
        scale: float32, positive; broadcastable to the weight (one value, or one per output channel), or of
            shape (channels, groups) where `group` is not 0. The scale in use, after training too.
        group: how many weights of a channel share a scale; the last group of a channel may be shorter.
            0 where scales broadcast.
        axis: of the output channels, where there are groups.
        gain: what training learns where it learns the scale: a factor on it, of its shape, ones before and
            after. A factor, since Adam's steps are as long as the learning rate whatever they move; scales
            are thousands of times smaller than that.
    """

    order: ClassVar[int] = 10
    role: ClassVar[str] = "values"
    scale: Tensor
    group: int
    axis: int
    gain: Tensor | None

    def __post_init__(self) -> None:
        gain = self.gain
        if gain is not None and not gain.requires_grad and bool((gain != 1).any()):
            object.__setattr__(self, "scale", self._times(gain))  # trained: the factor becomes the scale
            object.__setattr__(self, "gain", torch.ones_like(gain))

    # ---- what a kind of numbers says of itself ----

    @property
    def count(self) -> int:
        """How many numbers there are."""
        raise NotImplementedError

    @property
    def zero_index(self) -> int | None:
        """Which of the numbers is zero, the same one for every weight; None where there is none such."""
        return None

    def nearest(self, ratio: Tensor) -> Tensor:
        """The nearest number to each quotient of weight and scale; may write into `ratio`."""
        raise NotImplementedError

    def ends(self, shape: Sequence[int]) -> tuple[Any, Any]:
        """The lowest and the highest number; tensors where they differ from weight to weight."""
        raise NotImplementedError

    def slope(self, number: Tensor, ratio: Tensor, inside: Tensor) -> Tensor:
        """How each weight changes with its scale, while training learns that."""
        return torch.where(inside, number - ratio, number)

    def indices(self, weight: Tensor) -> Tensor:
        """Which number each weight takes, from 0 to `count - 1`; int32, the weight's shape."""
        raise NotImplementedError

    def of_indices(self, indices: Tensor) -> Tensor:
        """The weights whose numbers these are; float32, the very bits that rounding gives."""
        raise NotImplementedError

    # ---- what follows from that ----

    def __call__(self, weight: Tensor) -> Tensor:
        if self.gain is not None and self.gain.requires_grad and torch.is_grad_enabled():
            return _Learned.apply(weight, self._spread(self.gain, weight.shape), self)
        grid = self if self.gain is None or not self.gain.requires_grad else self.settled()
        rounded = grid._rounded(weight.detach())
        return Straight.apply(weight, rounded) if weight.requires_grad else rounded

    def learned(self) -> dict[str, Tensor]:
        """The factor on the scale, where training learns it."""
        return {} if self.gain is None else {"gain": self.gain}

    def settled(self) -> Self:
        """These numbers with the scale as training has made it up to now."""
        return self if self.gain is None else replace(self, gain=self.gain.detach())

    def on_cpu(self) -> Self:
        """The same on the processor, where files are written."""
        tensors = {name: each for name, each in vars(self).items() if isinstance(each, Tensor)}
        moved = {name: each.detach().cpu() for name, each in tensors.items() if each.device.type != "cpu"}
        return replace(self, **moved) if moved else self

    def scales(self, shape: Sequence[int]) -> Tensor:
        """The scale of each weight of a tensor of this shape, broadcastable to it."""
        return self._spread(self.scale, shape)

    def sampled(self, shape: Sequence[int], step: int) -> Self:
        """The same numbers for every `step`-th weight of a tensor of this shape, flat."""
        return replace(self, scale=every(self.scales(shape), shape, step), group=0, axis=0, gain=None)

    def _rounded(self, weight: Tensor) -> Tensor:
        # in float32 whatever the weight's precision, as a file computes it from its codes and scales
        scales = self.scales(weight.shape)
        rounded = self.nearest(weight / scales).float().mul_(scales)
        rounded = rounded.add_(0.0)  # no negative zeros: numbers have one zero
        return rounded.to(weight.dtype)

    def _spread(self, values: Tensor, shape: Sequence[int]) -> Tensor:
        return spread(values, shape, self.group, self.axis)

    def _times(self, gain: Tensor) -> Tensor:
        """The scale under a factor: float16 values stay float16 values, so that they take two bytes."""
        scale = self.scale * gain.detach().clamp_min(_LEAST_GAIN)
        if torch.equal(as_float16(self.scale), self.scale):
            scale = as_float16(scale.clamp_min(torch.finfo(torch.float16).tiny))
        return scale


class _Learned(torch.autograd.Function):
    """Rounding whose scale is learned, too.

    The gradients of Esser et al. 2020, "Learned step size quantization", equations 3 and 5 and section 2.2:
    of a weight within the range straight through, and of the scale the rounding error in steps; of a weight
    beyond it none, and of the scale the last number. Divided by the root of weights times top number.
    """

    @staticmethod
    def forward(ctx: Any, weight: Tensor, gain: Tensor, grid: Scaled) -> Tensor:
        grid = grid.settled()
        scales = grid.scales(weight.shape)
        ratio = weight.detach().float() / scales
        number = grid.nearest(ratio.clone())
        low, high = grid.ends(weight.shape)
        inside = (ratio >= low) & (ratio <= high)
        ctx.save_for_backward(grid.slope(number, ratio, inside), inside, scales)
        ctx.share = 1 / math.sqrt(weight.numel() / grid.scale.numel() * max(1, grid.count // 2))
        ctx.gain_shape = gain.shape
        return (number * scales).add_(0.0).to(weight.dtype)

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor, Tensor, None]:
        slope, inside, scales = ctx.saved_tensors
        of_gain = gradient.float() * slope * scales * ctx.share
        return gradient * inside, of_gain.sum_to_size(ctx.gain_shape), None


def spread(values: Tensor, shape: Sequence[int], group: int, axis: int) -> Tensor:
    """Each weight's value, broadcastable to `shape`: `values` themselves, or those of groups repeated."""
    if not group:
        return values
    moved = (shape[axis], *shape[:axis], *shape[axis + 1 :])
    length = math.prod(moved[1:])
    repeated = values[:, :, None].expand(*values.shape, group).reshape(len(values), -1)
    return repeated[:, :length].reshape(moved).movedim(0, axis)


def as_float16(values: Tensor) -> Tensor:
    """The nearest values that float16 holds, as float32; the largest finite one for what lies beyond."""
    largest = torch.finfo(torch.float16).max
    return values.clamp(-largest, largest).half().float() + 0.0


def every(values: Tensor, shape: Sequence[int], step: int) -> Tensor:
    """Every `step`-th of values that broadcast to `shape`, flat."""
    if values.numel() == 1:
        return values.reshape(-1)
    if values.numel() == values.shape[:1].numel() == shape[0]:  # one for each row
        total = math.prod(shape)
        return values.reshape(-1)[torch.arange(0, total, step) // (total // shape[0])]
    return values.expand(tuple(shape)).reshape(-1)[::step]
