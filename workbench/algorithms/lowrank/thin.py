"""Factors as plain torch.nn layers, in the place of the layer they came from."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor, nn

from workbench.algorithms.lowrank.layers import Splittable
from workbench.algorithms.lowrank.split import Factors
from workbench.candidate import with_parameters


def thin(layer: Splittable, factors: Factors) -> nn.Sequential:
    """The layers that take a layer's place: plain, in eval mode, in its dtype and on its device.

    Only the last one has a bias; stride, padding and dilation are where the kernel is.
    """
    module = layer.module
    if isinstance(module, nn.Linear):
        layers = [_linear(each) for each in factors.weights]
    elif isinstance(module, nn.Embedding):
        layers = [_embedding(module, factors.weights[0]), *map(_linear, factors.weights[1:])]
    else:
        layers = _convolutions(module, factors.weights)
    if layer.has_bias:
        bias = module.bias.detach().clone()
        layers[-1].bias = nn.Parameter(bias if factors.offset is None else bias + factors.offset.to(bias))
    chain = nn.Sequential(*layers).to(module.weight.device, module.weight.dtype)
    return chain.requires_grad_(module.weight.requires_grad).eval()


def replaced(model: nn.Module, new: Mapping[str, nn.Module]) -> nn.Module:
    """`model` with modules replaced by path; every other tensor is shared with it."""
    twin = with_parameters(model, {})
    for path, module in new.items():
        parent, _, name = path.rpartition(".")
        twin.get_submodule(parent)._modules[name] = module
        _leave_fused_path(twin, parent)
    return twin


def _leave_fused_path(model: nn.Module, path: str) -> None:
    """Let an `nn.TransformerEncoderLayer` call its linear layers: its fused path reads `linear1.weight`."""
    while True:
        module = model.get_submodule(path)
        if isinstance(module, nn.TransformerEncoderLayer):
            module.activation_relu_or_gelu = 0
        if isinstance(module, nn.TransformerEncoder) and hasattr(module, "use_nested_tensor"):
            module.use_nested_tensor = False
        if not path:
            return
        path = path.rpartition(".")[0]


def _linear(weight: Tensor) -> nn.Linear:
    layer = nn.Linear(weight.shape[1], weight.shape[0], bias=False, device="meta")
    return _filled(layer, weight)


def _embedding(module: nn.Embedding, weight: Tensor) -> nn.Embedding:
    rank, entries = weight.shape
    layer = nn.Embedding(entries, rank, padding_idx=module.padding_idx, device="meta")
    return _filled(layer, weight.T)


def _convolutions(module: Any, weights: tuple[Tensor, ...]) -> list[Any]:
    channels, layers = module.in_channels, []
    carriers = [_carrier(weights, axis, size) for axis, size in enumerate(module.kernel_size)]
    for index, weight in enumerate(weights):
        is_here = [carrier == index for carrier in carriers]
        layer = type(module)(
            channels,
            weight.shape[0],
            tuple(weight.shape[2:]),
            stride=_there(module.stride, is_here, 1),
            padding=module.padding if isinstance(module.padding, str) else _there(module.padding, is_here, 0),
            dilation=_there(module.dilation, is_here, 1),
            groups=channels // weight.shape[1],
            bias=False,
            padding_mode=module.padding_mode,
            device="meta",
        )
        layers.append(_filled(layer, weight))
        channels = weight.shape[0]
    return layers


def _carrier(weights: tuple[Tensor, ...], axis: int, size: int) -> int:
    """Which factor moves along an axis; the first, where the kernel has no extent there."""
    return next(index for index, weight in enumerate(weights) if weight.shape[2 + axis] == size)


def _there(values: tuple[int, ...], is_here: list[bool], otherwise: int) -> tuple[int, ...]:
    return tuple(value if here else otherwise for value, here in zip(values, is_here, strict=True))


def _filled(layer: Any, weight: Tensor) -> Any:
    layer.weight = nn.Parameter(weight.detach().clone(memory_format=torch.contiguous_format))
    return layer
