"""Multiply thin layers back into the one layer they stand for."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor, nn

from workbench.algorithms.lowrank.trace import CONVOLUTIONS, KINDS
from workbench.errors import WorkbenchError


def multiplied(layers: nn.Sequential) -> nn.Module:
    """The single linear, embedding or convolution layer that computes what a chain of them computes.

    Raises:
        WorkbenchError: the chain holds something else, or a bias before its last layer.
    """
    chain = list(layers)
    for each in chain[:-1]:
        if getattr(each, "bias", None) is not None:
            raise WorkbenchError("only the last of the thin layers may have a bias to be multiplied back")
    if len(chain) > 1 and all(type(each) is nn.Linear for each in chain[1:]):
        if type(chain[0]) is nn.Embedding:
            return _embedding(chain)
        if type(chain[0]) is nn.Linear:
            return _linear(chain)
    if len(chain) > 1 and type(chain[0]) in CONVOLUTIONS and len({type(each) for each in chain}) == 1:
        return _convolution(chain)
    kinds = ", ".join(type(each).__name__ for each in chain)
    raise WorkbenchError(f"{kinds} are not thin layers of one layer; give what Factorize made")


def multiplied_back(model: nn.Module, original: nn.Module) -> nn.Module:
    """`model` with every layer that is split, and whole in `original`, multiplied back into one."""
    from workbench.algorithms.lowrank.thin import replaced

    whole = dict(original.named_modules())
    new = {
        path: multiplied(module)
        for path, module in model.named_modules()
        if type(module) is nn.Sequential and type(whole.get(path)) in KINDS
    }
    return replaced(model, new)


def composed(weights: Sequence[Tensor]) -> Tensor:
    """The weight of convolutions after each other, each `(out, inp / groups, *kernel)`, applied in order.

    Along every axis at most one kernel may be wider than 1. Groups are those that fit the channels.
    """
    whole = weights[0]
    for weight in weights[1:]:
        whole = _after(weight, whole)
    return whole


def _after(second: Tensor, first: Tensor) -> Tensor:
    """`second` after `first`; where `second` has groups, each sees its own part of the channels."""
    axes = range(2, first.ndim)
    kernel = [max(first.shape[axis], second.shape[axis]) for axis in axes]
    groups = first.shape[0] // second.shape[1]
    out = second.shape[0] // groups
    left = _letters(second, "or", axes)
    right = _letters(first, "ri", axes)
    result = "oi" + "".join("abc"[axis - 2] for axis in axes if kernel[axis - 2] > 1)
    parts = []
    for group in range(groups):
        rows = second[group * out : (group + 1) * out].reshape(_squeezed(second, out, axes))
        inward = first[group * second.shape[1] : (group + 1) * second.shape[1]]
        inward = inward.reshape(_squeezed(first, second.shape[1], axes))
        parts.append(torch.einsum(f"{left},{right}->{result}", rows, inward))
    return torch.cat(parts).reshape(second.shape[0], first.shape[1], *kernel)


def _letters(weight: Tensor, channels: str, axes: range) -> str:
    return channels + "".join("abc"[axis - 2] for axis in axes if weight.shape[axis] > 1)


def _squeezed(weight: Tensor, rows: int, axes: range) -> tuple[int, ...]:
    return (rows, weight.shape[1], *(weight.shape[axis] for axis in axes if weight.shape[axis] > 1))


def _linear(chain: list[Any]) -> nn.Module:
    weight = composed([each.weight.detach() for each in chain])
    layer = nn.Linear(weight.shape[1], weight.shape[0], bias=chain[-1].bias is not None, device="meta")
    return _filled(layer, weight, chain[-1].bias)


def _embedding(chain: list[Any]) -> nn.Module:
    weight = composed([chain[0].weight.detach().T, *(each.weight.detach() for each in chain[1:])]).T
    if chain[-1].bias is not None:
        weight = weight + chain[-1].bias.detach()
    layer = nn.Embedding(*weight.shape, padding_idx=chain[0].padding_idx, device="meta")
    return _filled(layer, weight, None)


def _convolution(chain: list[Any]) -> nn.Module:
    weight = composed([each.weight.detach() for each in chain])
    axes = range(weight.ndim - 2)
    is_grouped = all(each.groups == chain[0].groups for each in chain)
    layer = type(chain[0])(
        chain[0].in_channels,
        chain[-1].out_channels,
        tuple(weight.shape[2:]),
        stride=tuple(_product(each.stride[axis] for each in chain) for axis in axes),
        padding=_padding(chain, axes),
        dilation=tuple(max(each.dilation[axis] for each in chain) for axis in axes),
        groups=chain[0].groups if is_grouped else 1,
        bias=chain[-1].bias is not None,
        padding_mode=chain[0].padding_mode,
        device="meta",
    )
    return _filled(layer, weight, chain[-1].bias)


def _padding(chain: list[Any], axes: range) -> str | tuple[int, ...]:
    named = next((each.padding for each in chain if isinstance(each.padding, str)), None)
    return named or tuple(sum(each.padding[axis] for each in chain) for axis in axes)


def _product(values: Any) -> int:
    result = 1
    for value in values:
        result *= value
    return result


def _filled(layer: nn.Module, weight: Tensor, bias: Tensor | None) -> nn.Module:
    layer.weight = nn.Parameter(weight.contiguous())
    if bias is not None and getattr(layer, "bias", None) is not None:
        layer.bias = nn.Parameter(bias.detach().clone())
    return layer.eval()
