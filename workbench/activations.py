"""Rounding of what layers take in and give out, beside a plain model.

Weights are constrained by what is written into them; activations exist only while a model runs. A rounding is
a record by place (`conv1/input`, `conv1/output`), attached to a model as hooks for as long as it runs.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn
from torch.utils.hooks import RemovableHandle

INPUT, OUTPUT = "input", "output"
_QUERY_KEY_VALUE = 3  # the first arguments of attention; masks follow


@dataclass(frozen=True, eq=False)
class Rounding:
    """How the values at one place of a model are rounded while it runs."""

    def __call__(self, values: Tensor) -> Tensor:
        """The rounded values; same shape and dtype. Gradients pass straight through."""
        raise NotImplementedError

    def learned(self) -> dict[str, Tensor]:
        """The fields that training makes leaves."""
        return {}


@dataclass(frozen=True, eq=False)
class Affine(Rounding):
    """A static uniform grid of whole steps around a zero point: zero itself is never rounded.

    `q = clamp(round(x / scale) + zero_point)` and back `(q - zero_point) · scale`, in float32 and rounded
    half to even, as ONNX's QuantizeLinear does it (Jacob et al. 2018, section 2.1).

    Attributes:
        bits: 1 to 16.
        scale: one float32, positive.
        zero_point: the code of zero.
        is_signed: codes run from `-2**(bits-1)`, otherwise from 0. Both are the same numbers.
        gain: a factor on the scale, which training learns (Esser et al. 2020, "Learned Step Size
            Quantization"); None where the scale stays. A factor, since Adam's steps are as long as the
            learning rate whatever they move.
    """

    bits: int
    scale: Tensor
    zero_point: int = 0
    is_signed: bool = False
    gain: Tensor | None = None

    @property
    def lowest(self) -> int:
        """The smallest code."""
        return -(2 ** (self.bits - 1)) if self.is_signed else 0

    @property
    def highest(self) -> int:
        """The largest code."""
        return self.lowest + 2**self.bits - 1

    @property
    def step(self) -> Tensor:
        """The scale as it is used."""
        return self.scale if self.gain is None else self.scale * self.gain.clamp_min(_LEAST_GAIN)

    @property
    def range(self) -> tuple[float, float]:
        """The smallest and the largest value."""
        scale = float(self.step)
        return (self.lowest - self.zero_point) * scale, (self.highest - self.zero_point) * scale

    def __call__(self, values: Tensor) -> Tensor:
        low, high = self.lowest - self.zero_point, self.highest - self.zero_point
        scale = self.step
        if torch.is_grad_enabled() and (values.requires_grad or scale.requires_grad):
            rounded: Tensor = _Stepped.apply(values, scale, low, high)
            return rounded
        return _stepped(values, scale, low, high)

    def codes(self, values: Tensor) -> Tensor:
        """The code of each value; int32, same shape."""
        steps = torch.round(values.float() / self.step).to(torch.int32) + self.zero_point
        return steps.clamp_(self.lowest, self.highest)

    def learned(self) -> dict[str, Tensor]:
        return {} if self.gain is None else {"gain": self.gain}


@dataclass(frozen=True, eq=False)
class Dynamic(Rounding):
    """A uniform grid over the range of what is there in this very call, zero included.

    As ONNX's DynamicQuantizeLinear does it. A range depends on all samples of a batch.

    Attributes:
        bits: 1 to 16.
    """

    bits: int

    def __call__(self, values: Tensor) -> Tensor:
        low, high = values.detach().float().aminmax() if values.numel() else (torch.zeros(()),) * 2
        scale, zero_point = affine(low, high, self.bits)
        bottom, top = -zero_point, 2**self.bits - 1 - zero_point
        if torch.is_grad_enabled() and values.requires_grad:
            rounded: Tensor = _Stepped.apply(values, scale, bottom, top)
            return rounded
        return _stepped(values, scale, bottom, top)


def affine(low: Any, high: Any, bits: int) -> tuple[Tensor, Any]:
    """The scale and the zero point (of unsigned codes) of a grid over a range, widened to hold zero.

    A range without width gets scale 1: zero, the only value, keeps.
    """
    low = torch.as_tensor(low, dtype=torch.float32).clamp_max(0.0)
    high = torch.as_tensor(high, dtype=torch.float32).clamp_min(0.0)
    scale = (high - low) / (2**bits - 1)
    scale = torch.where(scale > _SMALLEST, scale, torch.ones_like(scale))
    zero_point = torch.round(-low / scale).clamp_(0, 2**bits - 1)
    return scale, int(zero_point.nan_to_num(0.0))


_LEAST_GAIN = 2.0**-6  # a learned scale stays positive, however far a step of training would take it
_SMALLEST = torch.finfo(torch.float32).tiny


def _stepped(values: Tensor, scale: Tensor, low: float, high: float) -> Tensor:
    """The nearest whole multiples of a scale, from `low` to `high` of them; the values' own dtype."""
    steps = torch.div(values.float(), scale.to(values.device))
    return steps.round_().clamp_(low, high).mul_(scale.to(values.device)).to(values.dtype)


class _Stepped(torch.autograd.Function):
    """Rounded forward. Backward the gradient passes inside the range, and the scale gets its share.

    The scale's gradient is that of Esser et al. 2020, equations 3 and 5, scaled by 1/sqrt(values · codes).
    """

    @staticmethod
    def forward(ctx: Any, values: Tensor, scale: Tensor, low: float, high: float) -> Tensor:
        ctx.save_for_backward(values, scale)
        ctx.limits = low, high
        return _stepped(values, scale, low, high)

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor | None, Tensor | None, None, None]:
        values, scale = ctx.saved_tensors
        low, high = ctx.limits
        steps = values.float() / scale
        is_inside = (steps >= low - 0.5) & (steps <= high + 0.5)
        for_scale = None
        if ctx.needs_input_grad[1]:
            share = torch.where(is_inside, steps.round() - steps, steps.clamp(low, high))
            codes = max(high, -low, 1)
            for_scale = (gradient.float() * share).sum().reshape(scale.shape) / math.sqrt(
                max(values.numel(), 1) * codes
            )
        return torch.where(is_inside, gradient, torch.zeros_like(gradient)), for_scale, None, None


def place(path: str, side: str) -> str:
    """The name of a place: a module's path and `input` or `output`."""
    return f"{path}/{side}"


def attach(model: nn.Module, roundings: Mapping[str, Rounding]) -> list[RemovableHandle]:
    """Round at the places named, from now until the handles are removed.

    Places whose module is not there are passed over: another step may have taken it out.
    """
    modules = dict(model.named_modules())
    handles = []
    for name, rounding in roundings.items():
        path, _, side = name.rpartition("/")
        if (module := modules.get(path)) is None:
            continue
        if side == INPUT:
            handles.append(module.register_forward_pre_hook(_before(rounding), with_kwargs=True))
        else:
            handles.append(module.register_forward_hook(_after(rounding)))
    return handles


def _before(rounding: Rounding) -> Callable[..., Any]:
    def hook(module: nn.Module, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        return through_values(module, args, kwargs, lambda each: _rounded(rounding, each))

    return hook


def through_values(
    module: nn.Module, args: tuple[Any, ...], kwargs: Mapping[str, Any], function: Callable[[Any], Any]
) -> tuple[tuple[Any, ...], dict[str, Any]]:
    """A layer's arguments with `function` of those that are values: masks of attention say where to look.

    torch hands a mask on as numbers, minus infinity where nothing is to be seen: no range may hold it, and
    rounded it would hide nothing.
    """
    count = _QUERY_KEY_VALUE if isinstance(module, nn.MultiheadAttention) else len(args)
    named = {name: value if name.endswith("mask") else function(value) for name, value in kwargs.items()}
    return (*map(function, args[:count]), *args[count:]), named


def _after(rounding: Rounding) -> Callable[..., Any]:
    def hook(module: nn.Module, args: Any, output: Any) -> Any:
        if isinstance(
            output, tuple
        ):  # attention gives weights, recurrent layers their state, beside the output
            return (_rounded(rounding, output[0]), *output[1:])
        return _rounded(rounding, output)

    return hook


def _rounded(rounding: Rounding, value: Any) -> Any:
    is_real = isinstance(value, Tensor) and value.is_floating_point()
    return rounding(value) if is_real else value
