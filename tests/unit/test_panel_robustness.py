"""Whatever goes wrong around a panel is said in it in one line, the last good state stays, work goes on."""

from __future__ import annotations

import os
import sqlite3
import sys
import threading
from html import unescape

import ipywidgets
import pytest
import small
import torch
from panel_controls import control, values
from torch import nn
from torch.utils.data import DataLoader, Dataset

from workbench.errors import WorkloadError, told
from workbench.measurement import everything
from workbench.options import describe
from workbench.panels import Workbench
from workbench.panels.closing import below
from workbench.recipe import Recipe
from workbench.technique import techniques
from workbench.versions import VersionTree
from workbench.workload import Workload

PRUNED = "PruneWeights(sparsity=0.5)"
LONG = "FineTune(epochs=1000)"


@pytest.fixture(autouse=True)
def quick(monkeypatch):
    measuring = everything.measuring

    def fast(*args, **options):
        return measuring(*args, **{**options, "runtimes": ("pytorch",), "seconds": 0.02})

    monkeypatch.setattr("workbench.measurement.measuring", fast, raising=False)


@pytest.fixture(autouse=True)
def nothing_uncaught(monkeypatch):
    """No thread and no destructor ends in an error that nobody hears."""
    uncaught = []
    monkeypatch.setattr(threading, "excepthook", lambda told: uncaught.append(told.exc_value))
    monkeypatch.setattr(sys, "unraisablehook", lambda told: uncaught.append(told.exc_value))
    yield
    assert uncaught == []


@pytest.fixture
def opened():
    """Opens a panel on a workload and waits for its preview."""
    panels = []

    def open_(work, recipe=PRUNED, tree=None):
        panels.append(
            Workbench(work, recipe, tree=VersionTree(None, work) if tree is None else tree, names={})
        )
        panels[-1].wait()
        return panels[-1]

    yield open_
    for each in panels:
        each.close()


def shown(panel):
    return unescape(" ".join(each.value for each in below(panel) if isinstance(each, ipywidgets.HTML)))


def works(panel):
    """Another recipe is previewed, run and kept."""
    before = panel.versions
    panel.recipe = "PruneWeights(sparsity=0.25)"
    panel.wait()
    panel.run()
    panel.wait()
    assert panel.selected in panel.versions and panel.selected not in before
    return panel.selected


# --- models


class Breaking(nn.Module):
    """A net that computes until it is told to break."""

    is_broken = False

    def __init__(self):
        super().__init__()
        self.net = small.net()

    def forward(self, inputs):
        if Breaking.is_broken:
            raise RuntimeError("shapes do not match\nin the middle of it")
        return self.net(inputs)


@pytest.fixture
def breaking(monkeypatch):
    monkeypatch.setattr(Breaking, "is_broken", False)
    return lambda is_broken: setattr(Breaking, "is_broken", is_broken)


def test_model_that_fails_in_forward_is_said_and_its_size_is_still_previewed(opened, breaking):
    panel = opened(small.workload(Breaking()))
    breaking(True)
    panel.recipe = "PruneWeights(sparsity=0.9)"
    panel.wait()
    assert panel.error == "RuntimeError: shapes do not match"
    assert str(panel.preview.recipe) == "PruneWeights(sparsity=0.9)" and panel.preview.accuracy is None
    panel.run()
    panel.wait()
    assert "\n" not in panel.error
    breaking(False)
    assert works(panel).report.accuracy is not None
    assert panel.error == ""


def test_model_that_never_ran_is_refused_when_the_workload_is_made(breaking):
    breaking(True)
    with pytest.raises(WorkloadError) as raised:
        small.workload(Breaking())
    assert "\n" not in str(raised.value)


def test_weights_that_became_nan_are_said_and_nothing_is_made_of_them(opened):
    model = small.net()
    panel = opened(small.workload(model))
    with torch.no_grad():
        model[0].weight[0, 0] = float("nan")
    panel.run()
    panel.wait()
    assert panel.error and "\n" not in panel.error and panel.versions == []
    with pytest.raises(WorkloadError, match=r"finite|NaN"):
        small.workload(model)


# --- data


class Samples(Dataset):
    """Samples that can be read as far as `readable`."""

    readable = 10**9

    def __init__(self, n):
        self.inputs, self.targets = small.blobs(n)

    def __len__(self):
        return len(self.targets)

    def __getitem__(self, index):
        if index >= Samples.readable:
            raise OSError(5, "Input/output error", "shard-7.tar")
        return self.inputs[index], self.targets[index]


@pytest.fixture
def loaders(monkeypatch):
    monkeypatch.setattr(Samples, "readable", 10**9)
    train, validation = (DataLoader(Samples(n), batch_size=16) for n in (96, 48))
    return Workload(small.net(), train=train, validation=validation, test=small.blobs(48, 2))


def test_loader_that_raises_halfway_is_said_and_everything_else_goes_on(opened, loaders, monkeypatch):
    panel = opened(loaders)
    monkeypatch.setattr(Samples, "readable", 20)
    panel.recipe = "PruneWeights(sparsity=0.9)"
    panel.wait()
    assert panel.error == "Input/output error: shard-7.tar"
    assert panel.preview.estimated_bytes > 0 and str(panel.preview.recipe) == "PruneWeights(sparsity=0.9)"
    panel.run()
    panel.wait()
    version = panel.selected
    assert version.report.accuracy is None and version.report.latency["pytorch"].median_ms > 0
    assert panel.status.endswith("no accuracy, its data failed: Input/output error: shard-7.tar")
    monkeypatch.setattr(Samples, "readable", 10**9)
    assert works(panel).report.accuracy.n == 48


def test_loader_that_raises_while_training_ends_the_run_and_keeps_what_there_was(
    opened, loaders, monkeypatch
):
    panel = opened(loaders)
    first = works(panel)
    monkeypatch.setattr(Samples, "readable", 20)
    panel.recipe = "FineTune(epochs=2)"
    panel.run()
    panel.wait()
    assert panel.error == "Input/output error: shard-7.tar"
    assert panel.versions == [first] and not panel.is_running
    monkeypatch.setattr(Samples, "readable", 10**9)
    works(panel)


def test_empty_loader_is_refused_where_it_is_given(opened):
    panel = opened(Workload(small.net()))
    empty = DataLoader(Samples(0), batch_size=16)
    panel.session.give(validation=empty)
    assert panel.error and "\n" not in panel.error
    assert panel.work.validation is None
    panel.session.give(validation=small.blobs(48))
    panel.wait()
    assert panel.error == "" and panel.preview.accuracy is not None


# --- memory and disk


def test_memory_that_runs_out_in_a_preview_is_said(opened, monkeypatch):
    panel = opened(small.workload())
    cls = techniques()["Quantize"]
    apply = cls.apply

    def greedy(*args, **options):
        raise MemoryError

    monkeypatch.setattr(cls, "apply", greedy)
    panel.recipe = "Quantize(weights=3)"
    panel.wait()
    assert panel.error.startswith("the memory ran out")
    panel.run()
    panel.wait()
    assert panel.error.startswith("the memory ran out") and panel.versions == []
    monkeypatch.setattr(cls, "apply", apply)
    works(panel)


@pytest.mark.parametrize(
    ("error", "line"),
    [
        (MemoryError(), "the memory ran out"),
        (
            RuntimeError("[enforce fail at alloc.cpp] DefaultCPUAllocator: can't allocate memory"),
            "the memory",
        ),
        (RuntimeError("CUDA out of memory. Tried to allocate 2 GiB\nmore"), "the memory ran out"),
        (OSError(28, "No space left on device", "small.onnx"), "No space left on device: small.onnx"),
        (WorkloadError("one line"), "one line"),
        (KeyError("x"), "KeyError: 'x'"),
        (ValueError(), "ValueError"),
    ],
)
def test_every_error_is_one_line(error, line):
    assert told(error).startswith(line) and "\n" not in told(error)


def test_disk_that_is_full_is_said_and_leaves_no_half_file(opened, tmp_path, monkeypatch):
    panel = opened(small.workload())
    panel.run()
    panel.wait()

    def full(*args, **options):
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patched:
        patched.setattr("workbench.storage.files._write_through", full)
        panel.session.save(str(tmp_path / "small"))
        assert "No space left on device" in panel.error and "\n" not in panel.error
    assert list(tmp_path.iterdir()) == []
    panel.session.save(str(tmp_path / "small"))
    assert panel.error == "" and (tmp_path / "small.safetensors").exists()


# --- the file of the versions


@pytest.fixture
def file(tmp_path):
    """A file with one version of the tiny workload."""
    work = small.workload()
    path = tmp_path / "versions.sqlite"
    tree = VersionTree(path, work)
    panel = Workbench(work, PRUNED, tree=tree, names={})
    panel.run()
    panel.wait()
    panel.close()
    tree.close()
    return path


def lock(path):
    held = sqlite3.connect(path, isolation_level=None)
    held.execute("PRAGMA locking_mode = EXCLUSIVE")  # not even readers, for as long as it is open
    held.execute("BEGIN EXCLUSIVE")
    return held.close


def newer(path):
    connection = sqlite3.connect(path)
    connection.execute("PRAGMA user_version = 99")
    connection.close()


def broken(path):
    path.write_bytes(b"this is no database at all" * 100)


def foreign(path):
    path.unlink()
    connection = sqlite3.connect(path)
    connection.execute("CREATE TABLE theirs (x)")
    connection.close()


TROUBLE = {"locked": lock, "newer": newer, "broken": broken, "another program's": foreign}


@pytest.mark.parametrize("what", TROUBLE)
def test_file_that_cannot_be_used_is_said_in_the_panel_and_work_goes_on(opened, file, what, monkeypatch):
    monkeypatch.setattr("workbench.versions.file._PATIENCE", 0.05)
    before = file.read_bytes() if what == "locked" else None
    end = TROUBLE[what](file)
    work = small.workload()
    with pytest.warns(UserWarning, match=what):
        tree = VersionTree(file, work)
    panel = opened(work, tree=tree)
    assert what in shown(panel) and "kept in memory only" in shown(panel)
    version = works(panel)
    assert panel.versions == [version] and panel.error == ""
    if end is not None:
        end()
        assert file.read_bytes() == before
        works(panel)  # the file can be used again: what was in memory goes into it
        assert "kept in memory only" not in shown(panel) and len(panel.versions) == 3


@pytest.mark.skipif(os.name == "nt" or os.geteuid() == 0, reason="whoever may do everything may write")
def test_file_that_may_not_be_written_is_said(opened, file):
    file.chmod(0o444)
    file.parent.chmod(0o555)
    try:
        check_read_only(opened, file)
    finally:
        file.parent.chmod(0o755)


def test_file_that_is_read_only_to_sqlite_is_said(opened, file, monkeypatch):
    connect = sqlite3.connect

    def read_only(path, **options):
        return connect(f"file:{path}?mode=ro", uri=True, **options)

    monkeypatch.setattr("workbench.versions.file.sqlite3.connect", read_only)
    check_read_only(opened, file)


def check_read_only(opened, file):
    work = small.workload()
    tree = VersionTree(file, work)
    panel = opened(work, tree=tree)
    assert [each.name for each in panel.versions] == ["v1"]  # what can be read is there
    with pytest.warns(UserWarning, match="may not be written"):
        version = works(panel)
    assert "may not be written" in shown(panel)
    assert version in panel.versions and panel.error == ""


def test_disk_full_under_the_versions_is_said_and_the_version_stays_in_memory(opened, file, monkeypatch):
    work = small.workload()
    tree = VersionTree(file, work)
    panel = opened(work, tree=tree)

    def full(*args, **options):
        raise sqlite3.OperationalError("database or disk is full")

    monkeypatch.setattr("workbench.versions.file.VersionFile.add", lambda *args: full_file(file, full))
    with pytest.warns(UserWarning, match="disk is full"):
        version = works(panel)
    assert "disk is full" in shown(panel) and version in panel.versions


def full_file(path, fails):
    from workbench.versions.file import FileProblem, _line

    try:
        fails()
    except sqlite3.Error as error:
        raise FileProblem(_line(path, "written", error)) from error


# --- Stop at the worst moment


def test_stop_before_the_first_step_makes_nothing_and_the_next_run_works(opened):
    panel = opened(small.workload())
    for _ in range(5):
        panel.run()
        panel.stop()
        panel.stop()
        panel.wait()
        assert panel.error == "" and not panel.is_running
    panel.stop()  # nothing runs: nothing happens
    works(panel)


@pytest.mark.parametrize("moment", ["packing", "measuring", "accuracy", "step 1 of 2", "step 2 of 2"])
def test_stop_at_any_moment_ends_the_run_and_leaves_the_panel_whole(opened, moment):
    panel = opened(small.workload())
    panel.recipe = "PruneWeights(sparsity=0.5) | FineTune(epochs=1)"

    def watch(topic):
        job = panel.session.runs.job
        if topic == "job" and job is not None and job.is_running and moment in job.progress.message:
            panel.stop()

    panel.session.observe(watch)
    panel.run()
    panel.wait()
    assert panel.error == "" and not panel.is_running
    for version in panel.versions:
        assert version.candidate is not None
    assert small.hooks(panel.work.model) == 0
    works(panel)


def test_closing_while_it_trains_ends_the_run(opened):
    panel = opened(small.workload())
    panel.recipe = LONG
    panel.run()
    runs = panel.session.runs
    panel.close()
    runs.wait(30)
    assert not panel.is_running


# --- every control at its ends


def previewed(panel):
    """Wait for what is estimated; latency follows when the hand rests, and is not waited for."""
    for each in (panel.session.estimates.worker, panel.session.estimates._judge):
        each.wait(60)


@pytest.mark.parametrize("name", techniques())
def test_every_control_at_its_least_greatest_and_empty_value(opened, name):
    """Each control alone, the others at their defaults: what is refused is said, and nothing breaks."""
    work = small.workload()
    panel = opened(work, Recipe((techniques()[name](),)))
    [box] = panel.session.draft.steps
    default, states = panel.recipe, small.states(work.model)
    for option in describe(techniques()[name]):
        for value in values(control(panel, option)):
            control(panel, option).value = value
            previewed(panel)
            assert "\n" not in panel.error and not panel.error.startswith(CRASHES), f"{option.name}={value!r}"
            assert str(Recipe.parse(str(panel.recipe))) == str(panel.recipe)
            if panel.recipe == default:  # refused, or the same as before
                continue
            panel.recipe = default
            previewed(panel)
            assert panel.error == "", f"{name}, after {option.name}={value!r}"
    assert [each.id for each in panel.session.draft.steps] == [box.id]
    assert small.same(states, small.states(work.model))


# an error of Python's own is not an answer to what a person typed
CRASHES = (
    "TypeError",
    "AttributeError",
    "KeyError",
    "IndexError",
    "NameError",
    "ZeroDivisionError",
    "ValueError",
)
CRASHES += ("RuntimeError", "OverflowError", "AssertionError", "UnboundLocalError")


def test_buttons_of_a_step_that_is_gone_do_nothing_bad(opened):
    panel = opened(small.workload())
    panel.session.add("Quantize")
    [_, step] = panel.session.draft.steps
    buttons = [
        each for each in below(panel) if isinstance(each, ipywidgets.Button) and "Quantize" in each.tooltip
    ]
    assert len(buttons) == 3
    clicks = [list(each._click_handlers.callbacks) for each in buttons]
    panel.session.remove(step.id)
    for callbacks in clicks:
        for callback in callbacks:
            callback(None)
    panel.session.switch(step.id, False)
    panel.session.change(step.id, "weights", 4)
    assert str(panel.recipe) == PRUNED
    works(panel)
