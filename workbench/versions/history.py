"""Where one is among the versions: a value that undo, redo, branches and deleting turn into another one."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace

from workbench.errors import VersionError, listed, nearest
from workbench.versions.version import Version

_AUTOMATIC = re.compile(r"v[0-9]{1,9}")


@dataclass(frozen=True)
class History:
    """Versions by id, oldest first; the head (None is the original); where redo goes, the next one last."""

    versions: Mapping[str, Version] = field(default_factory=dict)
    head: str | None = None
    ahead: tuple[str, ...] = ()

    def find(self, which: str | Version) -> Version:
        """The version of an id or a name, as it is now.

        Raises:
            VersionError: there is none; the line lists those there are.
        """
        key = which.id if isinstance(which, Version) else which
        for each in self.versions.values():
            if key in (each.id, each.name):
                return each
        raise VersionError(
            f"no version {key!r}{nearest(str(key), self.names)}; there are: {listed(self.names)}"
        )

    @property
    def names(self) -> list[str]:
        """The names of all versions."""
        return [each.name for each in self.versions.values()]

    def added(self, version: Version) -> History:
        """With one more version, which is the head."""
        return History({**self.versions, version.id: version}, version.id)

    def changed(self, version: Version) -> History:
        """With another record of a version that is there."""
        return replace(self, versions={**self.versions, version.id: version})

    def selected(self, head: str | None) -> History:
        """With another head; redo then has nowhere to go."""
        return replace(self, head=head, ahead=())

    def undone(self) -> History:
        """With the head at its parent.

        Raises:
            VersionError: the head is the original.
        """
        if self.head not in self.versions:
            raise VersionError("nothing to undo: this is the original")
        return replace(self, head=self.parent(self.head), ahead=(*self.ahead, self.head))

    def redone(self) -> History:
        """With the head where the last undo came from.

        Raises:
            VersionError: nothing was undone.
        """
        ahead = [each for each in self.ahead if each in self.versions]
        if not ahead:
            raise VersionError("nothing to redo")
        return replace(self, head=ahead[-1], ahead=tuple(ahead[:-1]))

    def without(self, id: str) -> History:
        """With a version gone: its children are its parent's now, and so is the head."""
        heir = self.parent(id)
        left = {
            each.id: each.changed(parent=heir) if each.parent == id else each
            for each in self.versions.values()
            if each.id != id
        }
        head = heir if self.head == id else self.head
        return History(left, head, tuple(each for each in self.ahead if each != id))

    def parent(self, id: str) -> str | None:
        """The parent of a version, None where it is the original (or no longer known)."""
        parent = self.versions[id].parent
        return parent if parent in self.versions else None

    def over(self, limit_bytes: int) -> list[Version]:
        """The oldest versions whose removal brings the packed bytes under a limit, or as near as it gets.

        Neither the head, nor pinned versions, nor those with a name of their own.
        """
        excess = sum(each.packed_bytes for each in self.versions.values()) - limit_bytes
        found = []
        for each in self.versions.values():
            if excess > 0 and each.id != self.head and not each.is_pinned and is_automatic(each.name):
                found.append(each)
                excess -= each.packed_bytes
        return found


def free_name(wanted: str, taken: Iterable[str]) -> str:
    """The wanted name, numbered where it is taken; the next automatic one where that or none is wanted."""
    taken = set(taken)
    if wanted and wanted not in taken:
        return wanted
    if not wanted or is_automatic(wanted):
        numbers = [int(name[1:]) for name in taken if is_automatic(name)]
        return f"v{max(numbers, default=0) + 1}"
    tries = (f"{wanted} ({number})" for number in range(2, len(taken) + 3))
    return next(name for name in tries if name not in taken)


def is_automatic(name: str) -> bool:
    """Whether a name is one of `v1`, `v2`, ..."""
    return _AUTOMATIC.fullmatch(name) is not None
