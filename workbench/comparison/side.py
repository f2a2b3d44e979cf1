"""One of the two that are compared: the original, a version, or any model, with what arithmetic tells."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any

from workbench.measurement.compute import Macs, call_of, count_macs, nonzero, parameters
from workbench.measurement.memory import peak_memory
from workbench.measurement.size import claimed_bytes
from workbench.measurement.subject import name_of, stored_bytes, subject

if TYPE_CHECKING:
    from workbench.candidate import Candidate
    from workbench.versions import Version
    from workbench.workload import Workload

ORIGINAL = "original"


@dataclass(frozen=True, eq=False)
class Side:
    """One of two. `model` is None for the original; `version` is None where it is no version."""

    work: Workload
    model: Any
    name: str
    version: Version | None = None

    @classmethod
    def of(cls, work: Workload, model: Any, name: str = "") -> Side:
        """The original (None), a version or its name, a candidate, or a model.

        Raises:
            WorkbenchError: no such version, or it cannot be measured.
        """
        from workbench.versions import Version, tree_for

        if isinstance(model, str):
            model = (
                None if model == ORIGINAL and ORIGINAL not in tree_for(work) else tree_for(work).get(model)
            )
        version = model if isinstance(model, Version) else None
        given = ORIGINAL if model is None else name_of(work, model)
        side = cls(work, model, name or given, version)
        side.candidate  # noqa: B018 - what cannot be measured is refused here
        return side

    @property
    def candidate(self) -> Candidate:
        """What computes. A version's is not held here: models in memory are a cache, which versions have."""
        return self.version.candidate if self.version is not None else self.own

    @cached_property
    def own(self) -> Candidate:
        """That of a model that is no version: a copy, made once."""
        return subject(self.work, self.model)

    @cached_property
    def stored(self) -> int | None:
        """Bytes of its file; None for a candidate that was not written."""
        if self.version is not None:
            return self.version.packed_bytes
        return stored_bytes(self.candidate, self.model)

    @cached_property
    def claimed(self) -> int:
        return claimed_bytes(self.candidate)

    @cached_property
    def parameters(self) -> int:
        return parameters(self.candidate.model)

    @cached_property
    def nonzero(self) -> int:
        return nonzero(self.candidate.model)

    @cached_property
    def macs(self) -> Macs | None:
        return count_macs(self.candidate.model, self.work.example, call_of(self.work))

    @cached_property
    def peak_memory(self) -> int | None:
        return peak_memory(self.candidate.model, self.work.example, call_of(self.work))
