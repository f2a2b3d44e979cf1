"""What a layer sees and gives on training data: the second moments that make an error one of outputs."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional

from workbench.algorithms.lowrank.layers import Splittable
from workbench.attention import without_fused_attention
from workbench.candidate import with_parameters
from workbench.data import length, slices

WIDEST = 1_200  # inputs of one output; above, a patch covariance costs more than it gives
WIDEST_OUTPUT = 4_096  # outputs of a layer (or group); above, their covariance takes more than 130 MB
_ROWS = 4_096  # patches taken from one batch, at most


@dataclass(frozen=True, eq=False)
class Seen:
    """Second moments of one layer on some data, float64.

    Attributes:
        outputs: of the outputs without bias, per group, `(groups, out, out)`.
        output_mean: `(out,)`.
        is_centered: whether means were subtracted; so where the layer has a bias to put them in.
        channels: of the input channels, `(inp, inp)`; None for linear layers and lookups.
        patches: of what one output is computed from, `(inp · taps, inp · taps)`; None where that is too wide
            or nothing needs it.
        patch_mean: `(inp · taps,)`.
    """

    outputs: Tensor
    output_mean: Tensor
    is_centered: bool
    channels: Tensor | None = None
    patches: Tensor | None = None
    patch_mean: Tensor | None = None


class _Moments:
    """Sums of rows and of their products."""

    def __init__(self, groups: int = 1) -> None:
        self._groups = groups
        self._rows = 0
        self._sum: Tensor | float = 0.0
        self._products: Tensor | float = 0.0

    def add(self, rows: Tensor) -> None:
        """Count rows `(n, features)`."""
        rows = rows.double()  # float32 sums would hide directions that the data hardly show
        grouped = rows.reshape(len(rows), self._groups, -1).transpose(0, 1)
        self._rows += len(rows)
        self._sum = self._sum + rows.sum(0)
        self._products = self._products + grouped.mT @ grouped

    def moments(self, is_centered: bool) -> tuple[Tensor, Tensor]:
        """Mean `(features,)` and second moments `(groups, f, f)`."""
        mean = self._sum / self._rows
        products = self._products / self._rows
        if is_centered:
            grouped = mean.reshape(self._groups, -1, 1)
            products = products - grouped @ grouped.mT
        return mean, products

    @property
    def is_empty(self) -> bool:
        return self._rows == 0


class _Collector:
    """The moments of one layer, fed by a forward hook."""

    def __init__(self, layer: Splittable, needs_inputs: bool, seed: int) -> None:
        self._layer = layer
        shape = layer.shape
        self._needs_inputs = needs_inputs and shape.taps > 1 and shape.groups == 1
        self._needs_patches = self._needs_inputs and shape.inp * shape.taps <= WIDEST
        self._outputs, self._channels, self._patches = _Moments(shape.groups), _Moments(), _Moments()
        self._generator = torch.Generator().manual_seed(seed)

    def __call__(self, module: nn.Module, inputs: tuple[Tensor, ...], output: Tensor) -> None:
        bias = getattr(module, "bias", None)
        rows = _rows(output, bool(self._layer.shape.kernel))
        self._outputs.add(rows - bias.detach().float().cpu() if bias is not None else rows)
        if self._needs_inputs:
            self._channels.add(_rows(inputs[0], True))
        if self._needs_patches:
            self._patches.add(self._sampled(patches(module, inputs[0]).float().cpu()))

    def _sampled(self, rows: Tensor) -> Tensor:
        if len(rows) <= _ROWS:
            return rows
        return rows[torch.randperm(len(rows), generator=self._generator)[:_ROWS]]

    def seen(self) -> Seen | None:
        """The result; None for a layer that was never called."""
        if self._outputs.is_empty:
            return None
        is_centered = self._layer.has_bias
        mean, outputs = self._outputs.moments(is_centered)
        channels = None if self._channels.is_empty else self._channels.moments(False)[1][0]
        if self._patches.is_empty:
            return Seen(outputs, mean, is_centered, channels)
        patch_mean, seen_patches = self._patches.moments(is_centered)
        return Seen(outputs, mean, is_centered, channels, seen_patches[0], patch_mean)


def collect(
    model: nn.Module,
    layers: list[Splittable],
    batches: Iterator[Any],
    call: Callable[[nn.Module, Any], Any],
    *,
    samples: int,
    seed: int = 0,
    needs_inputs: bool = True,
) -> Mapping[str, Seen]:
    """What each layer sees on the first `samples` of some batches, by layer name.

    Layers that were not called, or whose outputs are too many for a covariance, are left out.

    Args:
        needs_inputs: also gather moments of the inputs of convolutions, which Tucker, spatial and CP use.
    """
    twin = with_parameters(model, {})  # hooks on a copy of the modules: the model may be in use elsewhere
    collectors = {
        each.name: _Collector(each, needs_inputs, seed)
        for each in layers
        if each.shape.out // each.shape.groups <= WIDEST_OUTPUT
    }
    for name, collector in collectors.items():
        twin.get_submodule(name).register_forward_hook(collector)
    left = samples
    with torch.no_grad(), without_fused_attention():
        for inputs, _ in batches:
            call(twin, slices(inputs, slice(0, left)))
            left -= min(left, length(inputs))
            if left <= 0:
                break
    found = {name: collector.seen() for name, collector in collectors.items()}
    return {name: seen for name, seen in found.items() if seen is not None}


def patches(module: nn.Module, inputs: Tensor) -> Tensor:
    """What each output of a convolution is computed from: `(outputs, inp · taps)`, in the weight's order."""
    axes = len(module.kernel_size)
    widths = module._reversed_padding_repeated_twice  # what torch itself pads with, "same" included
    mode = "constant" if module.padding_mode == "zeros" else module.padding_mode
    padded = functional.pad(inputs, widths, mode=mode) if any(widths) else inputs
    for axis in range(axes):
        size, step = module.kernel_size[axis], module.stride[axis]
        reach = module.dilation[axis] * (size - 1) + 1
        padded = padded.unfold(2 + axis, reach, step)[..., :: module.dilation[axis]]
    # n, inp, *positions, *kernel  ->  n, *positions, inp, *kernel
    order = [0, *range(2, 2 + axes), 1, *range(2 + axes, 2 + 2 * axes)]
    channels = inputs.shape[1]
    return padded.permute(order).reshape(-1, channels * int(torch.Size(module.kernel_size).numel()))


def _rows(tensor: Tensor, is_convolution: bool) -> Tensor:
    """Features last, everything else one after the other."""
    moved = tensor.movedim(1, -1) if is_convolution else tensor
    return moved.detach().reshape(-1, moved.shape[-1]).float().cpu()
