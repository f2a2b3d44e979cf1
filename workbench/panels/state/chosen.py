"""What the truth strip is about: which metric, and latency on which runtime, batch and thread count."""

from __future__ import annotations

import os
from collections.abc import Collection
from dataclasses import dataclass, replace
from typing import Any

from workbench.errors import WorkbenchError, listed, nearest
from workbench.runtimes import find

BATCHES = (1, 2, 4, 8, 16, 32, 64, 128)  # what a list offers; any other may be chosen in Python
_MOST = 65_536


@dataclass(frozen=True)
class Chosen:
    """A person's choice. `metric` is the name of a quantity: `accuracy`, `f1`, `metric:rmse`."""

    metric: str = "accuracy"
    runtime: str = "pytorch"
    batch: int = 1
    threads: int = 1

    @property
    def settings(self) -> tuple[str, int, int]:
        """What a latency depends on."""
        return self.runtime, self.batch, self.threads

    def changed(self, metrics: Collection[str], **changes: Any) -> Chosen:
        """The choice with some of it changed; an own metric may be called by its own name.

        Raises:
            RuntimeUnavailable, WorkbenchError: there is no such runtime or metric, or a count is no count.
        """
        made = replace(self, **changes)
        find(made.runtime)
        if f"metric:{made.metric}" in metrics:
            made = replace(made, metric=f"metric:{made.metric}")
        if made.metric not in metrics:
            near = nearest(made.metric, metrics)
            raise WorkbenchError(f"no metric named {made.metric!r}{near} (there are: {listed(metrics)})")
        for name, number in (("batch", made.batch), ("threads", made.threads)):
            if type(number) is not int or not 1 <= number <= _MOST:
                raise WorkbenchError(f"{name} must be a whole number from 1 to {_MOST:,}, got {number!r}")
        return made


def thread_counts() -> list[int]:
    """1, 2, 4, ... up to the processors there are."""
    there = os.cpu_count() or 1
    return sorted({count for count in (1, 2, 4, 8, 16, 32, 64, there) if count <= there})
