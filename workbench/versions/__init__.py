"""Finished versions and their tree: undo and redo without end, branches, restart; nothing deleted unasked.

The head is the version one works from; None is the original. Adding a version moves the head to it. Undo
moves it to its parent, redo back again; adding after an undo makes a branch.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

from workbench.versions.tree import VersionTree
from workbench.versions.version import Version

if TYPE_CHECKING:
    from workbench.workload import Workload

FILE = "versions.sqlite"

_trees: dict[tuple[Path | None, str], VersionTree] = {}
_folder: Path | None = None
_trees_lock = threading.Lock()
_observers: list[Callable[[VersionTree], None]] = []


def keep_in(folder: str | Path | None) -> None:
    """Keep the versions of all workloads in `folder/versions.sqlite` from now on; None for memory only.

    Trees that were begun in memory move into the file. Needs no torch, so an extension may call it at once.
    """
    global _folder
    _folder = Path(folder).absolute() if folder is not None else None
    for tree in list(_trees.values()):
        tree_for(tree.work)


def tree_for(work: Workload) -> VersionTree:
    """The tree of a workload: the same one each time, on disk where `keep_in` was called.

    Workloads of the same model and data sizes share a tree; versions that were in memory before `keep_in`
    move into the file.
    """
    path = _folder / FILE if _folder is not None else None
    key, in_memory = (path, work.fingerprint), (None, work.fingerprint)
    with _trees_lock:
        if path is not None and key not in _trees and in_memory in _trees:
            _trees[key] = _trees.pop(in_memory)
            _trees[key].keep(path)
        if key not in _trees:
            _trees[key] = VersionTree(path, work)
            _trees[key].observe(_tell)
        elif _trees[key].work is not work:
            _trees[key].serve(work)
        return _trees[key]


def trees() -> list[VersionTree]:
    """The trees in use, those made first at the front."""
    return list(_trees.values())


def observe(observer: Callable[[VersionTree], None]) -> Callable[[], None]:
    """Call `observer(tree)` after every change of any tree, of later ones too; returns what ends that."""
    _observers.append(observer)
    return lambda: _observers.remove(observer) if observer in _observers else None


def _tell(tree: VersionTree) -> None:
    for observer in list(_observers):
        observer(tree)


__all__ = ["FILE", "Version", "VersionTree", "keep_in", "observe", "tree_for", "trees"]
