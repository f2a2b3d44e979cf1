"""Each layer's share of zeros, from a scan of what pruning it alone does to the outputs."""

from __future__ import annotations

from collections.abc import Generator
from typing import TYPE_CHECKING, Any

from workbench.job import Progress

if TYPE_CHECKING:
    from workbench.candidate import Candidate
    from workbench.layers import Weight
    from workbench.technique import Context

Shares = tuple[dict[str, float], tuple[str, ...]]


def shares(
    step: Any, sparsity: float, candidate: Candidate, context: Context, found: list[Weight]
) -> Generator[Progress, None, Shares]:
    """Shares by layer that reach `sparsity` over the weights in `found`, and notes."""
    yield Progress(0, 1, "scanning")
    return {}, ("no scan: weights are compared over the whole model",)
