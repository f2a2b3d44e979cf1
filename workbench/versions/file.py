"""Versions on disk: one SQLite file for all workloads of a folder, rows keyed by the workload's fingerprint.

Every failure is a `FileProblem` whose text is one line for the person; the tree then goes on in memory.
"""

from __future__ import annotations

import json
import sqlite3
import threading
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

SCHEMA = 1
_MARK = 0x57424E43  # the application id of our files, so that nobody else's is written to
_PATIENCE = 2.0  # seconds to wait for another notebook that is writing
_TABLES = """
CREATE TABLE versions (
    number INTEGER PRIMARY KEY AUTOINCREMENT,
    id TEXT NOT NULL UNIQUE,
    work TEXT NOT NULL,
    parent TEXT,
    name TEXT NOT NULL,
    created TEXT NOT NULL,
    is_pinned INTEGER NOT NULL DEFAULT 0,
    record TEXT NOT NULL,
    packed BLOB NOT NULL,
    UNIQUE (work, name)
);
CREATE TABLE heads (work TEXT PRIMARY KEY, head TEXT, redo TEXT NOT NULL DEFAULT '[]');
"""
_COLUMNS = "id, parent, name, created, is_pinned, record, length(packed)"


class FileProblem(Exception):
    """The file cannot be used; the text is one line that says why and what to do."""


class VersionFile:
    """The rows of one workload. One connection, used by any thread, one at a time.

    Args:
        path: of the SQLite file; its folder is made where it does not exist.
        work: the workload's fingerprint.

    Raises:
        FileProblem: the file is locked, broken, somebody else's, of a later workbench, or cannot be written.
    """

    def __init__(self, path: Path, work: str) -> None:
        self.path = path
        self.work = work
        self._lock = threading.RLock()
        with self._told("opened"):
            path.parent.mkdir(parents=True, exist_ok=True)
            self._connection = sqlite3.connect(
                path, timeout=_PATIENCE, isolation_level=None, check_same_thread=False
            )
        try:
            self._prepare()
        except FileProblem:
            self._connection.close()
            raise

    def rows(self) -> list[tuple[Any, ...]]:
        """`(id, parent, name, created, is_pinned, record, packed_bytes)` of each version, oldest first."""
        with self._told("read"):
            query = f"SELECT {_COLUMNS} FROM versions WHERE work = ? ORDER BY number"
            return self._connection.execute(query, (self.work,)).fetchall()

    def head(self) -> tuple[str | None, list[str]]:
        """The id of the head, and the ids that redo goes to, the next one last."""
        with self._told("read"):
            query = "SELECT head, redo FROM heads WHERE work = ?"
            head, redo = self._connection.execute(query, (self.work,)).fetchone() or (None, "[]")
        try:
            ids = json.loads(redo)
        except ValueError:
            ids = []
        return head, [each for each in ids if isinstance(each, str)] if isinstance(ids, list) else []

    def packed(self, id: str) -> bytes:
        """The packed bytes of a version.

        Raises:
            FileProblem: it is no longer there.
        """
        with self._told("read"):
            found = self._connection.execute("SELECT packed FROM versions WHERE id = ?", (id,)).fetchone()
        if found is None:
            raise FileProblem(self._gone())
        return bytes(found[0])

    def add(self, row: Mapping[str, Any], packed: bytes, choose: Callable[[Iterable[str]], str]) -> str:
        """Insert a version under the name that `choose` makes of the names taken; that name."""
        with self._writing():
            query = "SELECT name FROM versions WHERE work = ?"
            name = choose([taken for (taken,) in self._connection.execute(query, (self.work,))])
            self._connection.execute(
                "INSERT INTO versions (id, work, parent, name, created, is_pinned, record, packed) "
                "VALUES (:id, :work, :parent, :name, :created, :is_pinned, :record, :packed)",
                {**row, "work": self.work, "name": name, "packed": packed},
            )
        return name

    def change(self, id: str, **columns: Any) -> None:
        """Write some columns of a version.

        Raises:
            FileProblem: it is no longer there.
        """
        assigned = ", ".join(f"{column} = :{column}" for column in columns)
        query = f"UPDATE versions SET {assigned} WHERE id = :id"
        with self._writing():
            found = self._connection.execute(query, {**columns, "id": id}).rowcount
        if not found:
            raise FileProblem(self._gone())

    def has_name(self, name: str) -> bool:
        """Whether there is a version of this name, also one that another notebook has added."""
        with self._told("read"):
            query = "SELECT 1 FROM versions WHERE work = ? AND name = ?"
            return self._connection.execute(query, (self.work, name)).fetchone() is not None

    def delete(self, id: str, heir: str | None) -> None:
        """Remove a version; its children get `heir` as their parent."""
        with self._writing():
            self._connection.execute("UPDATE versions SET parent = ? WHERE parent = ?", (heir, id))
            self._connection.execute("DELETE FROM versions WHERE id = ?", (id,))

    def set_head(self, head: str | None, redo: list[str]) -> None:
        """Write where the head is, and where redo goes."""
        with self._writing():
            self._connection.execute(
                "INSERT INTO heads (work, head, redo) VALUES (?, ?, ?) "
                "ON CONFLICT (work) DO UPDATE SET head = excluded.head, redo = excluded.redo",
                (self.work, head, json.dumps(redo)),
            )

    def close(self) -> None:
        """Close the connection; also folds the write-ahead log into the file."""
        with self._lock:
            self._connection.close()

    def _gone(self) -> str:
        return f"this version is no longer in {self.path}; it was deleted elsewhere"

    def _prepare(self) -> None:
        """See whose file it is, and make the tables where it is new."""
        with self._told("opened"):
            run = self._connection.execute
            is_new = not run("SELECT count(*) FROM sqlite_master").fetchone()[0]
            mark, schema = (
                run("PRAGMA application_id").fetchone()[0],
                run("PRAGMA user_version").fetchone()[0],
            )
        if not is_new and mark != _MARK:
            raise FileProblem(
                f"{self.path} is another program's SQLite file; versions are kept in memory only"
            )
        if schema > SCHEMA:
            raise FileProblem(
                f"{self.path} was written by a newer workbench; update this one, or move the file away. "
                "Until then versions are kept in memory only"
            )
        with self._lock, suppress(sqlite3.OperationalError):  # a file system without it, or a read-only file
            run("PRAGMA journal_mode = WAL")
            run("PRAGMA synchronous = NORMAL")
        if is_new:
            with self._writing():
                self._create()

    def _create(self) -> None:
        if self._connection.execute("SELECT count(*) FROM sqlite_master").fetchone()[0]:
            return  # another notebook was faster
        for statement in _TABLES.split(";"):
            self._connection.execute(statement)
        self._connection.execute(f"PRAGMA application_id = {_MARK}")
        self._connection.execute(f"PRAGMA user_version = {SCHEMA}")

    @contextmanager
    def _writing(self) -> Iterator[None]:
        """A transaction that is written whole or not at all."""
        with self._told("written"):
            self._connection.execute("BEGIN IMMEDIATE")
            try:
                yield
                self._connection.execute("COMMIT")
            except BaseException:
                if self._connection.in_transaction:
                    self._connection.execute("ROLLBACK")
                raise

    @contextmanager
    def _told(self, done: str) -> Iterator[None]:
        """One thread at a time; what SQLite raises becomes one line."""
        with self._lock:
            try:
                yield
            except (sqlite3.Error, OSError) as error:
                raise FileProblem(_line(self.path, done, error)) from error


def _line(path: Path, done: str, error: Exception) -> str:
    text = str(error)
    if "locked" in text or "busy" in text:
        why = "another program holds it locked; close that and restart the kernel"
    elif "not a database" in text or "malformed" in text:
        why = "it is broken; move it away to begin a new one"
    elif "readonly" in text or "read-only" in text.lower():
        why = "it may not be written"
    else:
        why = text.split("\n")[0]
    return f"{path} cannot be {done}: {why}. Versions are kept in memory only, and are lost with the kernel"
