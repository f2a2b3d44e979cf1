"""A file of versions that is locked, broken, foreign or of the future costs one line, and no version."""

from __future__ import annotations

import sqlite3
import warnings
from pathlib import Path

import pytest
from packing import masked
from small import workload

from workbench.candidate import Candidate
from workbench.errors import VersionError
from workbench.recipe import Recipe
from workbench.storage import pack
from workbench.versions import Version, VersionTree, file
from workbench.workload import Workload


@pytest.fixture
def work() -> Workload:
    return workload()


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "versions.sqlite"


def made(work: Workload) -> Version:
    candidate = masked(Candidate.of(work.baseline), 0.5)
    packed = pack(candidate, recipe=Recipe(), original=work.baseline)
    return Version.new(work, recipe=Recipe(), seed=0, packed=packed)


def goes_on_in_memory(path: Path, work: Workload, words: str) -> VersionTree:
    """The tree of a file that cannot be used: it warns once, in one line, and works."""
    with pytest.warns(UserWarning, match=words) as caught:
        tree = VersionTree(path, work)
        tree.add(made(work))
        tree.undo()
        tree.redo()
    assert len(caught) == 1
    assert words in tree.warning and "\n" not in tree.warning
    assert (len(tree), tree.head.name, tree.is_kept) == (1, "v1", False)
    return tree


def test_a_broken_file_is_left_as_it_is(path: Path, work: Workload):
    path.write_bytes(b"not a database at all" * 100)
    before = path.read_bytes()
    goes_on_in_memory(path, work, "it is broken; move it away")
    assert path.read_bytes() == before


def test_a_file_cut_in_the_middle_is_said_to_be_broken(path: Path, work: Workload):
    tree = VersionTree(path, work)
    for _ in range(30):
        tree.add(made(work))
    tree.close()
    data = path.read_bytes()
    path.write_bytes(data[: len(data) // 2])
    with pytest.warns(UserWarning, match=r"broken|cannot be read"):
        assert VersionTree(path, work).warning


def test_another_programs_file_is_left_as_it_is(path: Path, work: Workload):
    with sqlite3.connect(path) as other:
        other.execute("CREATE TABLE bookmarks (url TEXT)")
    before = path.read_bytes()
    goes_on_in_memory(path, work, "another program's SQLite file")
    assert path.read_bytes() == before


def test_a_file_of_a_newer_workbench_is_left_as_it_is(path: Path, work: Workload):
    VersionTree(path, work).close()
    with sqlite3.connect(path) as newer:
        newer.execute(f"PRAGMA user_version = {file.SCHEMA + 1}")
    newer.close()
    goes_on_in_memory(path, work, "written by a newer workbench")


def test_a_locked_file_is_tried_again_and_loses_nothing(
    path: Path, work: Workload, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(file, "_PATIENCE", 0.01)
    VersionTree(path, work).close()
    holder = sqlite3.connect(path, isolation_level=None)
    holder.execute("PRAGMA locking_mode = EXCLUSIVE")
    holder.execute("BEGIN EXCLUSIVE")
    tree = goes_on_in_memory(path, work, "holds it locked")
    holder.execute("COMMIT")
    holder.close()
    tree.add(made(work))  # the file works again: both are written
    assert tree.is_kept and tree.warning is None
    tree.close()
    again = VersionTree(path, work)
    assert [each.name for each in again.versions] == ["v1", "v2"]
    again.close()


def test_a_file_that_is_locked_later_loses_nothing_either(
    path: Path, work: Workload, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(file, "_PATIENCE", 0.01)
    tree = VersionTree(path, work)
    first = tree.add(made(work))
    holder = sqlite3.connect(path, isolation_level=None)
    holder.execute("BEGIN IMMEDIATE")
    with pytest.warns(UserWarning, match="holds it locked"):
        second = tree.add(made(work))
    assert first.packed and second.packed and not tree.is_kept
    holder.execute("ROLLBACK")
    holder.close()
    tree.refresh()
    assert tree.is_kept and [each.name for each in tree.versions] == ["v1", "v2"]
    tree.close()


def test_a_file_that_may_only_be_read_still_shows_its_versions(
    path: Path, work: Workload, monkeypatch: pytest.MonkeyPatch
):
    tree = VersionTree(path, work)
    tree.add(made(work))
    tree.close()
    connect = sqlite3.connect
    monkeypatch.setattr(
        sqlite3, "connect", lambda path, **options: connect(f"file:{path}?mode=ro", uri=True, **options)
    )
    again = VersionTree(path, work)
    with pytest.warns(UserWarning, match="may not be written"):
        again.add(made(work))
    assert [each.name for each in again.versions] == ["v1", "v2"]
    assert all(each.packed for each in again.versions)
    again.close()


def test_a_folder_that_cannot_be_made_is_said(tmp_path: Path, work: Workload):
    (tmp_path / "file").write_text("")
    goes_on_in_memory(tmp_path / "file" / "versions.sqlite", work, "cannot be opened")


def test_a_version_that_cannot_be_read_stays_in_the_file(path: Path, work: Workload):
    tree = VersionTree(path, work)
    tree.add(made(work))
    tree.add(made(work))
    tree.close()
    with sqlite3.connect(path) as other:
        other.execute("UPDATE versions SET record = '{\"recipe\": [\"FromTheFuture\"]}' WHERE name = 'v1'")
    other.close()
    with pytest.warns(UserWarning, match="cannot be read here: v1"):
        again = VersionTree(path, work)
    assert [each.name for each in again.versions] == ["v2"] and again.warning is None
    again.add(made(work))
    again.close()
    with sqlite3.connect(path) as other:
        assert other.execute("SELECT count(*) FROM versions").fetchone() == (3,)
    other.close()


def test_weights_deleted_elsewhere_get_a_line(path: Path, work: Workload):
    one, other = VersionTree(path, work), VersionTree(path, work)
    kept = one.add(made(work))
    other.refresh()
    other.delete("v1")
    with pytest.raises(VersionError, match="deleted elsewhere"):
        _ = kept.packed
    one.close()
    other.close()


def test_no_connection_is_left_open(path: Path, work: Workload):
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        tree = VersionTree(path, work)
        tree.add(made(work))
        tree.close()
    assert [each.name for each in path.parent.iterdir()] == ["versions.sqlite"]
