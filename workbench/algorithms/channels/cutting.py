"""The smaller model: which indices of which tensors remain, and a model that has only those."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from workbench.algorithms.channels import sides
from workbench.algorithms.channels.records import INNER, Group, Scalar
from workbench.attention import NarrowAttention
from workbench.candidate import with_parameters

Removed = Mapping[str, Tensor]  # the units that go, by group


@dataclass(frozen=True, eq=False)
class Kept:
    """What remains of a tensor: indices along some of its axes, rising."""

    by_axis: Mapping[int, Tensor]

    def of(self, tensor: Tensor) -> Tensor:
        """The part of a tensor of the old shape that remains; a copy of its own."""
        for axis, index in self.by_axis.items():
            tensor = tensor.index_select(axis, index.to(tensor.device))
        return tensor.contiguous()


@dataclass(frozen=True, eq=False)
class Plan:
    """What is cut: which tensors by which indices, how many channels each layer's sides lose, new scalars."""

    tensors: Mapping[str, Kept]
    sides: Mapping[tuple[str, str], int]
    scalars: Mapping[tuple[str, str], int]


def plan(model: nn.Module, groups: Iterable[Group], removed: Removed) -> Plan:
    """The cuts that remove some units of some groups."""
    gone: dict[tuple[str, str, int | None], list[Tensor]] = {}
    scalars: dict[tuple[str, str], int] = {}
    for group in groups:
        units = removed.get(group.name)
        if units is None or not len(units):
            continue
        channels = group.channels_of(units)
        for part in group.parts:
            gone.setdefault((part.layer, part.side, part.axis), []).append(part.of(channels))
        for each in group.scalars:
            old = scalars.get(place := (each.module, each.name), _scalar(model, each))
            scalars[place] = old - each.per_unit * len(units)
    lost = {place: torch.cat(found).unique() if len(found) > 1 else found[0] for place, found in gone.items()}
    modules = dict(model.named_modules())
    tensors = {
        name: _kept(_tensor(modules, name), axes)  # type: ignore[arg-type]
        for name, axes in _axes(modules, lost).items()
    }
    counts = {(layer, side): len(index) for (layer, side, axis), index in lost.items() if axis is None}
    return Plan(tensors, counts, scalars)


def cut(model: nn.Module, plan: Plan) -> nn.Module:
    """A model with what the plan leaves; tensors that are not cut are shared with `model`."""
    twin = with_parameters(model, {})
    for path, side in plan.sides:
        if side == INNER:
            _narrow(twin, path, plan.sides[path, side])
    modules = dict(twin.named_modules())
    for (path, side), count in plan.sides.items():
        if side != INNER:
            sides.shrink(modules[path], side, count)
    for name, kept in plan.tensors.items():
        path, _, key = name.rpartition(".")
        module = modules[path]
        old = getattr(module, key)
        new = kept.of(old.detach())
        is_parameter = isinstance(old, nn.Parameter)
        setattr(module, key, nn.Parameter(new, old.requires_grad) if is_parameter else new)
    for (path, name), value in plan.scalars.items():
        setattr(twin.get_submodule(path), name, value)
    return twin.eval()


def _axes(
    modules: Mapping[str, nn.Module], lost: Mapping[tuple[str, str, int | None], Tensor]
) -> dict[str, dict[int, list[Tensor]]]:
    """The indices that go, by tensor and axis."""
    found: dict[str, dict[int, list[Tensor]]] = {}
    for (layer, side, axis), index in lost.items():
        if axis is not None:
            found.setdefault(layer, {}).setdefault(axis, []).append(index)
            continue
        module = modules[layer]
        for each in sides.axes(module, side):
            name = f"{layer}.{each.tensor}" if layer else each.tensor
            if _tensor(modules, name) is not None:
                found.setdefault(name, {}).setdefault(each.axis, []).append(each.places(index))
    return found


def _kept(tensor: Tensor, axes: Mapping[int, list[Tensor]]) -> Kept:
    shape = tensor.shape
    kept = {}
    for axis, gone in axes.items():
        remains = torch.ones(shape[axis], dtype=torch.bool)
        remains[torch.cat(gone)] = False
        kept[axis % len(shape)] = remains.nonzero().flatten()
    return Kept(kept)


def _tensor(modules: Mapping[str, nn.Module], name: str) -> Tensor | None:
    path, _, key = name.rpartition(".")
    value = getattr(modules[path], key, None)
    return value if isinstance(value, Tensor) else None


def _scalar(model: nn.Module, scalar: Scalar) -> int:
    return int(getattr(model.get_submodule(scalar.module), scalar.name))


def _narrow(model: nn.Module, path: str, count: int) -> None:
    """Put attention with fewer heads in the place of a layer's; its tensors are still the old ones."""
    old = model.get_submodule(path)
    with torch.device("meta"):
        new = NarrowAttention(
            old.embed_dim,
            old.num_heads - count // old.head_dim,
            old.head_dim,
            dropout=old.dropout,
            bias=old.in_proj_bias is not None,
            batch_first=old.batch_first,
        )
    new.in_proj_weight, new.in_proj_bias = old.in_proj_weight, old.in_proj_bias
    new.out_proj.weight, new.out_proj.bias = old.out_proj.weight, old.out_proj.bias
    parent, _, name = path.rpartition(".")
    model.get_submodule(parent)._modules[name] = new
