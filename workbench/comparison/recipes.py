"""What differs between two recipes, step by step and option by option."""

from __future__ import annotations

from dataclasses import dataclass
from difflib import SequenceMatcher
from typing import TYPE_CHECKING, Any

from workbench.options import describe

if TYPE_CHECKING:
    from workbench.recipe import Recipe
    from workbench.technique import Technique

SAME, CHANGED, ADDED, REMOVED = "same", "changed", "added", "removed"


@dataclass(frozen=True)
class StepChange:
    """One step of two recipes. `options` are those that differ: name, before, after."""

    kind: str
    before: Technique | None
    after: Technique | None
    options: tuple[tuple[str, Any, Any], ...] = ()

    @property
    def text(self) -> str:
        """`PruneWeights: sparsity 0.5 → 0.9`, `+ FineTune(epochs=2)`."""
        if self.kind == ADDED:
            return f"+ {self.after}"
        if self.kind == REMOVED:
            return f"− {self.before}"
        if self.kind == SAME:
            return f"= {self.after}"
        told = ", ".join(f"{name} {before!r} → {after!r}" for name, before, after in self.options)
        return f"{type(self.after).__name__}: {told}"


def difference(before: Recipe, after: Recipe) -> tuple[StepChange, ...]:
    """The steps of both in order: a step of the same technique at the same place is the same or changed."""
    old, new = tuple(before), tuple(after)
    names = [[type(each).__name__ for each in steps] for steps in (old, new)]
    found: list[StepChange] = []
    for tag, i, j, k, m in SequenceMatcher(None, *names, autojunk=False).get_opcodes():
        if tag == "equal":
            found += [_pair(a, b) for a, b in zip(old[i:j], new[k:m], strict=True)]
            continue
        found += [StepChange(REMOVED, each, None) for each in old[i:j]]
        found += [StepChange(ADDED, None, each) for each in new[k:m]]
    return tuple(found)


def _pair(before: Technique, after: Technique) -> StepChange:
    values = ((each.name, getattr(before, each.name), getattr(after, each.name)) for each in describe(before))
    options = tuple(each for each in values if each[1] != each[2])
    return StepChange(CHANGED if options else SAME, before, after, options)
