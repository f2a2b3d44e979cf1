"""Each layer's share of zeros, from a scan of what pruning it alone does to the outputs."""

from __future__ import annotations

from collections import Counter
from collections.abc import Generator
from typing import TYPE_CHECKING, Any

import torch

from workbench.errors import listed
from workbench.job import Progress, Stopped, forward

if TYPE_CHECKING:
    from workbench.candidate import Candidate
    from workbench.layers import Weight
    from workbench.technique import Context, Technique
    from workbench.workload import Workload

STRENGTHS = (0.5, 0.7, 0.9, 0.95, 0.99)

Shares = tuple[dict[str, float], tuple[str, ...]]


def shares(
    step: Technique, sparsity: float, candidate: Candidate, context: Context, found: list[Weight]
) -> Generator[Progress, None, Shares]:
    """Shares by layer that reach `sparsity` over the weights in `found`, and a note that tells them.

    A preview does not wait for a scan: without one that is known already there are no shares, and the note
    says so.

    Args:
        step: what is scanned, its first option being the share.

    Raises:
        WorkloadError: there are no validation data to scan on. Stopped: before the scan was done.
    """
    from workbench.exploration import allocation, sensitivity

    sizes = Counter({each.layer: 0 for each in found})
    for each in found:
        sizes[each.layer] += each.parameter.numel()
    if not sizes:
        return {}, ()
    start = None if _is_untouched(candidate, context.work) else candidate
    scan = sensitivity.scanning(
        context.work, step, strengths=STRENGTHS, layers=tuple(sizes), names=context.names, start=start
    )
    if context.is_preview:
        effects = _known(scan)
        if effects is None:
            return {}, ("preview: not scanned yet, so weights are compared over the whole model",)
    else:
        effects, was_stopped = yield from forward(scan)
        if was_stopped:  # half a scan would leave the other layers dense
            raise Stopped
    chosen = allocation.shares(effects, sizes, sparsity)
    told = listed(f"{layer} {chosen.get(layer, 0.0):.1%}" for layer in sizes)
    return {layer: chosen.get(layer, 0.0) for layer in sizes}, (f"shares by sensitivity: {told}",)


def _known(scan: Generator[Progress, None, Any]) -> Any | None:
    """What a scan finds without any work: every point is known already."""
    try:
        next(scan)
    except StopIteration as end:
        return end.value
    scan.close()
    return None


def _is_untouched(candidate: Candidate, work: Workload) -> bool:
    """Whether this is the workload's own model, whose scans are remembered."""
    if candidate.constraints or candidate.activations:
        return False
    now, before = candidate.model.state_dict(), work.baseline.state_dict()
    return now.keys() == before.keys() and all(torch.equal(now[name], before[name]) for name in now)
