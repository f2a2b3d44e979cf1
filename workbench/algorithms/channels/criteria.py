"""What each unit of each group is worth, by five criteria; small is unimportant.

- `l1`, `l2`: the mean absolute (root mean square) weight of what makes a channel; Li et al. 2017, "Pruning
  Filters for Efficient ConvNets".
- `batch_norm`: the absolute scale of the batch normalization behind it; Liu et al. 2017, "Network Slimming".
- `taylor`: how much the loss is expected to change without it, the squared sum of gradient times weight,
  averaged over batches; Molchanov et al. 2019, "Importance Estimation for Neural Network Pruning".
- `random`: drawn from a seed, to compare with.

Where several layers make a channel together its worth is the mean of theirs.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import torch
from torch import Tensor, nn

from workbench.algorithms.channels import sides
from workbench.algorithms.channels.records import BOTH, OUT, Group, Part
from workbench.candidate import with_parameters
from workbench.data import Batches, length, slices
from workbench.errors import RecipeError
from workbench.workload import Workload

CRITERIA = ("l1", "l2", "batch_norm", "taylor", "random")
_NORMS = nn.modules.batchnorm._BatchNorm

Scores = Mapping[str, Tensor]  # by group, one per unit


def scores(
    groups: Sequence[Group], model: nn.Module, criterion: str, work: Workload, samples: int, seed: int
) -> dict[str, Tensor]:
    """What each unit of the groups that can be cut is worth. A group that the criterion says nothing of
    (one without batch normalization) is left out.

    Raises:
        RecipeError: `taylor` without training data.
    """
    free = [each for each in groups if not each.locked]
    if criterion == "random":
        generator = torch.Generator().manual_seed(seed)
        return {each.name: torch.rand(each.units, generator=generator) for each in free}
    with torch.no_grad():
        modules = dict(model.named_modules())
        if criterion == "batch_norm":
            found = {each.name: _of_norms(each, modules) for each in free}
        elif criterion == "taylor":
            found = _taylor(free, model, work, samples)
        else:
            found = {each.name: _of_makers(each, modules, 1 if criterion == "l1" else 2) for each in free}
    return {each.name: _by_unit(found[each.name], each) for each in free if found[each.name] is not None}


def _of_makers(group: Group, modules: Mapping[str, nn.Module], power: int) -> Tensor:
    """The mean of `|w| ** power` over what makes each channel, averaged over the layers that make it."""
    found = []
    for part in _making(group, modules):
        rows = [each.flatten(1) for each in _rows(modules[part.layer], part)]
        sums = torch.stack([torch.linalg.vector_norm(each, power, dim=1) ** power for each in rows]).sum(0)
        count = sum(each.shape[1] for each in rows)
        found.append(_spread((sums / count) ** (1 / power), part, group.channels))
    return _mean(found)


def _of_norms(group: Group, modules: Mapping[str, nn.Module]) -> Tensor | None:
    parts = [p for p in group.parts if p.axis is None and isinstance(modules[p.layer], _NORMS)]
    found = [
        _spread(modules[part.layer].weight.detach().abs()[part.index], part, group.channels)
        for part in parts
        if modules[part.layer].weight is not None
    ]
    return _mean(found) if found else None


def _taylor(
    groups: Sequence[Group], model: nn.Module, work: Workload, samples: int
) -> dict[str, Tensor | None]:
    """Mean over batches of the squared sum of gradient times weight of what makes each channel, or of the
    batch normalization right behind it where there is one (the gate of the paper).
    """
    if work.train is None:
        raise RecipeError(
            f"criterion='taylor' needs gradients on training data, and {work.name} has none; "
            "give Workload(net, train=loader), or take criterion='l1'"
        )
    with torch.inference_mode(False), torch.enable_grad():
        twin = with_parameters(model, {n: p.detach().clone() for n, p in model.named_parameters()}).eval()
        for each in twin.parameters():
            each.requires_grad_(each.is_floating_point())
        modules = dict(twin.named_modules())
        sums = {each.name: torch.zeros(each.channels) for each in groups}
        batches = 0
        for inputs, targets in bounded(work.train, samples):
            twin.zero_grad()
            work.loss(work.call(twin, inputs), targets).backward()
            with torch.no_grad():
                for each in groups:
                    sums[each.name] += _change(each, modules)
            batches += 1
    return {name: total / max(1, batches) for name, total in sums.items()}


def _change(group: Group, modules: Mapping[str, nn.Module]) -> Tensor:
    """The squared first-order change of the loss without each channel."""
    norms = [p for p in group.parts if p.axis is None and p.side == BOTH]
    parts = [p for p in norms if isinstance(modules[p.layer], _NORMS) and modules[p.layer].affine]
    gates = parts or list(_making(group, modules))
    found = []
    for part in gates:
        rows = [each.flatten(1).sum(1) for each in _products(modules[part.layer], part)]
        found.append(_spread(torch.stack(rows).sum(0) ** 2, part, group.channels))
    return _mean(found)


def bounded(data: Batches, samples: int) -> Iterator[tuple[Any, Any]]:
    """The first batches, with `samples` samples at most."""
    left = samples
    for inputs, targets in data:
        take = min(left, length(targets))
        if take < length(targets):
            inputs, targets = slices(inputs, slice(take)), slices(targets, slice(take))
        yield inputs, targets
        left -= take
        if left <= 0:
            return


def _making(group: Group, modules: Mapping[str, nn.Module]) -> Iterator[Part]:
    """The parts whose weights make the group's channels; depthwise layers only where nothing else does."""
    makers = [p for p in group.parts if p.layer in group.makers and p.side != BOTH]
    is_made = [p for p in makers if p.side == OUT or isinstance(modules[p.layer], nn.MultiheadAttention)]
    yield from is_made or [p for p in group.parts if p.layer in group.makers]


def _rows(module: nn.Module, part: Part) -> list[Tensor]:
    """A layer's weights with the channels of a part in front, `(channels, ...)`."""
    if isinstance(module, nn.MultiheadAttention):
        return [each[part.index] for each in module.in_proj_weight.detach().chunk(3)]
    return [_in_front(module, module.weight.detach(), part)]


def _products(module: nn.Module, part: Part) -> list[Tensor]:
    """Gradient times weight (and bias) with the channels in front."""
    pairs = [(each, each.grad) for each in module.parameters(recurse=False) if each.grad is not None]
    if isinstance(module, nn.MultiheadAttention):
        return [
            piece[part.index].reshape(len(part.index), -1)
            for value, gradient in pairs
            for piece in (value * gradient).chunk(3)
        ] or [torch.zeros(len(part.index), 1)]
    products = [_in_front(module, value * gradient, part) for value, gradient in pairs]
    return [each.reshape(len(part.index), -1) for each in products] or [torch.zeros(len(part.index), 1)]


def _in_front(module: nn.Module, tensor: Tensor, part: Part) -> Tensor:
    if isinstance(module, nn.Embedding):
        return tensor.T[part.index]
    if isinstance(module, sides.CONVOLUTIONS) and module.transposed and part.side == OUT and tensor.ndim > 1:
        inp, out = module.in_channels, module.out_channels // module.groups
        blocks = tensor.reshape(module.groups, inp // module.groups, out, -1).transpose(1, 2)
        return blocks.flatten(0, 1)[part.index]
    return tensor[part.index]


def _spread(values: Tensor, part: Part, channels: int) -> tuple[Tensor, Tensor]:
    """Values by the group's channels, summed, and how many fell on each."""
    sums, counts = torch.zeros(channels), torch.zeros(channels)
    sums.index_add_(0, part.channel, values.float().cpu())
    counts.index_add_(0, part.channel, torch.ones(len(values)))
    return sums, counts


def _mean(found: list[tuple[Tensor, Tensor]]) -> Tensor:
    return sum(sums for sums, _ in found) / sum(counts for _, counts in found).clamp_min(1)  # type: ignore[union-attr]


def _by_unit(values: Tensor, group: Group) -> Tensor:
    """The mean over the channels of each unit."""
    sums = torch.zeros(group.units).index_add_(0, group.unit, values)
    return sums / torch.bincount(group.unit, minlength=group.units)
