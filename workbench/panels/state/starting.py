"""Where a run begins: at the original, or at the version a person goes on from."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from workbench.recipe import Recipe
    from workbench.versions import Version, VersionTree


def known_start(version: Version | None, tree: VersionTree) -> str | None:
    """The id of what a version's run began from; None for the original, and where that was deleted."""
    made_from = version.made_from if version is not None else None
    return made_from if made_from is not None and made_from in tree else None


def spelled(recipe: Recipe, start: Version | None, tree: VersionTree) -> Version | None:
    """The version that a recipe after `start` spells: the head, if it was made so; `start` without a step."""
    if start is not None and not len(recipe):
        return start
    head = tree.head
    if head is None or head.recipe != recipe:
        return None
    return head if known_start(head, tree) == (start.id if start is not None else None) else None
