"""Grids for activations, from what training data make of them: read a bounded number of samples, once."""

from __future__ import annotations

import weakref
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor, nn

from workbench.activations import INPUT, Affine, affine, through_values
from workbench.algorithms.quantization.flow import Flow, flow
from workbench.algorithms.quantization.observers import Observer, observer
from workbench.algorithms.quantization.places import Place, by_group, places
from workbench.candidate import with_parameters
from workbench.data import length, mapped, slices
from workbench.errors import WorkbenchError, WorkloadError
from workbench.job import Progress, Steps, forward

if TYPE_CHECKING:
    from workbench.candidate import Candidate
    from workbench.workload import Workload

_Key = tuple[Any, ...]
_seen: weakref.WeakKeyDictionary[Any, dict[_Key, Calibrated]] = weakref.WeakKeyDictionary()


@dataclass(frozen=True, eq=False)
class Calibrated:
    """What was seen at every place.

    Attributes:
        places: where values are rounded. observers: one for each group of places.
        samples: how many were read.
    """

    places: tuple[Place, ...]
    observers: Mapping[int, Observer]
    samples: int

    def roundings(self, bits: Mapping[str, int], learns: bool = False) -> dict[str, Affine]:
        """The rounding of each place, by its name; a group gets the most bits that one of its layers has.

        Args:
            bits: by layer.
        """
        found: dict[str, Affine] = {}
        for group, members in by_group(self.places).items():
            if not self.observers[group].count:  # nothing real came by: an embedding takes numbers of words
                continue
            wide = max((bits[p] for each in members if (p := _layer(each)) in bits), default=0)
            wide = wide or max(bits.values())
            scale, zero_point = affine(*self.observers[group].range(wide), wide)
            rounding = Affine(wide, scale, zero_point, gain=torch.ones(()) if learns else None)
            found |= {each.name: rounding for each in members}
        return found


def calibrating(
    candidate: Candidate,
    work: Workload,
    layers: Sequence[str],
    *,
    calibration: str = "minmax",
    samples: int = 512,
    seed: int = 0,
) -> Steps[Calibrated]:
    """Run the model on training samples in an order drawn from `seed`, and watch every place.

    What was seen is kept while the candidate lives.

    Raises:
        WorkloadError: there are no training data, or they hold what is not a number.
    """
    key = (tuple(layers), calibration, samples, seed)
    kept = _seen.setdefault(candidate, {})
    if key not in kept:
        kept[key] = yield from _calibrating(candidate, work, layers, calibration, samples, seed)
    return kept[key]


def seen_flow(model: nn.Module, work: Workload, layers: Sequence[str]) -> Flow | None:
    """How values flow through the model; None where there is no example to run it on."""
    from workbench.measurement.compute import call_of

    if work.example is None:
        return None
    example = mapped(lambda each: each.to(work.device), work.example)
    return flow(model, example, call_of(work), frozenset(layers))


def _calibrating(
    candidate: Candidate, work: Workload, layers: Sequence[str], calibration: str, samples: int, seed: int
) -> Steps[Calibrated]:
    if work.train is None:
        raise WorkloadError(
            f"static rounding of activations is calibrated on training data, and {work.name} has none; "
            'give them: Workload(net, train=loader), or take scheme="dynamic"'
        )
    found = places(candidate.model, layers, seen_flow(candidate.model, work, layers))
    observers = {group: observer(calibration) for group in by_group(found)}
    twin = with_parameters(candidate.model, {})  # hooks on a copy of the modules
    watch = _Watch()
    for group, members in by_group(found).items():
        watch.put(twin, members[0], observers[group])
    total, done = min(samples, work.train.n or samples), 0
    for number, (inputs, _) in enumerate(work.train.shuffled(seed), 1):
        batch = slices(inputs, slice(0, samples - done))
        _check(batch, number)
        with torch.no_grad():
            work.call(twin, batch)
        if watch.trouble:
            raise WorkbenchError(
                f"calibration stopped: {watch.trouble} gives NaN or infinity on training batch {number}; "
                "is the model usable as it is?"
            )
        done += length(batch)
        yield Progress(done, total, f"calibrating on {done:,} of {total:,} samples")
        if done >= samples:
            break
    if not done:
        raise WorkloadError("train is empty: reading it gave no batch to calibrate on")
    return Calibrated(found, observers, done)


class _Watch:
    """Hooks that show observers what passes."""

    def __init__(self) -> None:
        self.trouble = ""

    def put(self, model: nn.Module, where: Place, seeing: Observer) -> None:
        path, _, side = where.name.rpartition("/")
        module = model.get_submodule(path)

        def see(value: Any) -> None:
            if not isinstance(value, Tensor) or not value.is_floating_point():
                return
            if where.floor is not None:
                value = value.clamp(where.floor, where.cap)
            if not bool(torch.isfinite(value).all()):
                self.trouble = self.trouble or path or "the model"
                return
            seeing.add(value)

        if side == INPUT:
            module.register_forward_pre_hook(_before(see), with_kwargs=True)
        else:
            module.register_forward_hook(_after(see))


def _before(see: Callable[[Any], None]) -> Callable[..., None]:
    def hook(module: nn.Module, args: tuple[Any, ...], kwargs: Mapping[str, Any]) -> None:
        through_values(module, args, kwargs, see)

    return hook


def _after(see: Callable[[Any], None]) -> Callable[..., None]:
    def hook(module: nn.Module, args: Any, output: Any) -> None:
        see(output[0] if isinstance(output, tuple) else output)

    return hook


def _check(inputs: Any, number: int) -> None:
    for each in _real(inputs):
        if not bool(torch.isfinite(each).all()):
            raise WorkloadError(
                f"training batch {number} holds NaN or infinity, and ranges cannot be learned from it; "
                "clean the data that train= was given"
            )


def _real(value: Any) -> Iterator[Tensor]:
    if isinstance(value, Tensor):
        if value.is_floating_point():
            yield value
    elif isinstance(value, (Mapping, tuple, list)):
        for each in value.values() if isinstance(value, Mapping) else value:
            yield from _real(each)


def _layer(where: Place) -> str:
    """The layer that takes what is rounded here; empty for an output."""
    path, _, side = where.name.rpartition("/")
    return path if side == INPUT else ""


@dataclass(frozen=True)
class Spread:
    """How much the range at one place depends on which samples were read.

    Attributes:
        place: `conv1/input`. low, high: means over the seeds. low_spread, high_spread: standard deviations.
        step: of the grid, mean over the seeds; spreads far below it do not matter.
    """

    place: str
    low: float
    high: float
    low_spread: float
    high_spread: float
    step: float
    seeds: int


def calibration_spread(
    candidate: Candidate,
    work: Workload,
    layers: Mapping[str, int],
    *,
    calibration: str = "minmax",
    samples: int = 512,
    seeds: Sequence[int] = (0, 1, 2),
) -> Steps[list[Spread]]:
    """Calibrate once for each seed and say how far the ranges lie apart, place by place.

    Args:
        layers: bits of each layer's activations.
    """
    ranges: dict[str, list[tuple[float, float]]] = {}
    bits: dict[str, int] = {}
    for index, seed in enumerate(seeds):

        def scaled(progress: Progress, index: int = index) -> Progress:
            return replace(progress, done=index + (progress.fraction or 0), total=len(seeds))

        steps = calibrating(
            candidate, work, list(layers), calibration=calibration, samples=samples, seed=seed
        )
        found, _ = yield from forward(steps, scaled)
        for name, rounding in found.roundings(layers).items():
            ranges.setdefault(name, []).append(rounding.range)
            bits[name] = rounding.bits
    return [spread_of(name, each, bits[name]) for name, each in ranges.items()]


def spread_of(name: str, found: Sequence[tuple[float, float]], bits: int) -> Spread:
    """How far the ranges that were found at one place lie apart."""
    ranges = torch.tensor(found)
    low, high = (float(each) for each in ranges.mean(0))
    spreads = ranges.std(0) if len(ranges) > 1 else torch.zeros(2)
    step = (high - low) / (2**bits - 1)
    return Spread(name, low, high, float(spreads[0]), float(spreads[1]), step, len(ranges))
