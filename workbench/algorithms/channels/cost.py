"""The share of a model's multiplications that is left when channels go, without making the model."""

from __future__ import annotations

import math
import weakref
from collections.abc import Callable, Mapping, Sequence

from torch import Tensor, nn

from workbench.algorithms.channels.cutting import plan
from workbench.algorithms.channels.records import Group
from workbench.workload import Workload

_COUNTED: weakref.WeakKeyDictionary[nn.Module, Mapping[str, int]] = weakref.WeakKeyDictionary()


def share_left(
    model: nn.Module, work: Workload, groups: Sequence[Group]
) -> Callable[[Mapping[str, Tensor]], float]:
    """A function from removed units to the share of the MACs that is left.

    A layer's MACs are as many as its weights, times the places it is applied at, so they shrink with its
    weights. Products of activations with each other (attention) shrink with the heads, and are not counted.
    """
    macs = _by_parameter(model, work)
    sizes = {name: each.shape for name, each in model.named_parameters()}
    total = sum(macs.values()) or 1

    def left(removed: Mapping[str, Tensor]) -> float:
        cuts = plan(model, groups, removed).tensors
        gone = 0.0
        for name, kept in cuts.items():
            if count := macs.get(name, 0):
                shape = sizes[name]
                part = math.prod(len(index) / shape[axis] for axis, index in kept.by_axis.items())
                gone += count * (1 - part)
        return 1 - gone / total

    return left


def _by_parameter(model: nn.Module, work: Workload) -> Mapping[str, int]:
    from workbench.measurement.compute import call_of, count_macs

    if model not in _COUNTED:
        counted = count_macs(model, work.example, call_of(work))
        _COUNTED[model] = counted.by_parameter if counted else {}
    return _COUNTED[model]
