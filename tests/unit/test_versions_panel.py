"""The table of versions in a panel: an outline, named and pinned in place, begun from, quick when long."""

from __future__ import annotations

import random
import secrets
import sqlite3
import time
import warnings
from collections.abc import Iterator
from pathlib import Path

import pytest
import torch
from packing import masked
from small import measure_quickly, net, workload

import workbench as wb
from workbench.candidate import Candidate
from workbench.live.board import ChartBoard
from workbench.panels import Workbench
from workbench.panels.parts import lean
from workbench.panels.state.session import Session
from workbench.panels.views.versions_box import VersionsBox
from workbench.panels.views.warnings_box import WarningsBox
from workbench.recipe import Recipe
from workbench.storage import pack
from workbench.versions import Version, VersionTree, file
from workbench.versions.outline import outline
from workbench.workload import Workload

PRUNE, TRAIN = "PruneWeights(sparsity=0.5)", "FineTune(epochs=1)"


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    measure_quickly(monkeypatch)


@pytest.fixture(scope="module")
def made() -> tuple[Workload, list[Version]]:
    """A workload with `v1`, `v2` that goes on from it, and `v3` beside them."""
    work = workload()
    tree = VersionTree(None, work)
    with pytest.MonkeyPatch.context() as patch:
        measure_quickly(patch)
        first = wb.compress(work, PRUNE, tree=tree)
        wb.compress(work, TRAIN, tree=tree, parent=first)
        wb.compress(work, "PruneWeights(sparsity=0.9)", tree=tree)
    return work, tree.versions


@pytest.fixture
def work(made) -> Workload:
    return made[0]


@pytest.fixture
def tree(made) -> VersionTree:
    """A tree of its own for every test."""
    tree = VersionTree(None, made[0])
    for each in made[1]:
        tree.add(each)
    return tree


@pytest.fixture
def session(work: Workload, tree: VersionTree) -> Iterator[Session]:
    made = Session(work, PRUNE, tree=tree, names={})
    yield made
    made.close()


@pytest.fixture
def box(session: Session) -> VersionsBox:
    made = VersionsBox(session, ChartBoard({}))
    session.observe(lambda topic: made.refresh() if topic in made.topics else None)
    return made


def row(box: VersionsBox, name: str) -> dict:
    return next(each for each in box.table.rows if each["name"] == name)


def heard(box: VersionsBox, kind: str, id: str, value: object = None) -> None:
    """What the page sends when a person does something in the table."""
    box.table._hear(None, {"kind": kind, "id": id, "value": value}, [])


def listens(box: VersionsBox) -> list[dict]:
    """A page that listens: what it is sent from now on."""
    box.table._hear(None, {"kind": "ready", "id": ""}, [])
    sent: list[dict] = []
    box.table.send = lambda content, buffers=None: sent.append(content)
    return sent


def many(work: Workload, count: int) -> VersionTree:
    """A tree of so many versions, a third of them one long branch."""
    tree = VersionTree(None, work)
    candidate = masked(Candidate.of(work.baseline), 0.5)
    packed = pack(candidate, recipe=Recipe.parse(PRUNE), original=work.baseline)
    first = Version.new(work, recipe=Recipe.parse(PRUNE), seed=0, packed=packed)
    parent = None
    for number in range(count):
        made = first.changed(id=secrets.token_hex(6), parent=parent, made_from=parent)
        tree.add(made)
        parent = made.id if number % 3 == 0 else parent
    return tree


# --- the outline


def test_versions_stand_below_those_they_were_made_from_newest_first(tree):
    lines = outline(tree.versions, tree.versions)
    assert [(each.version.name, each.depth) for each in lines] == [("v3", 0), ("v1", 0), ("v2", 1)]


def test_a_filtered_outline_hangs_on_the_nearest_ancestor_that_is_listed(work, tree):
    wb.compress(work, TRAIN, tree=tree, parent=tree.get("v2"), name="v4")
    shown = [tree.get("v1"), tree.get("v4")]
    assert [(each.version.name, each.depth) for each in outline(shown, tree.versions)] == [
        ("v1", 0),
        ("v4", 1),
    ]
    alone = outline([tree.get("v4")], tree.versions)
    assert [(each.version.name, each.depth) for each in alone] == [("v4", 0)]


def test_a_chain_of_a_thousand_is_an_outline_too(work):
    tree = VersionTree(None, work)
    first = next(iter(many(work, 1).versions))
    parent = None
    for _ in range(1000):
        made = first.changed(id=secrets.token_hex(6), parent=parent)
        tree.add(made)
        parent = made.id
    assert [each.depth for each in outline(tree.versions, tree.versions)] == list(range(1000))


def test_the_original_comes_first_with_its_own_figures(box):
    first = box.table.rows[0]
    assert (first["id"], first["name"]) == ("", "original")
    value, text = first["cells"]["stored"]
    assert value > 0 and text.endswith("B")
    assert row(box, "v2")["depth"] == 1 and row(box, "v3")["depth"] == 0
    assert row(box, "v1")["cells"]["recipe"] == (PRUNE, PRUNE)


# --- in place


def test_a_version_is_named_noted_and_pinned_in_place(box, session):
    id = session.tree.get("v1").id
    heard(box, "rename", id, "  small  one ")
    heard(box, "note", id, "for the phone")
    heard(box, "pin", id, True)
    kept = session.tree.get("small one")
    assert (kept.note, kept.is_pinned) == ("for the phone", True)
    shown = row(box, "small one")
    assert (shown["note"], shown["pinned"]) == ("for the phone", True)
    heard(box, "pin", id, False)
    assert not session.tree.get("small one").is_pinned


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("v2", "there is already a version 'v2'"),
        ("  ", "1 to 80 characters"),
        ("x" * 81, "1 to 80 characters"),
    ],
)
def test_a_wrong_name_is_one_line_and_the_old_one_stays(box, session, name, words):
    heard(box, "rename", session.tree.get("v1").id, name)
    assert words in session.error and "\n" not in session.error
    assert row(box, "v1")["id"] == session.tree.get("v1").id
    heard(box, "rename", session.tree.get("v1").id, "better")
    assert session.error == ""


def test_only_what_changed_travels(box, session):
    sent = listens(box)
    heard(box, "rename", session.tree.get("v3").id, "smallest")
    assert [[each["name"] for each in told["changed"]] for told in sent] == [["smallest"]]
    assert "order" not in sent[0]
    sent.clear()
    session.select("v1")
    assert sent == [] and box.table.selected == session.tree.get("v1").id


def test_a_click_works_from_a_version_and_the_original(box, session):
    heard(box, "select", session.tree.get("v2").id)
    assert session.tree.head.name == "v2" and str(session.recipe) == TRAIN
    heard(box, "select", "")
    assert session.tree.head is None


def test_a_selection_narrows_the_table(box, session):
    session.choose(["v2", "v3"])
    assert [each["name"] for each in box.table.rows] == ["original", "v3", "v2"]
    assert "2 of 3 versions" in box._told.value


def test_what_was_gone_when_a_message_came_is_one_line(box, session):
    session.tree.delete("v3")
    heard(box, "pin", "0123456789ab", True)
    assert "no version" in session.error


# --- going on from a version


def test_a_run_goes_on_from_the_version_that_was_chosen(box, session):
    first = session.tree.get("v1")
    heard(box, "begin", first.id)
    assert session.start.id == first.id and str(session.recipe) == ""
    assert session.version.id == first.id, "no step yet: that version is what is shown"
    session.write("Quantize(weights=4)")
    session.wait()
    preview = session.estimates.preview
    assert preview.nonzero < 0.6 * preview.parameters, "its zeros are there in the preview"
    session.run()
    session.wait()
    made = session.tree.head
    assert (made.parent, made.made_from) == (first.id, first.id)
    assert session.version.id == made.id and session.start.id == first.id
    assert float((made.model[0].weight == 0).float().mean()) >= 0.4
    assert box.table.begins == first.id


def test_the_default_begins_from_the_original(session):
    session.select("v1")
    assert session.start is None
    session.write("Quantize(weights=4)")
    session.wait()
    assert session.estimates.preview.nonzero > 0.9 * session.estimates.preview.parameters
    session.run()
    session.wait()
    assert session.tree.head.made_from is None


def test_selecting_a_version_brings_back_where_it_began(session):
    session.select("v2")
    assert session.start.name == "v1" and session.version.name == "v2"
    session.select("v3")
    assert session.start is None and session.version.name == "v3"
    session.undo()
    assert session.start.name == "v1" and session.version.name == "v2"


def test_going_on_is_a_move_that_undo_takes_back(session):
    before = str(session.recipe)
    session.begin_from("v1")
    session.undo()
    assert session.start is None and str(session.recipe) == before
    session.redo()
    assert session.start.name == "v1" and str(session.recipe) == ""
    session.begin_from(None)
    assert session.start is None


def test_where_run_begins_is_said_while_it_is_no_original(work, tree):
    panel = Workbench(work, tree=tree, names={})
    panel.session.begin_from("v1")
    begins = next(each for each in panel.views if type(each).__name__ == "BeginBox")
    assert "begins from <b>v1</b>" in begins._told.value and lean.is_shown(begins.widget)
    begins._back.click()
    assert panel.session.start is None and not lean.is_shown(begins.widget)
    panel.close()


def test_a_beginning_that_is_deleted_gives_way_to_the_original(session):
    session.begin_from("v1")
    session.write("Quantize(weights=4)")
    session.tree.delete("v1")
    session.wait()
    assert session.start is None and "was deleted" in session.status
    assert session.estimates.preview.nonzero > 0.9 * session.estimates.preview.parameters


def test_a_version_whose_beginning_is_gone_is_shown_and_says_so(session):
    session.tree.delete("v1")
    session.select("v2")
    assert session.version.name == "v2" and session.start is None
    assert "v2 went on from a version that was deleted" in session.status


def test_a_walk_of_many_moves_between_versions_leads_back_to_the_start(session):
    names, chance = [None, "v1", "v2", "v3"], random.Random(1)
    start = (session.draft, session.tree.head, session.start)
    for _ in range(150):
        which = chance.choice(names)
        move = chance.choice((session.select, session.begin_from, session.write))
        move(which if move != session.write else chance.choice((PRUNE, TRAIN, "Quantize(weights=4)")))
        if chance.random() < 0.3:
            chance.choice((session.undo, session.redo))()
    end = (session.draft, session.tree.head, session.start)
    while session.can_undo:
        session.undo()
    assert (session.draft, session.tree.head, session.start) == start
    while session.can_redo:
        session.redo()
    assert (session.draft, session.tree.head, session.start) == end
    assert len(session.tree) == 3, "nothing is deleted by it"


# --- long lists


def test_a_thousand_versions_are_shown_once_and_selected_quickly(work):
    tree = many(work, 1000)
    session = Session(work, PRUNE, tree=tree, names={})
    box = VersionsBox(session, ChartBoard({}))
    assert len(box.table.rows) == 1001
    sent = listens(box)
    began = time.thread_time()
    tree.select(tree.versions[500])
    box.refresh()
    assert time.thread_time() - began < 0.1
    assert sent == [] and box.table.selected == tree.versions[500].id
    session.close()


# --- the file


def test_a_restart_brings_back_names_notes_pins_head_and_redo(work, tmp_path: Path):
    path = tmp_path / "versions.sqlite"
    tree = VersionTree(path, work)
    first = wb.compress(work, PRUNE, tree=tree)
    wb.compress(work, TRAIN, tree=tree, parent=first, name="second")
    session = Session(work, tree=tree, names={})
    session.rename(first, "first")
    session.annotate("first", "where it began")
    session.pin("second")
    tree.undo()
    session.close()
    tree.close()

    again = VersionTree(path, workload())
    panel = Workbench(again.work, tree=again, names={})
    assert [(each.name, each.note, each.is_pinned) for each in panel.versions] == [
        ("first", "where it began", False),
        ("second", "", True),
    ]
    assert panel.selected.name == "first" and again.redo().name == "second"
    assert again.get("second").made_from == first.id
    panel.selected = "second"
    assert panel.session.start.name == "first" and str(panel.recipe) == TRAIN
    panel.close()
    again.close()


def trouble(path: Path, kind: str) -> None:
    if kind == "broken":
        path.write_bytes(b"no database" * 100)
        return
    VersionTree(path, workload()).close()
    with sqlite3.connect(path) as other:
        other.execute(f"PRAGMA user_version = {file.SCHEMA + 1}")
    other.close()


@pytest.mark.parametrize(("kind", "words"), [("broken", "it is broken"), ("newer", "a newer workbench")])
def test_a_file_that_cannot_be_used_is_said_in_the_panel_and_work_goes_on(work, tmp_path, kind, words):
    path = tmp_path / "versions.sqlite"
    trouble(path, kind)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        panel = Workbench(work, PRUNE, tree=VersionTree(path, work), names={})
        panel.run()
        panel.wait()
    panel.tab = "Versions"
    box = next(each for each in panel.views if isinstance(each, VersionsBox))
    said = next(each for each in panel.views if isinstance(each, WarningsBox))
    assert len(panel.versions) == 1 and words in said.widget.value
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        box.hear("rename", panel.versions[0].id, "kept here")
    assert panel.versions[0].name == "kept here" and panel.error == ""
    panel.close()


def test_a_locked_file_is_said_and_the_name_holds_in_memory(work, tmp_path, monkeypatch):
    monkeypatch.setattr(file, "_PATIENCE", 0.05)
    path = tmp_path / "versions.sqlite"
    tree = VersionTree(path, work)
    session = Session(work, PRUNE, tree=tree, names={})
    session.run()
    session.wait()
    other = sqlite3.connect(path, isolation_level=None)
    other.execute("BEGIN EXCLUSIVE")
    with pytest.warns(UserWarning, match="locked"):
        session.rename("v1", "mine")
    assert "locked" in session.error and tree.get("mine")
    other.execute("ROLLBACK")
    other.close()
    session.rename("mine", "still mine")
    assert session.error == ""
    session.close()
    tree.close()


def test_a_version_deleted_elsewhere_is_said_and_gone_after_reading_again(work, tmp_path):
    path = tmp_path / "versions.sqlite"
    tree = VersionTree(path, work)
    wb.compress(work, PRUNE, tree=tree)
    tree.close()
    tree = VersionTree(path, work)  # another notebook's view of the same file, nothing unpacked yet
    session = Session(work, "Quantize(weights=4)", tree=tree, names={})
    elsewhere = VersionTree(path, workload())
    elsewhere.delete("v1")
    elsewhere.close()
    session.begin_from("v1")
    session.wait()
    assert "no longer in" in session.error
    with pytest.warns(UserWarning, match="deleted elsewhere"):
        session.rename("v1", "ghost")
    assert "deleted elsewhere" in session.error
    session.read_again()
    session.wait()
    assert len(tree) == 0 and session.start is None
    session.close()
    tree.close()


def test_a_name_taken_in_another_notebook_is_one_line(work, tmp_path):
    path = tmp_path / "versions.sqlite"
    tree = VersionTree(path, work)
    wb.compress(work, PRUNE, tree=tree)
    elsewhere = VersionTree(path, workload())
    wb.compress(elsewhere.work, PRUNE, tree=elsewhere, name="theirs")
    session = Session(work, tree=tree, names={})
    session.rename("v1", "theirs")
    assert session.error == "there is already a version 'theirs'; choose another name"
    assert tree.get("v1") and tree.warning is None
    session.close()
    elsewhere.close()
    tree.close()


def test_previews_from_a_version_are_those_of_its_weights(work, tree):
    session = Session(work, "Quantize(weights=8)", tree=tree, names={})
    session.begin_from("v3")
    session.write("Quantize(weights=8)")
    session.wait()
    previewed = session.estimates.previewer.candidate(session.recipe)
    assert torch.equal(previewed.model[0].weight == 0, tree.get("v3").model[0].weight == 0)
    session.close()


def test_without_a_version_the_box_says_what_to_do_first():
    work = workload(net(seed=8))
    session = Session(work, PRUNE, tree=VersionTree(None, work), names={})
    box = VersionsBox(session, ChartBoard({}))
    assert "Press Run" in box._told.value and box._save.disabled and box._begin.disabled
    session.close()
