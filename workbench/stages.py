"""What one step of a recipe did, as a record that outlives the run."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from workbench.candidate import Candidate
    from workbench.technique import Technique


@dataclass(frozen=True)
class Stage:
    """What one step of a recipe did."""

    step: str
    seconds: float
    summary: str
    parameters: int
    nonzero: int
    claimed_bytes: int
    history: tuple[Mapping[str, Any], ...] = ()
    notes: tuple[str, ...] = ()

    def to_dict(self) -> dict[str, Any]:
        """The stage as plain data, for JSON."""
        return {**asdict(self), "history": [dict(each) for each in self.history], "notes": list(self.notes)}

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> Stage:
        """The stage `to_dict` wrote."""
        history = tuple(dict(each) for each in data["history"])
        return cls(**{**data, "history": history, "notes": tuple(data.get("notes", ()))})


def stage_of(
    step: Technique,
    before: Candidate,
    after: Candidate,
    seconds: float,
    history: Sequence[Mapping[str, Any]] = (),
) -> Stage:
    """The record of a step that made `after` of `before`; a long history is thinned."""
    from workbench.measurement.compute import nonzero, parameters
    from workbench.measurement.size import claimed_bytes

    count, kept = parameters(after.model), nonzero(after.model)
    old, new = claimed_bytes(before), claimed_bytes(after)
    zeros = 1 - kept / max(count, 1)
    summary = (
        f"{count:,} parameters, {zeros:.1%} zeros, claimed {new:,} bytes ({old / max(new, 1):.1f}× smaller)"
    )
    return Stage(str(step), seconds, summary, count, kept, new, _thinned(history), after.notes)


def _thinned(history: Sequence[Mapping[str, Any]], most: int = 400) -> tuple[Mapping[str, Any], ...]:
    """At most about `most` records, evenly, with every one that holds a validation figure."""
    stride = max(1, len(history) // most)
    return tuple(
        each
        for index, each in enumerate(history)
        if index % stride == 0 or any(key.startswith("validation") for key in each)
    )
