"""Students made from the teacher: thinner, with fewer blocks, with separated convolutions, or begun anew."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import torch
from torch import nn

from workbench.algorithms.distillation import spelling
from workbench.algorithms.distillation.fresh import initialised
from workbench.algorithms.distillation.points import points
from workbench.algorithms.distillation.refitting import CONVOLUTIONS, refit
from workbench.algorithms.distillation.taps import first_tensor
from workbench.algorithms.distillation.widths import scaled
from workbench.errors import WorkloadError
from workbench.plain import own_copy
from workbench.structure.layer_types import type_name

if TYPE_CHECKING:
    from workbench.workload import Workload


def made(teacher: nn.Module, work: Workload, wanted: spelling.Made, seed: int) -> nn.Module:
    """A new net of the teacher's layers, begun from `seed`, in eval mode.

    Raises:
        WorkloadError: the teacher has nothing to drop or to separate, or does not run in the new shape.
    """
    if wanted.kind == "width":
        net = scaled(teacher, work, wanted.width)
    elif wanted.kind == spelling.SHALLOWER:
        net = shallower(teacher, work)
    elif wanted.kind == spelling.DEPTHWISE:
        net = separated(teacher, work)
    else:
        net = own_copy(teacher)
    for parameter in net.parameters():
        parameter.requires_grad_(parameter.is_floating_point())  # a layer frozen in the teacher learns here
    return initialised(net, seed)


def shallower(teacher: nn.Module, work: Workload) -> nn.Module:
    """A copy without half of its blocks, evenly over the depth.

    A block is a child of a container that gives what it takes, in shape, and holds weights. A net without
    blocks loses every second hidden layer instead, and the layer that follows is made to fit.

    Raises:
        WorkloadError: there are fewer than two hidden layers.
    """
    short = own_copy(teacher)
    hidden = [each.path for each in points(short, work)]
    places = _weighted(short, work)
    blocks = [path for path in places if _keeps_shape(short, work, path) and not _is_layer(short, path)]
    if blocks:
        dropped = _every_second(blocks, max(1, min(len(blocks), len(hidden) // 2)))
    else:
        layers = [path for path in places if _is_layer(short, path)]
        dropped = layers[1::2]
    if not dropped:
        raise WorkloadError(f"{work.name} has no block to drop; try student='half-width'")
    for path in reversed(dropped):
        _drop(short, path)
    refit(short, work, "shallower")
    return short


def separated(teacher: nn.Module, work: Workload) -> nn.Module:
    """A copy whose wide convolutions are a depthwise and a 1×1 one (Howard 2017), where that is smaller.

    Raises:
        WorkloadError: there is no such convolution.
    """
    separate = own_copy(teacher)
    places = [path for path, each in separate.named_modules() if _can_be_separated(each)]
    if not places:
        raise WorkloadError(f"{work.name} has no convolution to separate; try student='half-width'")
    for path in places:
        holder, _, name = path.rpartition(".")
        layer: Any = separate.get_submodule(path)
        setattr(separate.get_submodule(holder), name, _two_layers(layer))
    return separate


def _two_layers(layer: Any) -> nn.Sequential:
    kind = type(layer)
    device, dtype = layer.weight.device, layer.weight.dtype
    each = kind(
        layer.in_channels, layer.in_channels, layer.kernel_size, layer.stride, layer.padding, layer.dilation,
        groups=layer.in_channels, bias=False, padding_mode=layer.padding_mode, device=device, dtype=dtype,
    )  # fmt: skip
    has_bias = layer.bias is not None
    across = kind(layer.in_channels, layer.out_channels, 1, bias=has_bias, device=device, dtype=dtype)
    return nn.Sequential(each, across).train(layer.training)


def _can_be_separated(layer: Any) -> bool:
    is_convolution = isinstance(layer, CONVOLUTIONS) and type_name(layer) in ("Conv1d", "Conv2d", "Conv3d")
    if not is_convolution or layer.groups != 1:
        return False
    window = math.prod(layer.kernel_size)
    ours = layer.in_channels * (window + layer.out_channels)
    return ours < window * layer.in_channels * layer.out_channels and layer.in_channels > 1


def _weighted(model: nn.Module, work: Workload) -> list[str]:
    """Children with weights, containers opened, in the order they run, less those that give the output."""
    from workbench.algorithms.distillation.points import every_point, units

    ran = every_point(model, work)
    found = []
    for path in units(model):
        layer = model.get_submodule(path)
        is_norm = isinstance(layer, nn.modules.batchnorm._NormBase | nn.LayerNorm | nn.GroupNorm)
        if path in ran and not ran[path].is_output and not is_norm and any(True for _ in layer.parameters()):
            found.append(path)
    return sorted(found, key=lambda path: ran[path].depth)


def _is_layer(model: nn.Module, path: str) -> bool:
    """Whether this is a single layer of torch.nn, and no block."""
    return type_name(model.get_submodule(path)) is not None


def _keeps_shape(model: nn.Module, work: Workload, path: str) -> bool:
    shapes: list[Any] = []

    def watch(layer: nn.Module, args: tuple[Any, ...], output: Any) -> None:
        inputs, outputs = first_tensor(args), first_tensor(output)
        shapes[:] = [None if each is None else each.shape for each in (inputs, outputs)]

    handle = model.get_submodule(path).register_forward_hook(watch)
    try:
        with torch.no_grad():
            work.call(model, work.example)
    finally:
        handle.remove()
    return bool(shapes) and shapes[0] is not None and shapes[0] == shapes[1]


def _every_second(blocks: list[str], count: int) -> list[str]:
    """So many of them, evenly, the last one among them."""
    return [blocks[round((index + 1) * len(blocks) / count) - 1] for index in range(count)]


def _drop(model: nn.Module, path: str) -> None:
    """Take a block out: of a list it is gone, elsewhere what comes in goes on as it is."""
    holder, _, name = path.rpartition(".")
    parent = model.get_submodule(holder)
    if isinstance(parent, nn.ModuleList):
        del parent[int(name)]
    else:
        setattr(parent, name, nn.Identity())
