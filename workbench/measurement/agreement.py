"""How well a runtime's int8 kernels agree with what was simulated, on validation data."""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from workbench.job import Progress, Steps, Stopped

if TYPE_CHECKING:
    from workbench.candidate import Candidate
    from workbench.runtimes.base import Prepared
    from workbench.workload import Workload

SAMPLES = 256  # at most
_SECONDS = 1.0  # after which no further batch is begun
_FEW = 8  # samples of a batch of a large model


@dataclass(frozen=True)
class Agreement:
    """A runtime's outputs beside the simulated ones, on the same samples.

    Attributes:
        equal: the share of samples with the same predicted class; None where there are no classes.
        largest: the largest difference of any output. outputs: the largest output there is, to compare with.
        n: samples.
    """

    equal: float | None
    largest: float
    outputs: float
    n: int


def agreeing(
    work: Workload, candidate: Candidate, prepared: Prepared, split: str, batch: int = 1
) -> Steps[Agreement | None]:
    """Compare on a few samples of a split (the example itself where there are no data).

    None where the data do not go into the runtime, not even in the batch that is timed.

    Args:
        batch: samples of the batch that is timed; the only one that some runtimes take.
    """
    from workbench.data import length
    from workbench.runtimes.onnx_export import leaves

    equal, n, largest, outputs = 0, 0, 0.0, 0.0
    started = time.perf_counter()
    try:
        size = _size(work, candidate, prepared, split, batch)
        for inputs in _batches(work, split, size) if size else ():
            if length(next(leaves(inputs))) < size == batch:  # the rest, for a runtime of one batch only
                continue
            ours, theirs = _both(work, candidate, prepared, inputs)
            for a, b in zip(ours, theirs, strict=True):
                largest = max(largest, float((a - b).abs().amax())) if a.numel() else largest
                outputs = max(outputs, float(a.abs().amax())) if a.numel() else outputs
            if work.is_classification:
                equal += int((ours[0].argmax(1) == theirs[0].argmax(1)).sum())
            n += len(ours[0])
            yield Progress(n, SAMPLES, "comparing with what was simulated")
            if n >= SAMPLES or time.perf_counter() - started > _SECONDS:
                break
    except Stopped:
        pass
    if not n:
        return None
    return Agreement(equal / n if work.is_classification else None, largest, outputs, n)


def _size(work: Workload, candidate: Candidate, prepared: Prepared, split: str, batch: int) -> int:
    """How many samples the runtime takes at a time: many, or only as many as are timed; 0 for neither."""
    many = _FEW if sum(each.numel() for each in work.baseline.parameters()) > 5_000_000 else 64
    for size in (many, batch):
        try:
            _both(work, candidate, prepared, next(_batches(work, split, size)))
        except Exception:  # another batch than the fixed one: the runtimes' exceptions have no common base
            continue
        return size
    return 0


def _batches(work: Workload, split: str, size: int) -> Any:
    """Inputs, so many samples at a time."""
    from workbench.data import length, slices

    data = getattr(work, split, None)
    if data is None:
        yield work.example
        return
    for inputs, _ in data:
        for start in range(0, length(inputs), size):
            yield slices(inputs, slice(start, start + size))


def _both(
    work: Workload, candidate: Candidate, prepared: Prepared, inputs: Any
) -> tuple[list[Any], list[Any]]:
    from workbench.runtimes.onnx_export import leaves

    ours = [each.detach().float().cpu() for each in leaves(candidate.call(work, inputs))]
    theirs = [each.detach().float().cpu() for each in leaves(prepared.outputs(inputs))]
    return ours, theirs
