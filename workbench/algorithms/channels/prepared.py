"""What a model's channels are, found once: its groups, traced and checked, kept while the model lives."""

from __future__ import annotations

import weakref

from torch import nn

from workbench.algorithms.channels.checking import checked
from workbench.algorithms.channels.graph import traced
from workbench.algorithms.channels.heads import heads
from workbench.algorithms.channels.records import Group
from workbench.workload import Workload

_KEPT: weakref.WeakKeyDictionary[nn.Module, tuple[Group, ...]] = weakref.WeakKeyDictionary()


def groups(model: nn.Module, work: Workload) -> tuple[Group, ...]:
    """Every group of channels, attention heads included, in the model's own order; locked ones say why.

    Raises:
        RecipeError: the model cannot be traced.
    """
    if model not in _KEPT:
        found = [*traced(model, work), *heads(model)]
        order = {name: index for index, (name, _) in enumerate(model.named_modules())}
        found.sort(key=lambda each: order[each.name])
        _KEPT[model] = checked(model, work, found)
    return _KEPT[model]
