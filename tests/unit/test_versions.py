"""Versions form a tree that undo, redo, restart and other threads cannot hurt."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
import torch
from packing import gridded, masked
from small import net, same, states, workload

from workbench import versions
from workbench.candidate import Candidate
from workbench.constraints import Codebook, Mask
from workbench.errors import StorageError, VersionError
from workbench.measurement.report import Report
from workbench.measurement.size import Size
from workbench.recipe import Recipe
from workbench.run import Stage
from workbench.storage import load, pack, save, unpack
from workbench.versions import Version, VersionTree, keep_in, tree_for
from workbench.workload import Workload

RECIPE = Recipe.parse("PruneWeights(0.9) | FineTune(epochs=2)")


@pytest.fixture
def work() -> Workload:
    return workload()


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "deep" / "versions.sqlite"


def made(work: Workload, sparsity: float = 0.5, **options: object) -> Version:
    candidate = gridded(masked(Candidate.of(work.baseline), sparsity), 4)
    packed = pack(candidate, recipe=RECIPE, original=work.baseline)
    return Version.new(work, recipe=RECIPE, seed=7, packed=packed, candidate=candidate, **options)


def report(stored: int = 0) -> Report:
    size = Size(claimed=100, stored=stored)
    return Report("net", None, {"rmse": 0.25}, size, size, {}, 83, 40, 72, 1000, notes=("split once",))


def names(tree: VersionTree) -> list[str]:
    return [each.name for each in tree.versions]


def test_a_new_version_is_named_and_is_the_head(work: Workload):
    tree = VersionTree(None, work)
    kept = tree.add(made(work))
    assert (kept.name, tree.head, len(tree)) == ("v1", kept, 1)
    assert kept in tree and "v1" in tree and "v2" not in tree
    assert not tree.is_kept and tree.warning is None


def test_a_name_that_is_taken_gets_a_number_and_loses_no_run(work: Workload):
    tree = VersionTree(None, work)
    added = [tree.add(made(work, name=name)).name for name in ("small", "small", None, "small", None)]
    assert added == ["small", "small (2)", "v1", "small (3)", "v2"]


def test_undo_and_redo_walk_the_tree_without_end(work: Workload):
    tree = VersionTree(None, work)
    first = tree.add(made(work))
    second = tree.add(made(work, parent=first))
    assert tree.undo().id == first.id
    assert tree.undo() is None
    with pytest.raises(VersionError, match="nothing to undo: this is the original"):
        tree.undo()
    assert (tree.can_undo, tree.can_redo) == (False, True)
    assert [tree.redo().id, tree.redo().id] == [first.id, second.id]
    with pytest.raises(VersionError, match="nothing to redo"):
        tree.redo()
    assert len(tree) == 2


def test_adding_after_an_undo_makes_a_branch_and_deletes_nothing(work: Workload):
    tree = VersionTree(None, work)
    first = tree.add(made(work))
    tree.add(made(work, parent=first))
    tree.undo()
    third = tree.add(made(work, parent=tree.head))
    assert [each.parent for each in tree.versions] == [None, first.id, first.id]
    assert tree.head.id == third.id and not tree.can_redo


def test_selecting_moves_the_head_anywhere(work: Workload):
    tree = VersionTree(None, work)
    first, _ = tree.add(made(work)), tree.add(made(work))
    assert tree.select("v1").id == first.id
    assert tree.select(None) is None
    with pytest.raises(VersionError, match="no version 'v3'; there are: v1, v2"):
        tree.select("v3")


def test_restart_brings_everything_back(work: Workload, path: Path):
    tree = VersionTree(path, work)
    stage = Stage(str(RECIPE), 1.5, "half zeros", 83, 40, 100, ({"loss": 0.5, "epoch": 1.0},))
    first = tree.add(made(work, report=report(), stages=(stage,), is_stopped=True, note="first try"))
    tree.add(made(work, parent=first, name="small"))
    tree.pin("small")
    tree.undo()
    outputs = first(torch.ones(2, 6))
    tree.close()

    again = VersionTree(path, workload())
    back = again.get("v1")
    assert (names(again), again.head.name, again.redo().name) == (["v1", "small"], "v1", "small")
    assert (back.recipe, back.seed, back.is_stopped, back.note) == (RECIPE, 7, True, "first try")
    assert (back.stages, back.report, back.created) == ((stage,), first.report, first.created)
    assert again.get("small").parent == first.id and again.get("small").is_pinned
    assert torch.equal(back(torch.ones(2, 6)), outputs)
    assert again.is_kept and again.warning is None
    again.close()


def test_weights_are_read_from_the_file_only_when_asked_for(work: Workload, path: Path):
    tree = VersionTree(path, work)
    kept = tree.add(made(work))
    tree.close()
    again = VersionTree(path, work)
    assert again.get("v1").cache.candidate is None
    assert same(states(again.get("v1").candidate.model), states(kept.candidate.model))
    again.close()


def test_versions_of_other_workloads_in_the_same_file_are_not_seen(work: Workload, path: Path):
    tree, other = VersionTree(path, work), VersionTree(path, workload(net(seed=1)))
    tree.add(made(work))
    assert (len(tree), len(other)) == (1, 0)
    other.refresh()
    assert len(other) == 0
    tree.close()
    other.close()


def test_stored_bytes_are_the_length_of_the_file_saved(work: Workload, tmp_path: Path):
    kept = VersionTree(None, work).add(made(work, report=report()))
    assert kept.report.size.stored == kept.packed_bytes == save(kept, tmp_path / "small.safetensors")
    assert load(tmp_path / "small.safetensors", net()).header.figures == {"metrics": {"rmse": 0.25}}


def test_the_model_is_the_callers_own_and_the_original_never_changes(work: Workload):
    before = states(work.baseline)
    kept = VersionTree(None, work).add(made(work))
    outputs = kept(torch.ones(1, 6))
    with torch.no_grad():
        kept.model[0].weight.zero_()
    assert kept.model is kept.model
    assert torch.equal(kept(torch.ones(1, 6)), outputs)
    assert same(states(work.baseline), before)


def test_a_version_is_the_same_before_and_after_a_restart(work: Workload):
    """What a file does not hold (free weights, unrounded codebooks) is not carried on from memory either."""
    candidate = Candidate.of(work.baseline)
    weight = candidate.model[0].weight
    book = Codebook(torch.tensor([0.1, 0.3]), torch.zeros(weight.shape, dtype=torch.uint8))
    for constraint in (Mask(weight > 0), book):
        constrained = candidate.constrained({"0.weight": constraint})
        packed = pack(constrained, original=work.baseline)
        kept = Version.new(work, recipe=RECIPE, seed=0, packed=packed, candidate=constrained)
        fresh = unpack(packed, work.baseline).candidate
        assert constrained.latent or kept.cache.candidate is None
        assert same(states(kept.candidate.model), states(fresh.model)) and not kept.candidate.latent
        for own, again in zip(
            kept.candidate.constraints["0.weight"], fresh.constraints["0.weight"], strict=True
        ):
            assert all(torch.equal(own.learned()[name], again.learned()[name]) for name in own.learned())


def test_renaming_refuses_what_is_taken(work: Workload, path: Path):
    tree = VersionTree(path, work)
    first, _ = tree.add(made(work)), tree.add(made(work))
    assert tree.rename(first, " a  good\nname ").name == "a good name"
    for name, words in {"v2": "already a version 'v2'", "": "1 to 80", "x" * 81: "1 to 80"}.items():
        with pytest.raises(VersionError, match=words):
            tree.rename(first, name)
    assert tree.rename(first, "a good name").name == "a good name"
    assert tree.annotate("a good name", "keep this").note == "keep this"
    tree.close()
    assert VersionTree(path, work).get("a good name").note == "keep this"


def test_deleting_gives_children_to_the_grandparent(work: Workload, path: Path):
    tree = VersionTree(path, work)
    first = tree.add(made(work))
    second = tree.add(made(work, parent=first))
    tree.add(made(work, parent=second))
    tree.select(second)
    tree.delete("v2")
    assert [each.parent for each in tree.versions] == [None, first.id]
    assert tree.head.id == first.id
    tree.close()
    again = VersionTree(path, work)
    assert [each.parent for each in again.versions] == [None, first.id] and again.head.id == first.id
    again.close()


def test_a_limit_says_what_it_would_remove_and_removes_nothing_unasked(work: Workload):
    tree = VersionTree(None, work)
    for name in (None, None, "mine", None, None):
        tree.add(made(work, name=name))
    tree.pin("v2")
    assert [each.name for each in tree.over_limit(0)] == ["v1", "v3"]
    one = tree.get("v1").packed_bytes
    assert [each.name for each in tree.over_limit(tree.stored_bytes - one)] == ["v1"]
    assert tree.over_limit(tree.stored_bytes) == [] and len(tree) == 5
    assert [each.name for each in tree.prune(0)] == ["v1", "v3"]
    assert names(tree) == ["v2", "mine", "v4"]


def test_observers_are_told_when_the_tree_can_be_changed_by_others(work: Workload):
    """A panel draws under a lock of its own; another thread that holds it may be changing the tree."""
    tree = VersionTree(None, work)
    version = tree.add(made(work, report=report(9)))
    heard = []

    def elsewhere(_: VersionTree) -> None:
        others = threading.Thread(target=lambda: tree.select(None), daemon=True)
        if not heard:  # what others do is heard, too
            heard.append(others)
            others.start()
            others.join(10)

    tree.observe(elsewhere)
    for change in (
        lambda: tree.rename(version, "other"),
        lambda: tree.annotate("other", "a note"),
        lambda: tree.pin("other"),
        lambda: tree.remeasured("other", lambda before: before),
    ):
        heard.clear()
        change()
        assert not heard[0].is_alive()


def test_observers_hear_every_change_and_one_that_fails_does_not_silence_the_others(work: Workload):
    tree, heard = VersionTree(None, work), []

    def fail(_: VersionTree) -> None:
        raise RuntimeError("broken panel")

    tree.observe(fail)
    end = tree.observe(lambda each: heard.append(each.head and each.head.name))
    with pytest.warns(UserWarning, match="broken panel"):
        tree.add(made(work))
        tree.undo()
        tree.redo()
        tree.rename("v1", "one")
        tree.delete("one")
    assert heard == ["v1", None, "v1", "one", None]
    end()
    with pytest.warns(UserWarning, match="broken panel"):
        tree.add(made(work))
    assert len(heard) == 5


def test_two_threads_adding_lose_nothing(work: Workload, path: Path):
    tree = VersionTree(path, work)
    ready = threading.Barrier(2)

    def add() -> None:
        ready.wait()
        for _ in range(10):
            tree.add(made(work))
            tree.select(None)

    threads = [threading.Thread(target=add) for _ in range(2)]
    for each in threads:
        each.start()
    for each in threads:
        each.join()
    assert sorted(names(tree)) == sorted(f"v{n}" for n in range(1, 21))
    tree.close()
    again = VersionTree(path, work)
    assert len(again) == 20 and all(each.packed for each in again.versions)
    again.close()


def test_two_notebooks_on_one_file_see_each_other_after_a_refresh(work: Workload, path: Path):
    one, other = VersionTree(path, work), VersionTree(path, work)
    one.add(made(work))
    assert other.add(made(work)).name == "v2"  # the name is free in the file, not in memory only
    one.refresh()
    assert names(one) == ["v1", "v2"]
    other.delete("v2")
    one.refresh()
    assert names(one) == ["v1"]
    one.close()
    other.close()


def test_a_file_can_be_brought_into_the_tree(work: Workload, tmp_path: Path, path: Path):
    save(made(work), tmp_path / "small.safetensors")
    tree = VersionTree(path, work)
    tree.add(load(tmp_path / "small.safetensors", net(seed=8)))
    tree.close()
    assert same(states(VersionTree(path, work).get("small").model), states(made(work).model))
    other = workload(net(hidden=9))
    with pytest.raises(StorageError, match="in this model"):
        VersionTree(None, other).add(load(tmp_path / "small.safetensors", net()))


@pytest.fixture
def nothing_kept() -> Iterator[None]:
    versions._trees.clear()
    keep_in(None)
    yield
    for each in versions._trees.values():
        each.close()
    versions._trees.clear()
    keep_in(None)


@pytest.mark.usefixtures("nothing_kept")
def test_a_workload_has_one_tree_and_it_moves_into_the_folder(work: Workload, tmp_path: Path):
    tree = tree_for(work)
    tree.add(made(work))
    assert tree_for(work) is tree and tree.path is None
    keep_in(tmp_path / ".workbench")
    assert tree_for(work) is tree and tree.is_kept
    assert tree.path == tmp_path / ".workbench" / "versions.sqlite"
    assert names(VersionTree(tree.path, work)) == ["v1"]


@pytest.mark.usefixtures("nothing_kept")
def test_the_same_workload_made_again_finds_its_versions(work: Workload):
    tree_for(work).add(made(work))
    again = workload()
    assert tree_for(again).get("v1").work is again
    assert len(tree_for(workload(net(seed=1)))) == 0
