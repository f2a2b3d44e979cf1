"""What has been measured of a workload's baseline, kept for as long as the workload lives.

The baseline never changes, and every report is compared with it.
"""

from __future__ import annotations

import threading
from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING, Any
from weakref import WeakKeyDictionary

from workbench.job import Steps
from workbench.measurement.accuracy import Evaluation, evaluating
from workbench.measurement.compute import Macs, call_of, count_macs, nonzero, parameters
from workbench.measurement.memory import peak_memory
from workbench.measurement.size import Size, claimed_bytes, file_bytes
from workbench.measurement.subject import subject

if TYPE_CHECKING:
    from torch import nn

    from workbench.runtimes.base import Prepared, Runtime
    from workbench.workload import Workload


@dataclass
class Known:
    """The figures of one baseline; each is found when it is first asked for."""

    model: nn.Module
    example: Any
    call: Any
    evaluations: dict[str, Evaluation] = field(default_factory=dict)
    prepared: dict[tuple[str, int, int], Prepared] = field(default_factory=dict)

    @cached_property
    def size(self) -> Size:
        """Claimed, and the bytes of its plain safetensors file."""
        from workbench.candidate import Candidate

        return Size(claimed_bytes(Candidate(self.model)), file_bytes(self.model))

    @cached_property
    def parameters(self) -> int:
        return parameters(self.model)

    @cached_property
    def nonzero(self) -> int:
        return nonzero(self.model)

    @cached_property
    def macs(self) -> Macs | None:
        return count_macs(self.model, self.example, self.call)

    @cached_property
    def peak_memory(self) -> int | None:
        return peak_memory(self.model, self.example, self.call)

    def on(self, runtime: Runtime, example: Any, batch: int, threads: int) -> Prepared:
        """The baseline, ready to run on a runtime.

        Raises:
            RuntimeUnavailable: it is not installed or cannot take the model.
        """
        key = (runtime.name, batch, threads)
        if key not in self.prepared:
            self.prepared[key] = runtime.prepare(self.model, example, threads, call=self.call)
        return self.prepared[key]


_known: WeakKeyDictionary[Workload, Known] = WeakKeyDictionary()
_lock = threading.Lock()


def known(work: Workload) -> Known:
    """What is known of a workload's baseline."""
    with _lock:
        if work not in _known:
            _known[work] = Known(work.baseline, work.example, call_of(work))
        return _known[work]


def evaluating_baseline(work: Workload, split: str) -> Steps[Evaluation]:
    """The baseline's evaluation on a split, made once."""
    kept = known(work).evaluations
    if split not in kept:
        found = yield from evaluating(work, subject(work), split)
        if found.is_partial:  # stopped: of use to this caller only
            return found
        kept[split] = found
    return kept[split]
