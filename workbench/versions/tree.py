"""The tree of versions: in memory, on disk where that works, telling whoever watches."""

from __future__ import annotations

import threading
import warnings
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from workbench.errors import VersionError, WorkbenchError, listed
from workbench.versions.file import FileProblem, VersionFile
from workbench.versions.history import History, free_name
from workbench.versions.records import restored, row
from workbench.versions.version import Version

if TYPE_CHECKING:
    from workbench.measurement.report import Report
    from workbench.workload import Workload

_LONGEST_NAME = 80


class VersionTree:
    """The versions of one workload; in memory, and on disk where there is a path.

    What another notebook adds to the same file is seen after `refresh()` or a restart.

    Args:
        path: the SQLite file; None for memory only.
        work: the workload; versions of others in the same file are not seen.

    Attributes:
        warning: one line where the file cannot be used and versions are kept in memory only, else None. Every
            new version tries the file again.
        unreadable: one line about versions in the file that cannot be read here, else None; they stay in it.
    """

    def __init__(self, path: str | Path | None, work: Workload) -> None:
        self.work = work
        self.path = Path(path) if path is not None else None
        self.warning: str | None = None
        self.unreadable: str | None = None
        self._history = History()
        self._observers: list[Callable[[VersionTree], None]] = []
        self._lock = threading.RLock()
        self._file: VersionFile | None = None
        self._unsaved: set[str] = set()  # ids of versions that are in memory only
        self._save_rest()

    @property
    def versions(self) -> list[Version]:
        """All versions, oldest first."""
        return list(self._history.versions.values())

    @property
    def head(self) -> Version | None:
        """The version one works from; None is the original."""
        history = self._history
        return history.versions.get(history.head) if history.head else None

    @property
    def can_undo(self) -> bool:
        """Whether the head is a version and not the original."""
        return self.head is not None

    @property
    def can_redo(self) -> bool:
        """Whether an undo can be taken back."""
        history = self._history
        return any(each in history.versions for each in history.ahead)

    @property
    def stored_bytes(self) -> int:
        """The packed bytes of all versions together."""
        return sum(each.packed_bytes for each in self.versions)

    @property
    def is_kept(self) -> bool:
        """Whether all versions outlive the kernel."""
        return self._file is not None and not self._unsaved

    def __len__(self) -> int:
        return len(self._history.versions)

    def __contains__(self, which: object) -> bool:
        key = which.id if isinstance(which, Version) else which
        return any(key in (each.id, each.name) for each in self.versions)

    def get(self, which: str | Version) -> Version:
        """The version of an id or a name, as it is now.

        Raises:
            VersionError: there is none; the line lists those there are.
        """
        return self._history.find(which)

    def add(self, version: Version) -> Version:
        """Keep a version and make it the head; the version as kept, with its name.

        A version without a name becomes `v1`, `v2`, ...; one whose name is taken gets a number behind it: a
        long run is not lost for a name. One that `wb.load` gave is added too, if it is of this model.

        Raises:
            VersionError: it is in the tree already. StorageError: it was made from another model.
        """
        with self._lock:
            if version.id in self._history.versions:
                raise VersionError(f"{version.name} is already in the tree")
            packed = version.packed
            version = version if version.work is self.work else self._adopted(version, packed)
            name = free_name(version.name, self._history.names)
            self._history = self._history.added(version.changed(name=name, fetch=lambda: packed))
            self._unsaved.add(version.id)
            self._save_rest()
            self._save_head()
        self._tell()
        return self.get(version)

    def select(self, which: str | Version | None) -> Version | None:
        """Make a version the head, or the original with None; redo then has nowhere to go."""
        with self._lock:
            self._move(self._history.selected(self.get(which).id if which is not None else None))
        self._tell()
        return self.head

    def undo(self) -> Version | None:
        """Move the head to its parent; the new head, None for the original.

        Raises:
            VersionError: the head is the original.
        """
        with self._lock:
            self._move(self._history.undone())
        self._tell()
        return self.head

    def redo(self) -> Version | None:
        """Move the head back to where the last undo came from; the new head.

        Raises:
            VersionError: nothing was undone.
        """
        with self._lock:
            self._move(self._history.redone())
        self._tell()
        return self.head

    def rename(self, which: str | Version, name: str) -> Version:
        """Give a version another name; the version as it is now.

        Raises:
            VersionError: the name is taken, empty or too long.
        """
        name = " ".join(str(name).split())
        if not name or len(name) > _LONGEST_NAME:
            raise VersionError(f"a version's name has 1 to {_LONGEST_NAME} characters, got {name[:20]!r}")
        with self._lock:
            version = self.get(which)
            if name != version.name and (name in self._history.names or self._is_taken_elsewhere(name)):
                raise VersionError(f"there is already a version {name!r}; choose another name")
            version = self._change(version, name=name)
        self._tell()
        return version

    def annotate(self, which: str | Version, note: str) -> Version:
        """Write a note on a version; the version as it is now."""
        version = self._change(self.get(which), note=str(note))
        self._tell()
        return version

    def remeasured(self, which: str | Version, change: Callable[[Report], Report]) -> Version:
        """Keep another report with a version, made from the one it has; the version as it is now.

        Raises:
            VersionError: there is no such version, or it has no report.
        """
        with self._lock:  # so that two who add to a report at once both find it as the other left it
            version = self.get(which)
            if version.report is None:
                raise VersionError(f"{version.name} has no report; wb.measure(work, version) makes one")
            version = self._change(version, report=change(version.report))
        self._tell()
        return version

    def pin(self, which: str | Version, is_pinned: bool = True) -> Version:
        """Keep a version out of what a size limit would remove; the version as it is now."""
        version = self._change(self.get(which), is_pinned=bool(is_pinned))
        self._tell()
        return version

    def delete(self, which: str | Version) -> None:
        """Remove a version and its weights for good; its children, and the head, become its parent's."""
        with self._lock:
            gone = self.get(which)
            heir = self._history.parent(gone.id)
            self._history = self._history.without(gone.id)
            self._unsaved.discard(gone.id)
            self._write(lambda file: file.delete(gone.id, heir))
            self._save_head()
        self._tell()

    def over_limit(self, limit_bytes: int) -> list[Version]:
        """What `prune` would remove to bring the packed bytes under a limit, oldest first; removes nothing.

        The head, pinned versions and those with a name of their own are never among them, so the rest may
        still be over the limit.
        """
        return self._history.over(limit_bytes)

    def prune(self, limit_bytes: int) -> list[Version]:
        """Remove what `over_limit` says; those removed."""
        gone = self.over_limit(limit_bytes)
        for each in gone:
            self.delete(each)
        return gone

    def observe(self, observer: Callable[[VersionTree], None]) -> Callable[[], None]:
        """Call `observer(tree)` after every change, in the thread that made it; returns what ends that."""
        self._observers.append(observer)
        return lambda: self._observers.remove(observer) if observer in self._observers else None

    def refresh(self) -> None:
        """Read the file again, for what another notebook has added or removed."""
        with self._lock:
            self._save_rest()
            self._write(self._read)
        self._tell()

    def keep(self, path: str | Path) -> None:
        """Keep the versions in a file from now on, those that were in memory too."""
        with self._lock:
            self.path = Path(path)
            self._save_rest()
        self._tell()

    def serve(self, work: Workload) -> None:
        """Go on with another object of the same workload: its loss, metrics and data are used from now on."""
        with self._lock:
            before, self.work = self.work, work
            for each in self.versions:
                base = work.baseline if each.base is before.baseline else each.base
                self._history = self._history.changed(each.changed(work=work, base=base))

    def close(self) -> None:
        """Close the file; the tree must not be used afterwards."""
        if self._file is not None:
            self._file.close()

    def _move(self, history: History) -> None:
        self._history = history
        self._save_head()

    def _change(self, version: Version, **changes: Any) -> Version:
        """The version with these changes, kept; telling it is left to the caller, who may hold the lock."""
        with self._lock:
            version = self._history.versions[version.id].changed(**changes)
            self._history = self._history.changed(version)
            if version.id not in self._unsaved:  # it is written whole as soon as the file works again
                columns = row(version)
                self._write(lambda file: file.change(columns.pop("id"), **columns))
        return version

    def _is_taken_elsewhere(self, name: str) -> bool:
        """Whether another notebook has a version of this name in the file."""
        if self._file is None:
            return False
        try:
            return self._file.has_name(name)
        except FileProblem:  # writing will say it
            return False

    def _adopted(self, version: Version, packed: bytes) -> Version:
        """A version from a file or of another workload object, as one of this workload.

        Raises:
            StorageError: it was made from another model.
        """
        from workbench.storage import unpack
        from workbench.storage.unpacking import header_of

        has_own_class = bool(header_of(packed).student)
        if version.fingerprint != self.work.fingerprint and not has_own_class:
            unpack(packed, self.work.baseline)
        base = version.base if has_own_class else self.work.baseline
        return version.changed(work=self.work, base=base, fingerprint=self.work.fingerprint)

    def _save_head(self) -> None:
        history = self._history
        self._write(lambda file: file.set_head(history.head, list(history.ahead)))

    def _save_rest(self) -> None:
        """Write what is in memory only, where there is a file and it works (again)."""
        if self.path is not None and (self._file is None or self._unsaved):
            self._try(self._write_unsaved)

    def _write_unsaved(self) -> None:
        if self._file is None:
            self._file = VersionFile(self.path, self.work.fingerprint)
            self._read(self._file)
        for version in [each for each in self.versions if each.id in self._unsaved]:
            name = self._file.add(
                row(version), version.packed, lambda taken, v=version: free_name(v.name, taken)
            )
            kept = version.changed(name=name, fetch=self._fetcher(version.id))
            self._history = self._history.changed(kept)
            self._unsaved.discard(version.id)

    def _read(self, file: VersionFile) -> None:
        """Bring back what the file holds; a row that cannot be read is left where it is, and said."""
        known, unreadable, found = self._history.versions, [], {}
        for columns in file.rows():
            try:
                version = restored(columns, self.work, self._fetcher(columns[0]))
            except (ValueError, TypeError, KeyError, AttributeError, WorkbenchError) as error:
                unreadable.append(f"{columns[2]} ({str(error).split(chr(10))[0] or type(error).__name__})")
            else:
                old = known.get(version.id)
                found[version.id] = version if old is None else version.changed(cache=old.cache)
        rest = {id: each for id, each in known.items() if id in self._unsaved}
        head, ahead = file.head()
        history = History({**found, **rest}, head, tuple(ahead))
        self._history = replace(history, head=self._history.head) if self._history.head in rest else history
        if unreadable:
            self.unreadable = f"versions in {self.path} that cannot be read here: {listed(unreadable, 3)}"
            warnings.warn(self.unreadable, stacklevel=6)

    def _fetcher(self, id: str) -> Callable[[], bytes]:
        file = self._file

        def fetch() -> bytes:
            try:
                return file.packed(id)
            except FileProblem as problem:
                raise VersionError(str(problem)) from problem

        return fetch

    def _write(self, action: Callable[[VersionFile], Any]) -> None:
        """Do it in the file, where there is one."""
        if (file := self._file) is not None:
            self._try(lambda: action(file))

    def _try(self, action: Callable[[], Any]) -> None:
        """Do something with the file; where that fails the tree goes on in memory."""
        try:
            action()
        except FileProblem as problem:
            if str(problem) != self.warning:
                warnings.warn(str(problem), stacklevel=5)
            self.warning = str(problem)
        else:
            self.warning = self.warning if self._unsaved else None

    def _tell(self) -> None:
        """Tell the observers; one that raises does not keep the others from hearing."""
        for observer in list(self._observers):
            try:
                observer(self)
            except Exception as error:
                warnings.warn(f"an observer of the versions failed: {error!r}", stacklevel=3)

    def __repr__(self) -> str:
        where, head = self.path if self.is_kept else "memory", self.head.name if self.head else "the original"
        return f"<VersionTree of {self.work.name}: {len(self)} versions in {where}, at {head}>"
