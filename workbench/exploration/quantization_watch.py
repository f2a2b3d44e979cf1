"""Two models side by side on the same samples, the rounded one and the one it was rounded from.

Of each layer: what its own rounding changes on the inputs it gets in the free model, and how its outputs in
the rounded model differ. Of each place where activations are rounded: what came by, and what lies beyond.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor, nn

from workbench.activations import INPUT, OUTPUT, Affine, Rounding, attach, place, through_values
from workbench.candidate import Candidate, with_parameters
from workbench.constraints import Mask
from workbench.data import Batches, length, mapped, slices
from workbench.exploration.quantization_records import ActivationRange, sqnr
from workbench.job import Progress, Steps, Stopped
from workbench.layers import weights

if TYPE_CHECKING:
    from workbench.workload import Workload

_CHUNK = 16  # samples; the outputs of every layer are held for so many


@dataclass
class Energy:
    """Squares summed up: of what there was, and of what has changed."""

    signal: float = 0.0
    noise: float = 0.0

    def add(self, before: Tensor, after: Tensor) -> None:
        """Count a tensor and what became of it."""
        self.signal += float(before.double().square().sum())
        self.noise += float((after.double() - before.double()).square().sum())

    @property
    def decibels(self) -> float:
        """NaN where nothing was counted."""
        return sqnr(self.signal, self.noise) if self.signal or self.noise else math.nan


@dataclass
class Passing:
    """What came by at one place."""

    rounding: Rounding
    floor: float | None = None
    cap: float | None = None
    low: float = math.inf
    high: float = -math.inf
    count: int = 0
    beyond: int = 0

    def add(self, value: Tensor) -> None:
        """Count the values of a tensor before they are rounded."""
        if not value.is_floating_point() or not value.numel():
            return
        if self.floor is not None:
            value = value.clamp(self.floor, self.cap)
        low, high = (float(each) for each in value.aminmax())
        self.low, self.high = min(self.low, low), max(self.high, high)
        self.count += value.numel()
        if isinstance(self.rounding, Affine):
            bottom, top = self.rounding.range
            half = float(self.rounding.scale) / 2
            if low < bottom - half or high > top + half:
                self.beyond += int(((value < bottom - half) | (value > top + half)).sum())

    def record(self, place: str) -> ActivationRange:
        """What is to be told of it."""
        is_dynamic = not isinstance(self.rounding, Affine)
        low, high = (self.low, self.high) if is_dynamic else self.rounding.range  # type: ignore[attr-defined]
        clipped = self.beyond / max(self.count, 1)
        bits = getattr(self.rounding, "bits", 0)
        return ActivationRange(place, bits, low, high, self.low, self.high, clipped, is_dynamic)


@dataclass
class Watched:
    """What the samples so far have shown."""

    n: int = 0
    layers: dict[str, Energy] = field(default_factory=dict)
    alone: dict[str, Energy] = field(default_factory=dict)
    whole: Energy = field(default_factory=Energy)
    places: dict[str, Passing] = field(default_factory=dict)

    @property
    def own(self) -> Mapping[str, float]:
        """Decibels of each layer alone."""
        return {layer: each.decibels for layer, each in self.alone.items()}

    def arriving(self, layer: str) -> float:
        """Decibels of a layer's outputs in the rounded model."""
        return self.layers[layer].decibels if layer in self.layers else math.nan

    @property
    def model(self) -> float:
        """Decibels of the model's outputs."""
        return self.whole.decibels

    @property
    def ranges(self) -> tuple[ActivationRange, ...]:
        """A record for each place that something real came by."""
        return tuple(each.record(place) for place, each in self.places.items() if each.count)


def energies(candidate: Candidate, name: str) -> tuple[float, float]:
    """Of one parameter: the energy of the free weights under their mask, and of what else changed them.

    NaN where the values are the constraint's own, and nobody knows any more what they were made from.
    """
    if (free := free_weight(candidate, name)) is None:
        return math.nan, math.nan
    now = candidate.model.get_parameter(name).detach()
    if not candidate.constraints.get(name):
        return float(now.float().square().sum()), 0.0
    free = free.float()
    return float(free.square().sum()), float((now.float() - free).square().sum())


def freed(candidate: Candidate) -> nn.Module | None:
    """The model with the weights that were rounded, on modules of its own; None where they are not known."""
    found = {name: free_weight(candidate, name) for name in candidate.constraints}
    known = {name: each for name, each in found.items() if each is not None}
    return with_parameters(candidate.model, known) if len(known) == len(found) else None


def watching(
    work: Workload, candidate: Candidate, free: nn.Module | None, data: Batches, samples: int
) -> Steps[Watched]:
    """Run a candidate and the free model on the same samples; stopped, what was seen so far.

    Args:
        free: is given hooks; without it only what comes by is watched.

    Raises:
        Stopped: nothing was seen yet.
    """
    alone, rounded = (with_parameters(candidate.model, {}) for _ in range(2))
    layers = list(dict.fromkeys(each.layer for each in weights(candidate.model)))
    seen = Watched(places=_places(work, candidate))
    attach(alone, candidate.activations)
    pair = _Pair(seen, layers, free, alone, rounded) if free is not None else None
    for where, passing in seen.places.items():  # before the rounding, which is attached next
        _hook(rounded, where, passing.add)
    attach(rounded, candidate.activations)
    if pair is not None:
        pair.compare()
    total = min(samples, data.n or samples)
    try:
        yield Progress(0, total, "comparing layers")
        for inputs in _chunks(data, samples):
            inputs = mapped(lambda each: each.to(work.device), inputs)
            with torch.no_grad():
                before = work.call(free, inputs) if free is not None else None
                after = work.call(rounded, inputs)
            if pair is not None:
                pair.end()
                for one, other in zip(_real(before), _real(after), strict=True):
                    seen.whole.add(one, other)
            seen.n += length(inputs)
            yield Progress(seen.n, total, f"comparing layers on {seen.n:,} of {total:,} samples")
    except Stopped:
        if not seen.n:
            raise
    return seen


class _Pair:
    """Hooks on the two models that compare the outputs of their layers, call by call."""

    def __init__(
        self, seen: Watched, layers: list[str], free: nn.Module, alone: nn.Module, rounded: nn.Module
    ) -> None:
        self._seen = seen
        self._layers = layers
        self._rounded = rounded
        self._outputs: dict[str, list[list[Tensor]]] = {}
        for layer in layers:
            if layer in dict(free.named_modules()):
                self._watch(free, alone, layer)

    def _watch(self, free: nn.Module, alone: nn.Module, layer: str) -> None:
        twin = alone.get_submodule(layer)
        energy = self._seen.alone.setdefault(layer, Energy())

        def hook(module: nn.Module, args: Any, kwargs: Any, output: Any) -> None:
            given = self._cut(layer, output)
            # copies: what comes next may write into its input, as ReLU(inplace=True) does
            self._outputs.setdefault(layer, []).append([each.clone() for each in given])
            for before, after in zip(given, self._cut(layer, twin(*args, **kwargs)), strict=True):
                energy.add(before, after)

        free.get_submodule(layer).register_forward_hook(hook, with_kwargs=True)

    def compare(self) -> None:
        """Watch the rounded model, from now on after its roundings."""
        modules = dict(self._rounded.named_modules())
        for layer in self._layers:
            if layer in modules:
                modules[layer].register_forward_hook(self._comparing(layer))

    def _comparing(self, layer: str) -> Callable[..., None]:
        energy = self._seen.layers.setdefault(layer, Energy())

        def hook(module: nn.Module, args: Any, output: Any) -> None:
            waiting = self._outputs.get(layer)
            for before, after in zip(
                waiting.pop(0) if waiting else (), self._cut(layer, output), strict=False
            ):
                if before.shape == after.shape:
                    energy.add(before, after)

        return hook

    def _cut(self, layer: str, output: Any) -> list[Tensor]:
        """A layer's outputs; where its grid ends at a cut-off that comes next, what that leaves of them."""
        after = self._seen.places.get(place(layer, OUTPUT))
        if after is None or after.floor is None:
            return _real(output)
        return [each.clamp(after.floor, after.cap) for each in _real(output)]

    def end(self) -> None:
        """Let go of what was held for a comparison that did not come."""
        self._outputs.clear()


def free_weight(candidate: Candidate, name: str) -> Tensor | None:
    """The weights that were rounded, under their mask: what a mask takes away is not rounding.

    None where nobody knows them any more: a file keeps rounded weights only.
    """
    chain = candidate.constraints.get(name, ())
    is_rounded = any(each.role == "values" for each in chain)
    if candidate.constraints.has_own_values(name) or (is_rounded and name not in candidate.latent):
        return None
    mask = candidate.constraints.of(name, Mask)
    return candidate.free(name) if mask is None else mask(candidate.free(name))


def _places(work: Workload, candidate: Candidate) -> dict[str, Passing]:
    """Every place where activations are rounded, with the cut-off that comes right after it."""
    from workbench.algorithms.quantization.calibrating import seen_flow
    from workbench.algorithms.quantization.places import places

    found = {place: Passing(rounding) for place, rounding in candidate.activations.items()}
    layers = [place.rpartition("/")[0] for place in found if place.endswith(f"/{INPUT}")]
    for each in places(candidate.model, layers, seen_flow(candidate.model, work, layers)) if found else ():
        if each.name in found:
            found[each.name].floor, found[each.name].cap = each.floor, each.cap
    return found


def _hook(model: nn.Module, place: str, see: Callable[[Tensor], None]) -> None:
    path, _, side = place.rpartition("/")
    if path not in dict(model.named_modules()):
        return

    def before(module: nn.Module, args: Any, kwargs: Mapping[str, Any]) -> None:
        through_values(module, args, kwargs, lambda each: see(each) if isinstance(each, Tensor) else None)

    def after(module: nn.Module, args: Any, output: Any) -> None:
        see(output[0] if isinstance(output, tuple) else output)

    module = model.get_submodule(path)
    if side == INPUT:
        module.register_forward_pre_hook(before, with_kwargs=True)
    else:
        module.register_forward_hook(after)


def _chunks(data: Batches, samples: int) -> Iterator[Any]:
    left = samples
    for inputs, _ in data:
        here = min(left, length(inputs))
        for start in range(0, here, _CHUNK):
            yield slices(inputs, slice(start, min(start + _CHUNK, here)))
        left -= here
        if left <= 0:
            return


def _real(value: Any) -> list[Tensor]:
    found: list[Tensor] = []
    mapped(found.append, value)
    return [each for each in found if each.is_floating_point()]
