"""Batch norms multiplied into the layers before them: the same outputs from fewer layers."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any

import torch
from torch import Tensor, nn
from torch.utils._pytree import tree_leaves

from workbench.candidate import Candidate, with_parameters
from workbench.constraints import Constraints, Mask
from workbench.errors import listed
from workbench.workload import Workload

_TRANSPOSED = (nn.ConvTranspose1d, nn.ConvTranspose2d, nn.ConvTranspose3d)
_LAYERS = (nn.Linear, nn.Conv1d, nn.Conv2d, nn.Conv3d, *_TRANSPOSED)
_NORMS = (nn.BatchNorm1d, nn.BatchNorm2d, nn.BatchNorm3d)
_CLOSE = 1e-3  # of the largest output: how far outputs may move by another order of float32 operations


@dataclass(frozen=True)
class Pair:
    """A layer and the batch norm that takes its output, by path."""

    layer: str
    norm: str


def folded(candidate: Candidate, work: Workload) -> Candidate:
    """The candidate with every batch norm folded that can be; a note names those that cannot.

    Which layer a batch norm follows is seen in a forward pass of the example, and what was folded is kept
    only where the outputs stay the same.
    """
    pairs = [each for each in found_pairs(candidate, work) if _can(candidate, each)]
    made = _without(candidate, pairs)
    expected = candidate.call(work, work.example)
    if not _close(made.call(work, work.example), expected):  # an output that somebody else reads, too
        made = candidate
        for pair in pairs:
            tried = _without(made, [pair])
            made = tried if _close(tried.call(work, work.example), expected) else made
    left = [path for path, each in made.model.named_modules() if isinstance(each, _NORMS)]
    return made.noting(f"batch norms that could not be folded: {listed(left, 6)}") if left else made


def found_pairs(candidate: Candidate, work: Workload) -> list[Pair]:
    """Batch norms that take the very output of a layer, each of both called once for one example."""
    twin = with_parameters(candidate.model, {})  # hooks on a copy of the modules
    outputs: dict[str, list[Any]] = {}
    inputs: dict[str, list[Any]] = {}
    for path, module in twin.named_modules():
        if isinstance(module, _LAYERS):
            module.register_forward_hook(_keeping_output(outputs.setdefault(path, [])))
        elif isinstance(module, _NORMS):
            module.register_forward_pre_hook(_keeping_input(inputs.setdefault(path, [])))
    with torch.no_grad():
        work.call(twin, work.example)
    makers = {id(made[0]): path for path, made in outputs.items() if len(made) == 1}
    taken = {path: makers.get(id(given[0])) for path, given in inputs.items() if len(given) == 1}
    return [Pair(layer, norm) for norm, layer in taken.items() if layer is not None]


def _keeping_output(kept: list[Any]) -> Callable[..., None]:
    return lambda module, inputs, output: kept.append(output)


def _keeping_input(kept: list[Any]) -> Callable[..., None]:
    return lambda module, inputs: kept.append(inputs[0])


def _can(candidate: Candidate, pair: Pair) -> bool:
    """Whether the weight is the layer's own and free of grids, and the batch norm has statistics."""
    layer, norm = (candidate.model.get_submodule(path) for path in (pair.layer, pair.norm))
    if norm.running_mean is None or (isinstance(layer, _TRANSPOSED) and layer.groups > 1):
        return False
    if norm.num_features != _channels(layer):
        return False
    chain = candidate.constraints.get(f"{pair.layer}.weight", ())
    is_free = (
        all(isinstance(each, Mask) for each in chain) and f"{pair.layer}.bias" not in candidate.constraints
    )
    mine = {id(each) for each in layer.parameters()}
    users = [p for m in candidate.model.modules() for p in m.parameters(recurse=False) if id(p) in mine]
    return is_free and len(users) == len(mine)


def _channels(layer: nn.Module) -> int:
    return layer.out_features if isinstance(layer, nn.Linear) else layer.out_channels


def _without(candidate: Candidate, pairs: Sequence[Pair]) -> Candidate:
    """The candidate with the batch norms of some pairs multiplied into their layers."""
    model, latent = with_parameters(candidate.model, {}), dict(candidate.latent)
    for pair in pairs:
        layer, norm = model.get_submodule(pair.layer), model.get_submodule(pair.norm)
        factor = torch.rsqrt(norm.running_var + norm.eps)
        factor = factor if norm.weight is None else factor * norm.weight.detach()
        offset = 0.0 if norm.bias is None else norm.bias.detach()
        bias = 0.0 if layer.bias is None else layer.bias.detach()
        trains = layer.weight.requires_grad
        name = f"{pair.layer}.weight"
        if name in latent:
            latent[name] = _times(latent[name], factor, layer)
        layer.weight = nn.Parameter(_times(layer.weight.detach(), factor, layer), requires_grad=trains)
        layer.bias = nn.Parameter((bias - norm.running_mean) * factor + offset, requires_grad=trains)
        parent, _, child = pair.norm.rpartition(".")
        setattr(model.get_submodule(parent), child, nn.Identity())
    names = {name for name, _ in model.named_parameters()}
    latent = {name: each for name, each in latent.items() if name in names}
    constraints = Constraints({name: chain for name, chain in candidate.constraints.items() if name in names})
    return replace(candidate, model=model.eval(), constraints=constraints, latent=latent)


def _times(weight: Tensor, factor: Tensor, layer: nn.Module) -> Tensor:
    shape = [1] * weight.ndim
    shape[1 if isinstance(layer, _TRANSPOSED) else 0] = -1
    return (weight * factor.reshape(shape).to(weight.dtype)).contiguous()


def _close(outputs: Any, expected: Any) -> bool:
    pairs = list(zip(tree_leaves(outputs), tree_leaves(expected), strict=True))
    numbers = [(a, b) for a, b in pairs if isinstance(b, Tensor) and b.is_floating_point() and b.numel()]
    return all(bool(((a - b).abs() <= _CLOSE * b.abs().max().clamp_min(1e-6)).all()) for a, b in numbers)
