"""Run and Stop at the worst moments: what is kept, what is said, and that the next run works."""

from __future__ import annotations

import threading

import pytest
import small
import torch
from torch.nn import functional

from workbench.measurement import everything
from workbench.panels import Workbench
from workbench.panels.state.session import Session
from workbench.training.learner import Learner
from workbench.versions import VersionTree
from workbench.workload import Workload

TRAINED = "PruneWeights(sparsity=0.5) | FineTune(epochs=50)"


@pytest.fixture(autouse=True)
def quick(monkeypatch):
    """Time on PyTorch only, for a moment."""
    measuring = everything.measuring

    def fast(*args, **options):
        return measuring(*args, **{**options, "runtimes": ("pytorch",), "seconds": 0.02})

    monkeypatch.setattr("workbench.measurement.measuring", fast, raising=False)


@pytest.fixture
def session():
    work = small.workload()
    made = Session(work, "PruneWeights(sparsity=0.5)", tree=VersionTree(None, work), names={}).open()
    made.wait()
    yield made
    made.close()


def once(action):
    """A function that does something the first time it is called."""
    left = [action]
    return lambda *args, **options: left.pop()() if left else None


def before(monkeypatch, where, name, action):
    """Let `action` happen just before a function of a module is called."""
    real = getattr(where, name)

    def with_action(*args, **options):
        action()
        return real(*args, **options)

    monkeypatch.setattr(where, name, with_action)


def run_works(session):
    """Another run is accepted and made to its end."""
    session.write("PruneWeights(sparsity=0.25)")
    session.run()
    session.wait()
    assert session.error == "" and not session.version.is_stopped
    assert session.version.report.latency


def test_stop_in_the_first_batch_keeps_the_steps_before_it():
    session = None

    def loss(outputs, targets):
        if torch.is_grad_enabled():
            stop()
        return functional.cross_entropy(outputs, targets)

    stop = once(lambda: session.stop())
    work = small.workload(loss=loss)
    session = Session(work, TRAINED, tree=VersionTree(None, work), names={}).open()
    session.wait()
    session.run()
    session.wait()
    version = session.version or session.tree.head
    assert version.is_stopped and "stopped before the recipe's end" in session.status
    assert version.stages[0].step == "PruneWeights(sparsity=0.5)"
    run_works(session)
    session.close()


def test_stop_before_anything_is_done_says_that_nothing_is_kept(session, monkeypatch):
    import workbench.run

    before(monkeypatch, workbench.run, "prepared", once(session.stop))
    session.run()
    session.wait()
    assert session.tree.head is None and session.error == ""
    assert session.status == "stopped before there was anything to keep"
    run_works(session)


def test_stop_while_packing_keeps_the_whole_version(session, monkeypatch):
    import workbench.storage

    before(monkeypatch, workbench.storage, "pack", once(session.stop))
    session.run()
    session.wait()
    version = session.version
    assert not version.is_stopped and version.packed_bytes > 0 and session.status.startswith("v1: ")
    monkeypatch.undo()


def test_stop_while_measuring_keeps_the_version_with_what_was_measured(session, monkeypatch):
    before(monkeypatch, everything, "timing", once(session.stop))
    session.run()
    session.wait()
    version = session.version
    assert version.report.accuracy is not None and version.report.is_stopped
    assert session.status.endswith("measured in part")


def test_a_second_stop_ends_the_measuring_of_what_the_first_one_kept(session, monkeypatch):
    monkeypatch.setattr("workbench.panels.state.runs.DOUBLE_CLICK", 0.0)
    seen = []
    before(monkeypatch, everything, "evaluating", once(lambda: (session.stop(), seen.append(session.status))))
    before(monkeypatch, Learner, "step", once(session.stop))
    session.write(TRAINED)
    session.wait()
    session.run()
    session.wait()
    version = session.tree.head
    assert seen == ["stopping: it is measured no further"]
    assert version.is_stopped and version.report.notes == ("stopped: no latency on PyTorch",)
    assert session.status.endswith("stopped before the recipe's end, measured in part")


def test_a_run_is_refused_while_one_is_being_stopped(session, monkeypatch):
    said = []

    def again():
        session.run()
        said.append(session.error)

    import workbench.storage

    before(monkeypatch, workbench.storage, "pack", once(lambda: (session.stop(), again())))
    session.run()
    session.wait()
    assert said == ["the last run is being stopped; wait until it is, or press Stop again"]
    assert len(session.tree.versions) == 1


def test_two_presses_at_once_begin_one_run(session):
    session.write("FineTune(epochs=200)")
    presses = [threading.Thread(target=session.run) for _ in range(4)]
    for each in presses:
        each.start()
    for each in presses:
        each.join()
    assert session.error == "a run is going on; press Stop first, or wait for it"
    session.stop()
    session.wait()
    assert len(session.tree.versions) <= 1


def test_an_error_during_a_run_stays_to_be_read(session):
    session.write("FineTune(epochs=1000)")
    session.run()
    heard = threading.Event()
    session.write("PruneWeigths(0.5)")
    session.observe(lambda topic: topic == "training" and heard.set())
    assert heard.wait(30), "the run tells how far it is"
    assert "did you mean 'PruneWeights'" in session.error
    session.stop()
    session.wait()


def test_what_goes_wrong_while_packing_is_said_and_the_next_run_works(session, monkeypatch):
    import workbench.storage

    before(monkeypatch, workbench.storage, "pack", once(_breaks))
    session.run()
    session.wait()
    assert session.error == "OSError: No space left on device" and session.tree.head is None
    run_works(session)


def test_what_cannot_be_judged_is_kept_without_accuracy_and_the_next_run_works(session, monkeypatch):
    before(monkeypatch, everything, "evaluating", once(_breaks))
    session.run()
    session.wait()
    assert session.status.endswith("no accuracy, its data failed: OSError: No space left on device")
    assert session.version is not None and session.version.report.accuracy is None
    run_works(session)


def _breaks():
    raise OSError("No space left on device")


def test_a_loader_that_raises_halfway_is_said_in_the_panel():
    def batches():
        yield small.blobs(16)
        raise ValueError("the disk went away")

    class Loader:
        dataset = range(48)

        def __iter__(self):
            return batches()

    from workbench.errors import WorkbenchError

    try:
        work = Workload(small.net(), **{**small.data(), "train": Loader()})
    except WorkbenchError as error:
        pytest.skip(f"refused when it is given: {error}")
    panel = Workbench(work, "FineTune(epochs=2)", tree=VersionTree(None, work), names={})
    panel.wait()
    panel.run()
    panel.wait()
    assert "the disk went away" in panel.error
    panel.recipe = "PruneWeights(sparsity=0.5)"
    panel.run()
    panel.wait()
    assert panel.error == "" and panel.selected is not None
    panel.close()


def test_an_export_that_fails_is_said_and_the_preview_stays(session, tmp_path, monkeypatch):
    from workbench.panels.state import saving

    session.run()
    session.wait()
    session.write("PruneWeights(sparsity=0.75)")
    session.wait()
    monkeypatch.setattr(saving, "write", lambda *args: (_ for _ in ()).throw(ValueError("no such operator")))
    session.save(str(tmp_path / "small.onnx"))
    session.wait()
    assert session.error == "ValueError: no such operator"
    assert session.estimates.preview.recipe == session.recipe


def test_an_export_asked_for_during_a_run_waits_and_says_so(session, tmp_path):
    session.run()
    session.wait()
    session.write("FineTune(epochs=1000)")
    session.run()
    session.save(str(tmp_path / "small.onnx"))
    assert "when the run has ended" in session.status
    session.stop()
    session.wait()
    assert (tmp_path / "small.onnx").exists()


def test_progress_tells_the_time_left_and_ends_with_the_run(session):
    fractions = []
    session.observe(lambda topic: topic == "job" and fractions.append(session.runs.job.progress.fraction))
    session.write("FineTune(epochs=30)")
    session.run()
    session.wait()
    told = [each for each in fractions if each is not None]
    assert told == sorted(told) and told[-1] <= 1.0


def test_a_double_click_on_stop_does_no_more_than_a_click(session, monkeypatch):
    before(monkeypatch, everything, "evaluating", once(session.stop))
    before(monkeypatch, Learner, "step", once(session.stop))
    session.write(TRAINED)
    session.wait()
    session.run()
    session.wait()
    assert session.tree.head.is_stopped and not session.tree.head.report.is_stopped
