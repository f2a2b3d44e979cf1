"""Where features can be taken from a net: its units in the order they run, with the shapes they give."""

from __future__ import annotations

from contextlib import ExitStack
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor, nn

from workbench.algorithms.distillation.taps import first_tensor

if TYPE_CHECKING:
    from workbench.workload import Workload

_CHANNELS_LAST = (nn.Linear, nn.LayerNorm, nn.MultiheadAttention, nn.Embedding, nn.RNNBase)
_CHANNELS_FIRST = (nn.modules.conv._ConvNd, nn.modules.batchnorm._NormBase, nn.GroupNorm)
_HOLDERS = (nn.Sequential, nn.ModuleList, nn.ModuleDict)
_NORMS = (nn.modules.batchnorm._NormBase, nn.LayerNorm, nn.GroupNorm, nn.LocalResponseNorm)


@dataclass(frozen=True)
class Point:
    """A layer's output: what one sample has there.

    Attributes:
        path: of the layer. depth: from 0 (the input) to 1 (the output), by the order in which layers run.
        shape: without the batch dimension. channel_dim: of the batch, 1 or -1.
        is_output: whether it is what the model gives.
    """

    path: str
    shape: tuple[int, ...]
    channel_dim: int
    depth: float
    is_output: bool = False

    @property
    def channels(self) -> int:
        """How many features there are at each position."""
        return self.shape[0 if self.channel_dim == 1 else -1]

    @property
    def positions(self) -> tuple[int, ...]:
        """Height and width of a map, the length of a sequence, nothing for a vector."""
        return self.shape[1:] if self.channel_dim == 1 else self.shape[:-1]

    def __str__(self) -> str:
        return f"{self.path} ({'×'.join(map(str, self.shape)) or 'scalar'})"


def points(model: nn.Module, work: Workload) -> list[Point]:
    """The places worth pairing, in order: each block, or layer with weights, past its norm and activation.

    A block is a child of the model, or of the containers it is made of. The model's output is no place.
    """
    ran = every_point(model, work)
    found: list[Point] = []
    for path in units(model):
        point = ran.get(path)
        if point is None:
            continue
        layer = model.get_submodule(path)
        has_weights = next(layer.parameters(), None) is not None and not isinstance(layer, _NORMS)
        if has_weights:
            found.append(point)
        elif found and point.shape == found[-1].shape and point.depth > found[-1].depth:
            found[-1] = point  # a norm or an activation: the same features, further on
    found.sort(key=lambda each: each.depth)
    return [each for each in found if not each.is_output]


def every_point(model: nn.Module, work: Workload) -> dict[str, Point]:
    """Every layer that runs on the workload's example and gives a tensor, by path, in order of completion."""
    order: dict[str, tuple[Tensor, nn.Module]] = {}

    def watch(path: str) -> Any:
        def keep(layer: nn.Module, inputs: Any, output: Any) -> None:
            if (tensor := first_tensor(output)) is not None and tensor.ndim > 1:
                order.pop(path, None)
                order[path] = tensor, layer

        return keep

    with ExitStack() as stack, torch.no_grad():
        for path, layer in model.named_modules():
            if path:
                stack.callback(layer.register_forward_hook(watch(path)).remove)
        outputs = work.call(model, work.example) if work.example is not None else None
    final = first_tensor(outputs)
    return {
        path: Point(
            path,
            tuple(tensor.shape[1:]),
            _channel_dim(layer, tensor),
            (index + 1) / len(order),
            final is not None and _is_same(tensor, final),
        )
        for index, (path, (tensor, layer)) in enumerate(order.items())
    }


def _is_same(one: Tensor, other: Tensor) -> bool:
    return one.data_ptr() == other.data_ptr() and one.shape == other.shape


def _channel_dim(layer: nn.Module, tensor: Tensor) -> int:
    if tensor.ndim == 2:
        return 1
    last = next(
        (
            each
            for each in reversed(list(layer.modules()))
            if isinstance(each, (*_CHANNELS_LAST, *_CHANNELS_FIRST))
        ),
        None,
    )
    if last is None:
        return 1 if tensor.ndim > 3 else -1
    return -1 if isinstance(last, _CHANNELS_LAST) else 1


def units(model: nn.Module, path: str = "") -> list[str]:
    """Children of the model, containers and what holds a list of blocks opened."""
    found: list[str] = []
    for name, child in model.named_children():
        inner = f"{path}.{name}" if path else name
        is_open = isinstance(child, _HOLDERS) or any(
            isinstance(each, nn.ModuleList) for each in child.children()
        )
        found += units(child, inner) if is_open and list(child.children()) else [inner]
    return found
