"""Versions as an outline: each below the one it was made from, as deep as it is many steps away."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from workbench.versions.version import Version


@dataclass(frozen=True)
class Line:
    """One version: how deep it stands, and whether others stand below it."""

    version: Version
    depth: int
    has_more: bool


def outline(listed: Sequence[Version], versions: Sequence[Version]) -> list[Line]:
    """The listed versions, newest first at each level, every one followed by those that were made from it.

    Args:
        listed: what is shown; a version whose parent is not among them stands below the nearest that is.
        versions: all there are.
    """
    parents = {each.id: each.parent for each in versions}
    shown = {each.id for each in listed}
    below: dict[str | None, list[Version]] = {}
    for each in listed:
        below.setdefault(_above(each.id, parents, shown), []).append(each)
    found: list[Line] = []
    stack = [(each, 0) for each in below.get(None, [])]  # the newest is taken first
    while stack:  # no recursion: a chain of a thousand versions is a tree too
        version, depth = stack.pop()
        more = below.get(version.id, [])
        found.append(Line(version, depth, bool(more)))
        stack += [(each, depth + 1) for each in more]
    return found


def _above(id: str, parents: dict[str, str | None], shown: set[str]) -> str | None:
    """The nearest listed version above; None is the original. A circle, which no tree has, ends as well."""
    seen = {id}
    above = parents.get(id)
    while above is not None and above not in shown and above not in seen:
        seen.add(above)
        above = parents.get(above)
    return above if above in shown else None
