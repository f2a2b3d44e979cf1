"""The samples a scan judges by, held once, with what the untouched model gives for them."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor

from workbench.data import Batches, joined, length, mapped, slices
from workbench.job import Progress, Steps, Stopped, forward
from workbench.measurement.accuracy import Evaluation, evaluating

if TYPE_CHECKING:
    from workbench.candidate import Candidate
    from workbench.workload import Workload

_BATCH = 250  # samples; larger ones are no faster
_MOST_BYTES = 200_000_000  # of inputs held in memory; more are read again for every candidate


@dataclass(frozen=True, eq=False)
class Samples:
    """Some validation samples and the untouched model's evaluation and outputs on them."""

    data: Batches
    baseline: Evaluation
    outputs: list[Any] = field(repr=False)

    def judging(self, work: Workload, candidate: Candidate) -> Steps[tuple[Evaluation, float]]:
        """A candidate's evaluation on the samples, and its relative output error.

        Raises:
            Stopped: part of the samples cannot be compared with all of them.
        """
        error = Error(self.outputs)
        steps = evaluating(work, candidate, data=self.data, saw=error)
        evaluation, was_stopped = yield from forward(steps)
        if was_stopped:
            raise Stopped
        return evaluation, error.relative


class Error:
    """How far outputs are from others, batch by batch: the difference's length over theirs."""

    def __init__(self, outputs: list[Any]) -> None:
        self._outputs = iter(outputs)
        self._difference = self._whole = 0.0

    def __call__(self, outputs: Any) -> None:
        for before, after in zip(_tensors(next(self._outputs)), _tensors(outputs), strict=True):
            self._difference += float((after.double() - before.double()).square().sum())
            self._whole += float(before.double().square().sum())

    @property
    def relative(self) -> float:
        """0 where nothing has changed, 1 where the change is as long as the outputs."""
        if self._whole == 0:
            return 0.0 if self._difference == 0 else math.inf
        return math.sqrt(self._difference / self._whole)


def drawing(work: Workload, start: Candidate, count: int, seed: int) -> Steps[Samples]:
    """Draw at most `count` validation samples by `seed`, hold them, and judge the untouched model.

    Raises:
        WorkloadError: there are no validation data. WorkbenchError: the untouched model gives NaN.
        Stopped: at any moment, since there is nothing to keep yet.
    """
    data = yield from _held(_drawn(work.split("validation"), count, seed))
    outputs: list[Any] = []
    steps = evaluating(work, start, data=data, saw=outputs.append)
    baseline, was_stopped = yield from forward(steps)
    if was_stopped:
        raise Stopped
    return Samples(data, baseline, outputs)


def _drawn(data: Batches, count: int, seed: int) -> Batches:
    """A part of the data in the data's own order; the first ones where they cannot be read by sample."""
    if data.n is not None and data.n <= count:
        return data
    if data.part is not None and data.n is not None:
        order = torch.randperm(data.n, generator=torch.Generator().manual_seed(seed))
        return data.part(sorted(order[:count].tolist()))
    return Batches(lambda _: _first(data, count), None, data.kind)


def _first(data: Batches, count: int) -> Iterator[tuple[Any, Any]]:
    for inputs, targets in data:
        here = min(count, length(targets))
        yield slices(inputs, slice(0, here)), slices(targets, slice(0, here))
        count -= here
        if count <= 0:
            return


def _held(data: Batches) -> Steps[Batches]:
    """The data in memory and in few batches, where there is room for them."""
    batches: list[tuple[Any, Any]] = []
    size = 0
    for inputs, targets in data:
        size += sum(each.numel() * each.element_size() for each in _tensors(inputs, floating=False))
        if size > _MOST_BYTES:
            return data
        batches.append((inputs, targets))
        yield Progress(0, 1, "reading samples")
    batches = _joined(batches)
    n = sum(length(targets) for _, targets in batches)
    return Batches(lambda _: iter(batches), n, "held samples")


def _joined(batches: list[tuple[Any, Any]]) -> list[tuple[Any, Any]]:
    """Small batches put together; left as they are where their shapes differ."""
    groups: list[list[tuple[Any, Any]]] = []
    for batch in batches:
        here = sum(length(targets) for _, targets in groups[-1]) if groups else _BATCH
        if here + length(batch[1]) > _BATCH:
            groups.append([])
        groups[-1].append(batch)
    try:
        return [
            (joined([inputs for inputs, _ in group]), joined([targets for _, targets in group]))
            for group in groups
        ]
    except (RuntimeError, TypeError):
        return batches


def _tensors(value: Any, floating: bool = True) -> list[Tensor]:
    """The tensors in a tensor, tuple or mapping."""
    found: list[Tensor] = []
    mapped(found.append, value)
    return [each for each in found if each.is_floating_point() or not floating]
