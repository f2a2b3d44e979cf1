"""What no slider moves: every layer split by the methods asked for, with what it sees on training data."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING

from torch import nn

from workbench.algorithms.lowrank import layers, statistics, trace
from workbench.algorithms.lowrank.cp import SWEEPS, CPSplit
from workbench.algorithms.lowrank.layers import Splittable, Whole
from workbench.algorithms.lowrank.matrix import LinearSplit, MatrixSplit
from workbench.algorithms.lowrank.menu import Menu
from workbench.algorithms.lowrank.refit import RefitSplit
from workbench.algorithms.lowrank.spatial import SpatialSplit
from workbench.algorithms.lowrank.split import Split
from workbench.algorithms.lowrank.statistics import Seen
from workbench.algorithms.lowrank.tucker import TuckerSplit

if TYPE_CHECKING:
    from workbench.algorithms.lowrank.timing import Curve
    from workbench.workload import Workload

_MOST_MACS = 2e11  # multiplications spent on learning what layers see: some ten seconds on one core
_FEWEST = 32  # samples, however large the model is
_NARROW = 8  # input channels; below, Tucker's first layer saves nothing
_BY_AUTO = ("channel", "spatial", "tucker")  # CP only when asked for: it is found by iteration


@dataclass(frozen=True, eq=False)
class PreparedLayer:
    """One layer with its splits by method; the first one is what a rank ratio refers to.

    `curves` holds what was timed so far, by method.
    """

    layer: Splittable
    splits: Mapping[str, Split]
    curves: dict[str, Curve] = field(default_factory=dict)
    _frontiers: dict[tuple[str, str, bool], Menu] = field(default_factory=dict)

    @property
    def name(self) -> str:
        return self.layer.name

    @cached_property
    def menus(self) -> Mapping[str, Menu]:
        """All choices of ranks, by method."""
        return {method: split.menu() for method, split in self.splits.items()}

    def frontier(self, method: str, cost: str, is_smaller: bool) -> Menu:
        """The choices of a method that nothing beats; only those that make the layer smaller if asked."""
        key = (method, cost, is_smaller)
        if key not in self._frontiers:
            menu = self.menus[method]
            if is_smaller:
                menu = menu.where(menu.parameters < self.layer.shape.parameters)
            self._frontiers[key] = menu.frontier(cost)
        return self._frontiers[key]


@dataclass(frozen=True, eq=False)
class Prepared:
    """A model's layers, split; the layers that cannot be; and the whole model's size.

    Attributes:
        parameters, macs, bytes: of the whole model; `macs` counts the layers found, and is 0 where the model
            was not run.
        is_aware: whether errors are those of outputs on training data. unseen: layers of which only the
            weight is approximated all the same.
    """

    layers: tuple[PreparedLayer, ...]
    whole: tuple[Whole, ...]
    parameters: int
    macs: int
    bytes: int
    is_aware: bool
    unseen: tuple[str, ...] = ()


def prepare(
    model: nn.Module,
    work: Workload | None,
    *,
    method: str = "auto",
    error: str = "outputs",
    samples: int = 512,
    sweeps: int = 0,
    seed: int = 0,
) -> Prepared:
    """Split every layer of a model that can be split.

    Args:
        work: its example tells where layers are called, its training data what they see; without it the
            weights alone are approximated and multiplications are not known.
        error: `outputs` uses the training data where there are any.
        samples: at most this many training samples; fewer for models that multiply much (see `affordable`).
        sweeps: of refinement for Tucker and CP.

    Raises:
        WorkbenchError: a weight that is not finite.
    """
    places = None
    if work is not None and work.example is not None:
        places = trace.trace(model, work.example, work.call)
    found, whole = layers.find(model, places)
    seen: Mapping[str, Seen] = {}
    if error == "outputs" and work is not None and work.train is not None and found:
        for each in found:
            each.weight()  # refuses NaN before the data are read
        batches = work.train.shuffled(seed)
        enough = affordable(samples, sum(each.shape.macs for each in found))
        needs_inputs = method not in ("svd", "channel")
        seen = statistics.collect(
            model, found, batches, work.call, samples=enough, seed=seed, needs_inputs=needs_inputs
        )
    prepared = []
    for each in found:
        splits = _splits(each, method, seen.get(each.name), sweeps)
        if splits:
            prepared.append(PreparedLayer(each, splits))
        else:
            whole.append(Whole(each.name, "a wide kernel, which method='svd' leaves alone"))
    return Prepared(
        tuple(prepared),
        tuple(whole),
        parameters=sum(each.numel() for each in model.parameters()),
        macs=sum(each.shape.macs for each in found),
        bytes=sum(each.numel() * each.element_size() for each in [*model.parameters(), *model.buffers()]),
        is_aware=bool(seen),
        unseen=tuple(each.name for each in prepared if seen and each.name not in seen),
    )


def affordable(samples: int, macs: int) -> int:
    """How many samples are learned from: all that are asked for, unless the model takes too long for that."""
    return min(samples, max(_FEWEST, int(_MOST_MACS // max(macs, 1))))


def _splits(layer: Splittable, method: str, seen: Seen | None, sweeps: int) -> dict[str, Split]:
    """A layer by every method that is meant for it; empty where there is none."""
    shape, weight = layer.shape, layer.weight()
    if shape.taps == 1:
        return {"svd": LinearSplit(shape, weight, seen)}
    if method == "svd":
        return {}
    methods = _BY_AUTO if method == "auto" else (method,)
    fitting = [each for each in methods if _fits(layer, each)] or ["channel"]
    return {each: _split(layer, each, seen, sweeps) for each in fitting}


def _fits(layer: Splittable, method: str) -> bool:
    shape = layer.shape
    if method == "channel":
        return True
    if shape.groups > 1:
        return False
    if method == "tucker":
        return shape.inp >= _NARROW
    return method == "cp" or (len(shape.kernel) == 2 and min(shape.kernel) > 1)


def _split(layer: Splittable, method: str, seen: Seen | None, sweeps: int) -> Split:
    shape, weight = layer.shape, layer.weight()
    if method == "channel":
        return MatrixSplit(shape, weight, seen)
    if method == "spatial":
        starts: list[Split] = [SpatialSplit(shape, weight, each) for each in _starts(seen)]
    elif method == "tucker":
        starts = [TuckerSplit(shape, weight, each, sweeps) for each in _starts(seen)]
    else:
        starts = [CPSplit(shape, weight, max(sweeps, SWEEPS))]
    return RefitSplit(tuple(starts), seen) if seen is not None and seen.patches is not None else starts[0]


def _starts(seen: Seen | None) -> list[Seen | None]:
    """Whitened, and plain too where the two can be compared on the data."""
    if seen is None:
        return [None]
    return [seen, None] if seen.patches is not None else [seen]
