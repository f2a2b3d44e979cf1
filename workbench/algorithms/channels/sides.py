"""What the two sides of a layer are made of: which axes of which tensors, and which numbers it keeps.

A layer's side is what `torch_pruning` prunes with one function; here it is data, so that the weights of a
candidate, their constraints and their free weights are all cut by the same indices.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field

import torch
from torch import Tensor, nn

from workbench.algorithms.channels.records import BOTH, IN, INNER, OUT

CONVOLUTIONS = nn.modules.conv._ConvNd
BATCH_NORMS = (nn.modules.batchnorm._BatchNorm, nn.modules.instancenorm._InstanceNorm)


@dataclass(frozen=True)
class Axis:
    """One axis of one of a layer's own tensors (`out_proj.weight` for one of a child's).

    `places` gives its indices for the layer's channel numbers.
    """

    tensor: str
    axis: int
    places: Callable[[Tensor], Tensor] = field(default=lambda index: index)


def axes(module: nn.Module, side: str) -> Iterator[Axis]:
    """The axes that shrink when a layer loses channels on one side."""
    if isinstance(module, nn.MultiheadAttention):
        yield from _attention(module)
    elif isinstance(module, CONVOLUTIONS):
        yield from _convolution(module, side)
    elif isinstance(module, nn.Linear):
        yield Axis("weight", 0 if side == OUT else 1)
        if side == OUT:
            yield Axis("bias", 0)
    elif isinstance(module, nn.Embedding):
        yield Axis("weight", 1)
    elif isinstance(module, nn.RNNBase):
        yield from (Axis(name, 1) for name in ("weight_ih_l0", "weight_ih_l0_reverse"))
    elif isinstance(module, nn.LayerNorm | nn.RMSNorm):
        yield from (Axis(name, -1) for name in ("weight", "bias"))
    else:  # batch, instance and group normalization, PReLU
        yield from (Axis(name, 0) for name in ("weight", "bias", "running_mean", "running_var"))


def shrink(module: nn.Module, side: str, count: int) -> None:
    """Write into a layer that `count` channels of one side are gone; its tensors are cut elsewhere."""
    if isinstance(module, CONVOLUTIONS):
        if side in (OUT, BOTH):
            module.out_channels -= count
        if side in (IN, BOTH):
            module.in_channels -= count
        if side == BOTH:
            module.groups -= count
    elif isinstance(module, nn.Linear):
        name = "out_features" if side == OUT else "in_features"
        setattr(module, name, getattr(module, name) - count)
    elif isinstance(module, nn.Embedding):
        module.embedding_dim -= count
    elif isinstance(module, nn.RNNBase):
        module.input_size -= count
    elif isinstance(module, nn.LayerNorm | nn.RMSNorm):
        *rest, last = module.normalized_shape
        module.normalized_shape = (*rest, last - count)
    elif isinstance(module, BATCH_NORMS):
        module.num_features -= count
    elif isinstance(module, nn.GroupNorm):
        module.num_channels -= count
    elif isinstance(module, nn.PReLU):
        module.num_parameters -= count


def blocks(module: nn.Module, side: str) -> int:
    """Into how many equal blocks a layer divides the channels of a side; each must lose equally many."""
    if isinstance(module, CONVOLUTIONS) and side != BOTH:
        return module.groups
    return module.num_groups if isinstance(module, nn.GroupNorm) else 1


def trouble(module: nn.Module, side: str) -> str:
    """Why a layer of this type cannot lose channels on this side, or nothing."""
    kind = type(module).__name__
    if isinstance(module, nn.RNNBase) and side != IN:
        return f"are the state of a {kind}, which its gates use whole"
    if isinstance(module, nn.MultiheadAttention) and side != INNER:
        return "are the width that attention shares with the layers around it; its heads can go"
    if isinstance(module, nn.LayerNorm | nn.RMSNorm) and len(module.normalized_shape) != 1:
        return f"are normalized together with other axes by a {kind}"
    if isinstance(module, nn.PReLU) and module.num_parameters == 1:
        return ""
    return ""


def _convolution(module: CONVOLUTIONS, side: str) -> Iterator[Axis]:
    out, inp = (1, 0) if module.transposed else (0, 1)
    if side == BOTH:
        yield Axis("weight", 0)
        yield Axis("bias", 0)
    elif side == OUT:
        size = module.out_channels // module.groups
        yield Axis("weight", out, _within(size) if module.transposed and module.groups > 1 else _same)
        yield Axis("bias", 0)
    else:
        size = module.in_channels // module.groups
        yield Axis("weight", inp, _same if module.transposed or module.groups == 1 else _within(size))


def _attention(module: nn.MultiheadAttention) -> Iterator[Axis]:
    inner = module.num_heads * module.head_dim
    yield from (Axis(name, 0, _thrice(inner)) for name in ("in_proj_weight", "in_proj_bias"))
    yield Axis("out_proj.weight", 1)


def _same(index: Tensor) -> Tensor:
    return index


def _within(size: int) -> Callable[[Tensor], Tensor]:
    """A grouped weight has one axis for all blocks: the same places go in each."""
    return lambda index: (index % size).unique()


def _thrice(inner: int) -> Callable[[Tensor], Tensor]:
    """Queries, keys and values stand one below the other."""
    return lambda index: torch.cat([index, index + inner, index + 2 * inner])
