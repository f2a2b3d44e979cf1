"""A student whose every layer is a share as wide: the teacher's own structure, thinner."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor, nn

from workbench.algorithms.distillation.refitting import CONVOLUTIONS, change, divisor, refit
from workbench.errors import WorkloadError
from workbench.plain import own_copy
from workbench.structure.layer_types import type_name

if TYPE_CHECKING:
    from workbench.workload import Workload

_OUT = ((nn.Linear, "out_features"), (CONVOLUTIONS, "out_channels"), (nn.Embedding, "embedding_dim"))
_RECURRENT = ("hidden_size", "proj_size")


def scaled(model: nn.Module, work: Workload, factor: float) -> nn.Module:
    """A copy with every hidden width times `factor`, rounded and at least 1; weights not yet initialised.

    The layers whose outputs are the model's outputs keep their width. So half the width is about a quarter
    of the weights.

    Raises:
        WorkloadError: the forward pass has sizes of its own, or nothing can get thinner.
    """
    thin = own_copy(model)
    kept = _output_layers(thin, work)
    widths: dict[int, int] = {}
    for path, layer in thin.named_modules():
        if path in kept or type_name(layer) is None:
            continue
        for name in _out_arguments(layer):
            before = getattr(layer, name)
            if before and not _is_depthwise(layer):
                widths[before] = max(1, round(before * factor))
                change(layer, **{name: widths[before]}, **_groups(layer, widths[before]))
    if not widths:
        raise WorkloadError(f"{work.name} has no hidden layer whose width could change; try student='fresh'")
    _scale_own_tensors(thin, widths)
    refit(thin, work, f"{factor:g} times as wide")
    return thin


def _out_arguments(layer: nn.Module) -> tuple[str, ...]:
    if isinstance(layer, nn.RNNBase):
        return _RECURRENT if getattr(layer, "proj_size", 0) else _RECURRENT[:1]
    return tuple(name for kind, name in _OUT if isinstance(layer, kind))


def _groups(layer: Any, width: int) -> dict[str, int]:
    """As many groups as a convolution of this width can have."""
    is_grouped = isinstance(layer, CONVOLUTIONS) and layer.groups > 1
    return {"groups": divisor(layer.groups, layer.in_channels, width)} if is_grouped else {}


def _is_depthwise(layer: Any) -> bool:
    """Whether its channels are its input's: they follow when it is refitted."""
    return isinstance(layer, CONVOLUTIONS) and layer.groups > 1 and layer.groups == layer.in_channels


def _scale_own_tensors(model: nn.Module, widths: dict[int, int]) -> None:
    """Parameters of a person's own modules (position codes, scales): one dimension of a known width."""
    for module in model.modules():
        if type_name(module) is not None or type(module).__module__.startswith("torch.nn"):
            continue
        for name, parameter in list(module.named_parameters(recurse=False)):
            shape = list(parameter.shape)
            at = next((d for d in (-1, *range(len(shape) - 1)) if shape and shape[d] in widths), None)
            if at is None:
                continue
            shape[at] = widths[shape[at]]
            values = torch.randn(shape, dtype=parameter.dtype) * parameter.std().item()
            setattr(module, name, nn.Parameter(values.to(parameter.device) + parameter.mean().item()))


def _output_layers(model: nn.Module, work: Workload) -> set[str]:
    """The layers whose channels are the model's outputs, with nothing that changes width in between.

    Found in the graph of gradients: from the outputs back to the first layers that could change their width.
    """
    owners = {
        id(parameter): path
        for path, module in model.named_modules()
        for parameter in module.parameters(recurse=False)
        if type_name(module) is not None and _out_arguments(module) and not _is_depthwise(module)
    }
    before = [(each, each.requires_grad) for each in model.parameters()]
    try:
        for each, _ in before:
            each.requires_grad_(each.is_floating_point())
        with torch.enable_grad():
            pending = [each.grad_fn for each in _tensors(work.call(model, work.example))]
    finally:
        for each, was in before:
            each.requires_grad_(was)
    found: set[str] = set()
    visited: set[Any] = set()
    while pending:
        node = pending.pop()
        if node is None or node in visited:
            continue
        visited.add(node)
        following = [each for each, _ in node.next_functions if each is not None]
        reached = {path for each in following if (path := owners.get(_variable(each))) is not None}
        found |= reached
        if not reached:
            pending += following
    return found


def _variable(node: Any) -> int:
    """The id of the parameter at a leaf, also behind a transposition; 0 where there is none."""
    while not hasattr(node, "variable"):
        following = [each for each, _ in node.next_functions if each is not None]
        if len(following) != 1 or not type(node).__name__.startswith(("TBackward", "Transpose", "Permute")):
            return 0
        node = following[0]
    return id(node.variable)


def _tensors(value: Any) -> list[Tensor]:
    if isinstance(value, Tensor):
        return [value]
    values = value.values() if isinstance(value, dict) else value if isinstance(value, (tuple, list)) else ()
    return [tensor for each in values for tensor in _tensors(each)]
