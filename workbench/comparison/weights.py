"""One layer's weights in two models: how many lie where, in the same bins, zeros counted apart."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from workbench.comparison.side import Side
from workbench.errors import WorkbenchError, listed, nearest
from workbench.measurement.by_layer import origin

if TYPE_CHECKING:
    from torch import Tensor

_BINS = 61  # odd: one of them is centred on zero


@dataclass(frozen=True)
class WeightsSide:
    """One model's part.

    Attributes:
        counts: weights in each bin, exact zeros left out. zeros: how many weights are exactly zero.
        values: how many different values the weights take. parts: tensors that stand for the layer.
    """

    name: str
    counts: tuple[int, ...]
    zeros: int
    total: int
    values: int
    parts: int


@dataclass(frozen=True)
class WeightsPair:
    """Both in the same bins, equally wide from `low` to `high`; None where one has no such layer."""

    layer: str
    low: float
    high: float
    before: WeightsSide | None
    after: WeightsSide | None


def names(first: Side, second: Side) -> list[str]:
    """The layers whose weights can be looked at, in the model's order."""
    whole = {path for path, _ in first.work.baseline.named_modules() if path}
    return list(dict.fromkeys((*_weights(first, whole), *_weights(second, whole))))


def weights_of(first: Side, second: Side, layer: str) -> WeightsPair:
    """The weights of a layer in both; of the thin layers it was split into, where it was, all together.

    Raises:
        WorkbenchError: neither has weights under that name.
    """
    import torch

    whole = {path for path, _ in first.work.baseline.named_modules() if path}
    found = [_weights(each, whole).get(layer) for each in (first, second)]
    known = [tensor for tensors in found if tensors for tensor in tensors]
    if not known:
        there = names(first, second)
        raise WorkbenchError(f"no layer {layer!r}{nearest(layer, there)}; there are: {listed(there)}")
    reach = max((float(each.abs().max()) for each in known if each.numel()), default=0.0) or 1.0
    edges = torch.linspace(-reach, reach, _BINS + 1)
    sides = [
        _side(each.name, tensors, edges) if tensors else None
        for each, tensors in zip((first, second), found, strict=True)
    ]
    return WeightsPair(layer, -reach, reach, *sides)


def _weights(side: Side, whole: set[str]) -> dict[str, list[Tensor]]:
    from workbench.layers import weights

    found: dict[str, list[Tensor]] = {}
    for each in weights(side.candidate.model):
        found.setdefault(origin(each.layer, whole), []).append(each.parameter.detach())
    return found


def _side(name: str, tensors: list[Tensor], edges: Tensor) -> WeightsSide:
    import torch

    values = torch.cat([each.flatten().float().cpu() for each in tensors])
    others = values[values != 0]
    # `histc` is exact at both ends; a weight at the very edge belongs to the last bin
    counts = torch.histc(others, bins=len(edges) - 1, min=float(edges[0]), max=float(edges[-1]))
    return WeightsSide(
        name=name,
        counts=tuple(int(each) for each in counts),
        zeros=len(values) - len(others),
        total=len(values),
        values=len(torch.unique(values)),
        parts=len(tensors),
    )
