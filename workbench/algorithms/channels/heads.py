"""Attention heads as units that go whole: torch's own attention, and people's with a number of heads."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from itertools import takewhile

import torch
from torch import nn

from workbench.algorithms.channels.records import INNER, Group, Part, Scalar

NAMES = ("num_heads", "n_heads", "heads", "n_head", "nhead", "num_attention_heads", "nheads")


def heads(model: nn.Module) -> Iterator[Group]:
    """A group for the heads of each `nn.MultiheadAttention`."""
    for path, module in model.named_modules():
        if not isinstance(module, nn.MultiheadAttention):
            continue
        inner = module.num_heads * module.head_dim
        index = torch.arange(inner)
        reason = _why_not(module)
        parts = (Part(path, INNER, index, index),)
        yield Group(path, (path,), parts, inner, index // module.head_dim, "heads", reason)


def variants(group: Group, model: nn.Module) -> Iterator[Group]:
    """The group with more that shrinks beside its tensors, for where it alone does not work.

    A module that holds the layers may keep their width, or a number of heads, as a whole number that its
    `forward` reads. Which of them is tried out: see `checking`.
    """
    for path in _holders(group):
        module = model.get_submodule(path)
        numbers = {
            name: value
            for name, value in vars(module).items()
            if type(value) is int and not name.startswith("_") and value > 0
        }
        widths = tuple(Scalar(path, name, 1) for name, value in numbers.items() if value == group.channels)
        for name in NAMES:
            count = numbers.get(name, 0)
            if count < 2 or group.channels % count:
                continue
            size = group.channels // count
            whole = replace(group, unit=torch.arange(group.channels) // size, word="heads")
            head = Scalar(path, name, 1)
            yield replace(whole, scalars=(head,))
            wide = tuple(replace(each, per_unit=size) for each in widths if each.name != name)
            if wide:
                yield replace(whole, scalars=(head, *wide))
        if widths and group.units == group.channels:
            yield replace(group, scalars=widths)


def _holders(group: Group) -> Iterator[str]:
    """The modules around a group's layers, from the nearest outward."""
    paths = [name.split(".")[:-1] for name in group.makers]
    shared = [names[0] for names in takewhile(lambda each: len({*each}) == 1, zip(*paths, strict=False))]
    for length in range(len(shared), -1, -1):
        yield ".".join(shared[:length])


def _why_not(module: nn.MultiheadAttention) -> str:
    if module.in_proj_weight is None:
        return "its keys and values have widths of their own"
    if module.bias_k is not None or module.add_zero_attn:
        return "it adds keys of its own to every sequence"
    return "it has one head only" if module.num_heads == 1 else ""
