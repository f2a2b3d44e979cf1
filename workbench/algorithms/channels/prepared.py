"""What a model's channels are, found once per structure: its groups, traced and checked."""

from __future__ import annotations

import weakref
from typing import Any

from torch import nn

from workbench.algorithms.channels.checking import checked
from workbench.algorithms.channels.graph import traced
from workbench.algorithms.channels.heads import heads
from workbench.algorithms.channels.records import Group
from workbench.structure import structure_fingerprint
from workbench.tensors import tensors
from workbench.workload import Workload

_KEPT: weakref.WeakKeyDictionary[Workload, dict[Any, tuple[Group, ...]]] = weakref.WeakKeyDictionary()
_MOST = 16  # structures of one workload; more than a person goes back and forth between


def groups(model: nn.Module, work: Workload) -> tuple[Group, ...]:
    """Every group of channels, attention heads included, in the model's own order; locked ones say why.

    They are the same for all models of a workload that differ in their weights alone, so that a slider of an
    earlier step does not trace anew.

    Raises:
        RecipeError: the model cannot be traced.
    """
    kept = _KEPT.setdefault(work, {})
    ties = tuple(each.names for each in tensors(model) if len(each.names) > 1)
    key = structure_fingerprint(model), ties
    if key not in kept:
        found = [*traced(model, work), *heads(model)]
        order = {name: index for index, (name, _) in enumerate(model.named_modules())}
        found.sort(key=lambda each: order[each.name])
        while len(kept) >= _MOST:
            del kept[next(iter(kept))]
        kept[key] = checked(model, work, found)
    return kept[key]
