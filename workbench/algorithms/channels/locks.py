"""Why is this layer locked? For each layer: what shrinks with it, and what keeps its channels in place."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass, replace

from torch import nn

from workbench.algorithms.channels.prepared import groups
from workbench.algorithms.channels.records import Group
from workbench.candidate import Candidate
from workbench.errors import RecipeError, listed, nearest
from workbench.workload import Workload


@dataclass(frozen=True)
class Lock:
    """One layer that makes channels.

    Attributes:
        layer: its path.
        word, units: what it has, and how many: `64 channels`, `12 heads`.
        together: the layers that make the same channels, itself included: they can only shrink together.
        reads: the other layers that shrink with them, since they read or normalize these channels.
        reason: why nothing can go, in words; empty where it can.
    """

    layer: str
    word: str
    units: int
    together: tuple[str, ...]
    reads: tuple[str, ...]
    reason: str = ""

    @property
    def is_locked(self) -> bool:
        """Whether its channels stay as they are."""
        return bool(self.reason)

    def __str__(self) -> str:
        others = [name for name in self.together if name != self.layer]
        with_them = f"; shrinks together with {listed(others, 4)}" if others else ""
        if self.is_locked:
            return f"{self.layer} is locked: {self.reason}"
        return f"{self.layer}: {self.units:,} {self.word} can be removed{with_them}"


def locks(
    given: Candidate | Workload, work: Workload | None = None, keep: Collection[str] = ()
) -> list[Lock]:
    """A record for each layer that makes channels, neurons or heads, in the model's own order.

    >>> for lock in locks(work): print(lock)                   # doctest: +SKIP

    Args:
        given: a workload, or a candidate of `work`.
        keep: layers that are to stay as they are, as `PruneChannels(keep=...)` has them.

    Raises:
        RecipeError: the model cannot be traced, or a layer of `keep` does not exist.
    """
    if isinstance(given, Workload):
        model, work = given.baseline, given
    else:
        model = given.model
    if work is None:
        raise TypeError("locks(candidate, work): a candidate needs its workload")
    found = [lock for group in keeping(groups(model, work), model, keep) for lock in _of(group)]
    order = {name: index for index, (name, _) in enumerate(model.named_modules())}
    return sorted(found, key=lambda each: order[each.layer])


def keeping(found: Collection[Group], model: nn.Module, keep: Collection[str]) -> list[Group]:
    """The groups, with those locked that make channels of a layer in `keep` (or inside one).

    Raises:
        RecipeError: a layer of that name does not exist; the nearest is named.
    """
    check_names(keep, model)
    return [_locked(each, keep) for each in found]


def check_names(keep: Collection[str], model: nn.Module) -> None:
    """Refuse names that are no module of the model, naming the nearest.

    Raises:
        RecipeError: one line.
    """
    paths = {name for name, _ in model.named_modules()} - {""}
    for name in keep:
        if name not in paths:
            raise RecipeError(f"keep names {name!r}, which is no layer of the model{nearest(name, paths)}")


def _locked(group: Group, keep: Collection[str]) -> Group:
    for maker in group.makers:
        name = next((each for each in keep if maker == each or maker.startswith(f"{each}.")), None)
        if name is not None and not group.locked:
            return replace(group, locked=f"{name} is kept by name")
    return group


def _of(group: Group) -> list[Lock]:
    reads = tuple(name for name in group.layers if name not in group.makers)
    reason = group.locked
    if not reason and group.units < 2:
        reason = f"it has one of its {group.word} left"
    return [Lock(each, group.word, group.units, group.makers, reads, reason) for each in group.makers]
