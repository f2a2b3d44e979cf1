"""How a version came about: the versions between the original and it, and where two ways part."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from workbench.recipe import Recipe

if TYPE_CHECKING:
    from workbench.versions import Version
    from workbench.workload import Workload

Find = Callable[[str], "Version | None"]


def finder(work: Workload) -> Find:
    """Finds versions by id in the workload's own tree."""
    from workbench.versions import tree_for

    tree = tree_for(work)
    return lambda id: tree.get(id) if id in tree else None


def way(version: Version | None, find: Find) -> tuple[Version, ...]:
    """The versions from the original to this one, itself last; as far back as they are still known."""
    found: list[Version] = []
    while version is not None and version not in found:
        found.insert(0, version)
        version = find(version.made_from) if version.made_from else None
    return tuple(found)


def is_whole(steps: tuple[Version, ...]) -> bool:
    """Whether a way begins at the original; not where the version it began from was deleted."""
    return not steps or steps[0].made_from is None


def recipe(version: Version | None, find: Find) -> Recipe:
    """Every step from the original to a version, those of the versions it went on from first."""
    return Recipe(tuple(step for each in way(version, find) for step in each.recipe))


def parting(
    before: Version | None, after: Version | None, find: Find
) -> tuple[Version | None, tuple[Version, ...]]:
    """The last version both ways have in common (None is the original), and the way from it to `after`."""
    first, second = way(before, find), way(after, find)
    ids = [each.id for each in first]
    common = 0
    while common < min(len(first), len(second)) and second[common].id == ids[common]:
        common += 1
    return (second[common - 1] if common else None), second[common:]
