"""What one step of a recipe did, as a record that outlives the run."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

from workbench.promises import Promise, standing

if TYPE_CHECKING:
    from workbench.candidate import Candidate
    from workbench.technique import Technique


@dataclass(frozen=True)
class Stage:
    """What one step of a recipe did.

    `promises` are those of the earlier steps, with the share that still stands after this one, and its own.
    """

    step: str
    seconds: float
    summary: str
    parameters: int
    nonzero: int
    claimed_bytes: int
    history: tuple[Mapping[str, Any], ...] = ()
    notes: tuple[str, ...] = ()
    promises: tuple[Promise, ...] = ()

    def to_dict(self) -> dict[str, Any]:
        """The stage as plain data, for JSON."""
        return {
            **asdict(self),
            "history": [dict(each) for each in self.history],
            "notes": list(self.notes),
            "promises": [each.to_dict() for each in self.promises],
        }

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> Stage:
        """The stage `to_dict` wrote, now or before there were promises."""
        return cls(
            **{
                **data,
                "history": tuple(dict(each) for each in data["history"]),
                "notes": tuple(data.get("notes", ())),
                "promises": tuple(map(Promise.from_dict, data.get("promises", ()))),
            }
        )


def stage_of(
    step: Technique,
    before: Candidate,
    after: Candidate,
    seconds: float,
    history: Sequence[Mapping[str, Any]] = (),
    earlier: Sequence[Promise] = (),
) -> Stage:
    """The record of a step that made `after` of `before`; a long history is thinned.

    `earlier` are the promises as they stood before the step.
    """
    from workbench.measurement.compute import nonzero, parameters
    from workbench.measurement.size import claimed_bytes

    count, kept = parameters(after.model), nonzero(after.model)
    old, new = claimed_bytes(before), claimed_bytes(after)
    zeros = 1 - kept / max(count, 1)
    summary = (
        f"{count:,} parameters, {zeros:.1%} zeros, claimed {new:,} bytes ({old / max(new, 1):.1f}× smaller)"
    )
    promises = standing(step, before, after, earlier)
    return Stage(str(step), seconds, summary, count, kept, new, _thinned(history), after.notes, promises)


def _thinned(history: Sequence[Mapping[str, Any]], most: int = 400) -> tuple[Mapping[str, Any], ...]:
    """At most about `most` records, evenly, with every one that holds a validation figure."""
    stride = max(1, len(history) // most)
    return tuple(
        each
        for index, each in enumerate(history)
        if index % stride == 0 or any(key.startswith("validation") for key in each)
    )
