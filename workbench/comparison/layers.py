"""Layer by layer: shape, parameters, bits, zeros, rank, error of the outputs and time, of two models."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from workbench.comparison.side import Side
from workbench.job import Progress, Steps
from workbench.measurement.by_layer import full_rank, origin, together
from workbench.measurement.compute import LayerRecord, call_of, layers
from workbench.measurement.layer_times import LayerTime, timing_layers

if TYPE_CHECKING:
    from torch import nn

    from workbench.candidate import Candidate
    from workbench.workload import Workload

_SAMPLES = 256  # that outputs are compared on


@dataclass(frozen=True)
class LayerSide:
    """A layer in one of the two; the thin layers one was split into count as that one.

    Attributes:
        shape: of its largest weight. parts: how many layers it is now.
        zeros: the share of its parameters that are zero. bits: of a weight, averaged over the parts.
        rank: the most its weight matrix can have, by its shape: the narrowest place of its parts.
        milliseconds: one pass of one sample, PyTorch, one thread; None where it was not timed.
    """

    kind: str
    shape: tuple[int, ...]
    parts: int
    parameters: int
    nonzero: int
    bits: float
    claimed_bytes: int
    macs: int | None
    rank: int | None
    milliseconds: float | None = None

    @property
    def zeros(self) -> float:
        """As a share."""
        return 1 - self.nonzero / self.parameters if self.parameters else 0.0


@dataclass(frozen=True)
class LayerPair:
    """One layer in both; None where there is no layer of that name.

    Attributes:
        error: how far its outputs in the second are from those in the first, each model fed with the same
            samples: the length of the difference over that of the first; errors of the layers before it are
            part of it. None where it was not measured, or the outputs have another shape.
    """

    name: str
    before: LayerSide | None
    after: LayerSide | None
    error: float | None = None

    @property
    def is_same(self) -> bool:
        """Whether arithmetic sees no difference."""
        if self.before is None or self.after is None:
            return False
        return replace(self.before, milliseconds=None) == replace(self.after, milliseconds=None)


def pairs(first: Side, second: Side) -> tuple[LayerPair, ...]:
    """Every layer of both, in the model's order, from arithmetic alone."""
    # a layer that was split stands under its own name, where either of the two or the original has it whole
    whole = {path for path, _ in first.work.baseline.named_modules() if path}
    old, new = (_sides(layers(each.candidate, each.work, each.macs), whole) for each in (first, second))
    return tuple(LayerPair(name, old.get(name), new.get(name)) for name in dict.fromkeys((*old, *new)))


def erring(first: Side, second: Side, found: Sequence[LayerPair]) -> Steps[tuple[LayerPair, ...]]:
    """The same with the error of each layer's outputs, on a few validation samples (or the example)."""
    from workbench.data import length, slices

    names = [each.name for each in found if each.before is not None and each.after is not None]
    errors = {name: _Error() for name in names}
    models = [_watched(each.candidate) for each in (first, second)]
    n = 0
    for inputs in _inputs(first.work):
        part = slices(inputs, slice(0, _SAMPLES - n))
        with _outputs(models[0], names) as old, _outputs(models[1], names) as new:
            for model in models:
                _call(first.work, model, part)
            for name in names:
                errors[name].add(old.get(name), new.get(name))
        n += length(part)
        yield Progress(min(n, _SAMPLES), _SAMPLES, "outputs of each layer")
        if n >= _SAMPLES:
            break
    return tuple(
        replace(each, error=errors[each.name].relative) if each.name in errors else each for each in found
    )


def timing(
    first: Side, second: Side, found: Sequence[LayerPair], seconds: float
) -> Steps[tuple[LayerPair, ...]]:
    """The same with the time of each layer, both models in turns, PyTorch on one thread, one sample."""
    work = first.work
    if work.example is None:
        return tuple(found)
    names = [each.name for each in found]
    times = yield from timing_layers(
        second.candidate.model,
        names,
        work.example,
        call_of(work),
        original=first.candidate.model,
        seconds=seconds,
    )
    if times is None:
        return tuple(found)
    return tuple(
        replace(
            each,
            before=_timed(each.before, times.original.get(each.name)),
            after=_timed(each.after, times.layers.get(each.name)),
        )
        for each in found
    )


def _timed(side: LayerSide | None, time: LayerTime | None) -> LayerSide | None:
    return replace(side, milliseconds=time.ms) if side is not None and time is not None else side


def _sides(records: Iterable[LayerRecord], whole: set[str]) -> dict[str, LayerSide]:
    parts: dict[str, list[LayerRecord]] = {}
    for record in records:
        parts.setdefault(origin(record.name, whole), []).append(record)
    return {name: _side(name, found) for name, found in parts.items()}


def _side(name: str, records: Sequence[LayerRecord]) -> LayerSide:
    one = together(records, name)
    ranks = [rank for record in records if (rank := full_rank(record.shape)) is not None]
    return LayerSide(
        kind=one.kind,
        shape=one.shape,
        parts=len(records),
        parameters=one.parameters,
        nonzero=one.nonzero,
        bits=one.bits,
        claimed_bytes=one.claimed_bytes,
        macs=one.macs,
        rank=min(ranks, default=None),
    )


class _Error:
    """How far outputs are from others, over batches."""

    def __init__(self) -> None:
        self._difference = self._whole = 0.0
        self._is_known = False

    def add(self, before: Any, after: Any) -> None:
        """One batch's outputs of both."""
        if before is None or after is None or before.shape != after.shape:
            return
        self._is_known = True
        self._difference += float((after.double() - before.double()).square().sum())
        self._whole += float(before.double().square().sum())

    @property
    def relative(self) -> float | None:
        if not self._is_known:
            return None
        if self._whole == 0:
            return 0.0 if self._difference == 0 else math.inf
        return math.sqrt(self._difference / self._whole)


def _watched(candidate: Candidate) -> nn.Module:
    """What runs, as a copy on the same tensors: hooks on it are seen by nobody else."""
    from workbench.plain import own_copy

    running = candidate.simulated
    return own_copy(running, {id(each): each for each in [*running.parameters(), *running.buffers()]})


def _call(work: Workload, model: nn.Module, inputs: Any) -> None:
    import torch

    with torch.no_grad():
        work.call(model, inputs)


@contextmanager
def _outputs(model: nn.Module, names: Iterable[str]) -> Iterator[dict[str, Any]]:
    """What each of these modules gives inside the block, where that is a tensor."""
    import torch

    found: dict[str, Any] = {}

    def keeping(name: str) -> Callable[..., None]:
        def keep(module: Any, inputs: Any, output: Any) -> None:
            if isinstance(output, torch.Tensor):
                found[name] = output.detach()

        return keep

    modules = dict(model.named_modules())
    handles = [modules[name].register_forward_hook(keeping(name)) for name in names if name in modules]
    try:
        yield found
    finally:
        for each in handles:
            each.remove()


def _inputs(work: Workload) -> Iterator[Any]:
    """Batches of validation inputs, else of test inputs, else the example."""
    data = work.validation if work.validation is not None else work.test
    if data is not None:
        yield from (inputs for inputs, _ in data)
    elif work.example is not None:
        yield work.example
