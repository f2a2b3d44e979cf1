"""The truth strip: what it says of the original, of previews and of versions, and what can be chosen."""

from __future__ import annotations

import threading
from dataclasses import replace

import ipywidgets
import pytest
import small

from workbench.measurement import everything, units
from workbench.panels import Workbench
from workbench.panels.parts import lean
from workbench.panels.state.chosen import Chosen
from workbench.panels.state.figures import is_timed_alike
from workbench.panels.state.session import Session
from workbench.panels.views.strip_box import strip_of
from workbench.preview import Previewer
from workbench.recipe import Recipe
from workbench.versions import VersionTree
from workbench.workload import Workload

TITLES = ["accuracy", "stored", "latency", "MACs", "peak memory"]


@pytest.fixture(autouse=True)
def quick(monkeypatch):
    """Time for a moment only."""
    measuring, timing = everything.measuring, everything.timing

    def fast(*args, **options):
        return measuring(*args, **{**options, "runtimes": ("pytorch",)})

    monkeypatch.setattr("workbench.measurement.measuring", fast, raising=False)
    monkeypatch.setattr(
        everything, "timing", lambda *args, **options: timing(*args, **{**options, "seconds": 0.02})
    )


@pytest.fixture
def work():
    return small.workload()


def opened(work, recipe="PruneWeights(sparsity=0.5)", path=None):
    session = Session(work, recipe, tree=VersionTree(path, work), names={}).open()
    session.wait()
    return session


@pytest.fixture
def session(work):
    made = opened(work)
    yield made
    made.close()


def ran(session, recipe):
    session.write(recipe)
    session.wait()
    session.run()
    session.wait()
    assert session.error == ""
    return session.version


def cell(session, title):
    return next(each for each in strip_of(session).figures if each.title == title)


def until(session, condition):
    """Wait until something that the session tells of holds."""
    met = threading.Event()
    session.observe(lambda topic: condition() and met.set())
    assert condition() or met.wait(30)


def test_there_are_five_figures_whatever_is_shown(session):
    kinds = {}
    for recipe in ("", "PruneWeights(sparsity=0.5)"):
        session.write(recipe)
        session.wait()
        kinds[strip_of(session).kind] = [each.title for each in strip_of(session).figures]
    ran(session, "PruneWeights(sparsity=0.5)")
    kinds["version"] = [each.title for each in strip_of(session).figures]
    assert kinds == {"baseline": TITLES, "preview": TITLES, "version": TITLES}


def test_accuracy_of_a_version_says_by_how_much_how_surely_and_whether_it_is_real(session):
    ran(session, "PruneWeights(sparsity=0.95)")
    shown, paired = cell(session, "accuracy"), session.version.report.paired
    assert shown.change == f"{units.points(paired.difference)} points"
    low, high = units.points(paired.low), units.points(paired.high)
    assert shown.verdict.startswith(f"{low} to {high}: ")
    assert shown.verdict.endswith("a difference" if paired.is_seen else "no difference seen")
    assert "n = 48 validation" in shown.detail and shown.kind == "measured"


def test_a_finished_preview_is_compared_on_the_same_samples_too(session):
    session.write("PruneWeights(sparsity=0.95)")
    session.wait()
    paired = session.estimates.preview.paired
    shown = cell(session, "accuracy")
    assert paired.n == 48 and shown.change.startswith("≈ ") and shown.verdict
    version = ran(session, "PruneWeights(sparsity=0.95)")
    assert version.report.paired == paired


def test_memory_stands_beside_the_originals(session):
    ran(session, "PruneChannels(ratio=0.5)")
    report = session.version.report
    shown = cell(session, "peak memory")
    assert report.peak_memory < report.baseline.peak_memory == session.estimates.known.memory
    assert shown.change.startswith("▼") and shown.kind == "measured"


def test_masks_leave_the_latency_and_say_why(session):
    session.write("PruneWeights(sparsity=0.9)")
    session.wait()
    assert session.estimates.preview.computes_alike and session.estimates.preview.latency is None
    shown = cell(session, "latency")
    assert (shown.change, shown.kind) == ("≈ 1.0×, dense kernels", "estimated")
    assert shown.value.startswith("≈ ")
    assert strip_of(session).sentence.endswith(
        "zeros make the file small; dense kernels still multiply them."
    )


def test_zeros_of_a_grid_are_not_all_that_makes_the_file_small(session):
    session.write("PruneWeights(sparsity=0.5) | Quantize(weights=4)")
    session.wait()
    assert " zeros and 4-bit weights make the file small; " in strip_of(session).sentence


def test_another_structure_is_timed_beside_the_original_when_the_hand_rests(session):
    session.write("PruneChannels(ratio=0.5)")
    session.wait()
    latency = session.estimates.preview.latency
    assert latency.baseline_ms > 0 and latency.rounds > 0
    shown = cell(session, "latency")
    assert shown.value.startswith("≈ ") and "as fast" in shown.change and shown.kind == "estimated"


def test_the_next_move_drops_the_latency_of_the_last(session):
    session.write("PruneChannels(ratio=0.5)")
    session.wait()
    session.write("PruneChannels(ratio=0.25)")
    until(session, lambda: session.estimates.preview.recipe == session.recipe)
    assert session.estimates.preview.latency is None or session.estimates.preview.latency.rounds
    session.wait()
    assert session.estimates.preview.latency is not None


@pytest.mark.parametrize(
    ("recipe", "runtime", "is_alike"),
    [
        ("PruneWeights(0.9)", "pytorch", True),
        ("PruneWeights(0.9)", "pytorch-sparse", False),
        ("Quantize(8)", "onnxruntime", True),
        ("Quantize(8, activations=8)", "onnxruntime", False),
        ("Quantize(8, activations=8)", "pytorch", True),
        ("PruneChannels(0.5)", "pytorch", False),
        ("Factorize(ratio=0.5)", "torch.compile", False),
    ],
)
def test_what_a_runtime_makes_use_of_decides_whether_it_is_timed(work, recipe, runtime, is_alike):
    from workbench.runtimes import runtimes

    if runtime not in runtimes():
        runtime = "pytorch"
    preview = next(Previewer(work).previewing(Recipe.parse(recipe)))
    assert is_timed_alike(preview, runtime) is is_alike


# --- what is chosen


def test_another_metric_is_shown_with_its_change(session):
    ran(session, "PruneWeights(sparsity=0.95)")
    session.show(metric="f1")
    shown, report = cell(session, "F1, macro"), session.version.report
    assert shown.value == f"{100 * report.accuracy.f1:.1f} %"
    assert "points" in shown.change


def test_own_metrics_can_be_chosen_by_name():
    work = small.workload(metrics={"mean": lambda outputs, targets: outputs.mean()})
    session = opened(work)
    assert list(session.metrics) == ["accuracy", "precision", "recall", "f1", "metric:mean"]
    session.show(metric="mean")
    assert cell(session, "mean").value.startswith("≈ ")
    ran(session, "PruneWeights(sparsity=0.5)")
    value = session.version.report.metrics["mean"]
    assert cell(session, "mean").value == f"{value:.4g}"
    session.close()


def test_regression_begins_with_its_own_metric():
    from torch import nn

    splits = {name: (x, x[:, :1]) for name, (x, _) in small.data().items()}
    work = Workload(nn.Linear(6, 1), **splits, metrics={"worst": lambda outputs, targets: 2.5})
    session = opened(work)
    assert session.chosen.metric == "metric:worst" and cell(session, "worst").value == "≈ 2.5"
    session.close()


@pytest.mark.parametrize(
    ("choice", "line"),
    [
        ({"metric": "acuracy"}, "no metric named 'acuracy', did you mean 'accuracy'?"),
        ({"runtime": "tensorrt"}, "no runtime named 'tensorrt'"),
        ({"batch": 0}, "batch must be a whole number from 1 to 65,536, got 0"),
        ({"threads": 1.5}, "threads must be a whole number from 1 to 65,536, got 1.5"),
    ],
)
def test_a_choice_that_there_is_not_is_refused_in_a_line(session, choice, line):
    before = session.chosen
    session.show(**choice)
    assert line.split(",")[0] in session.error and session.chosen == before


def test_what_was_measured_is_shown_at_once_and_what_was_not_can_be_measured(session):
    ran(session, "PruneChannels(ratio=0.5)")
    assert not strip_of(session).can_be_timed
    session.show(batch=4)
    assert strip_of(session).can_be_timed
    assert cell(session, "latency").detail == "not timed with these settings"
    session.measure_now()
    session.wait()
    shown = cell(session, "latency")
    assert "batch 4" in shown.detail and "as fast" in shown.change and not strip_of(session).can_be_timed
    session.show(batch=1)
    assert cell(session, "latency").kind == "measured"


def test_a_latency_measured_later_is_kept_with_the_version(work, tmp_path):
    session = opened(work, path=tmp_path / "versions.sqlite")
    ran(session, "PruneChannels(ratio=0.5)")
    session.show(batch=4)
    session.measure_now()
    session.wait()
    before = session.version.report
    session.close()
    again = VersionTree(tmp_path / "versions.sqlite", work).versions[0].report
    assert again.latency_with("pytorch", 4, 1) == before.latency_with("pytorch", 4, 1) is not None
    assert again.latency == before.latency
    assert "latency, PyTorch, batch 4, 1 thread" in [row["figure"] for row in again.table()]


def test_the_original_is_measured_with_other_settings_too(session):
    session.write("")
    session.show(batch=4)
    session.wait()
    assert session.estimates.known.latency_with("pytorch", 4, 1).batch == 4
    assert "batch 4" in cell(session, "latency").detail


def test_measuring_goes_on_beside_moves_and_can_be_stopped(session, monkeypatch):
    monkeypatch.setattr("workbench.measurement.latency._is_enough", lambda *args: False)
    timings = session.estimates.timings
    session.write("")
    session.show(runtime="openvino", batch=64)  # a preview is not timed on it by itself
    session.estimates.time_baseline(Chosen(batch=64))
    until(session, lambda: timings.progress.message.startswith("PyTorch: "))
    session.measure_now()
    assert "something is being timed already" in session.error
    session.write("PruneWeights(sparsity=0.7)")
    until(session, lambda: session.estimates.preview and session.estimates.preview.recipe == session.recipe)
    assert timings.is_running
    timings.stop()
    until(session, lambda: not timings.is_running)
    assert session.estimates.known.latency_with("pytorch", 64, 1).rounds > 0


def test_a_runtime_that_is_not_there_says_how_to_get_it(session, monkeypatch):
    from workbench.errors import RuntimeUnavailable
    from workbench.runtimes.onnxruntime import OnnxRuntime

    def missing(self, *args, **options):
        raise RuntimeUnavailable("ONNX Runtime is not installed; install it with: pip install onnxruntime")

    monkeypatch.setattr(OnnxRuntime, "prepare", missing)
    session.show(runtime="onnxruntime")
    session.write("PruneChannels(ratio=0.5)")
    session.wait()
    assert "pip install onnxruntime" in cell(session, "latency").detail
    assert session.error == ""  # nobody asked for it: the panel tried by itself
    version = ran(session, "PruneChannels(ratio=0.5)")
    session.estimates.untimed.clear()
    session.measure_now()
    session.wait()
    assert "pip install onnxruntime" in session.error and version.report.further == ()


def test_nothing_is_measured_while_a_run_goes_on(session):
    session.write("FineTune(epochs=1000)")
    session.run()
    session.measure_now()
    assert session.error.startswith("a run is going on")
    session.stop()
    session.wait()


# --- how good previews were


def test_previews_are_put_to_the_test_by_runs_and_the_record_is_kept(work, tmp_path):
    session = opened(work, path=tmp_path / "versions.sqlite")
    assert session.foretold == ""
    ran(session, "PruneWeights(sparsity=0.5)")
    ran(session, "PruneChannels(ratio=0.5)")
    said = session.version.report.foretold
    assert said.accuracy == session.version.report.accuracy.value and said.speedup > 0
    line = session.foretold
    assert line.startswith("previews here were off by 0.0 points (n = 2), ") and "at the median" in line
    session.close()
    again = opened(work, path=tmp_path / "versions.sqlite")
    assert again.foretold == line
    again.close()


def test_a_preview_timed_with_other_settings_foretells_no_speed_of_a_run(session):
    session.show(batch=16)
    version = ran(session, "PruneChannels(ratio=0.5)")
    said = version.report.foretold
    assert said.stored is not None and said.speedup is None and said.runtime == ""


def test_a_latency_that_comes_too_late_is_not_shown_with_the_next_recipe(session, monkeypatch):
    latency = session.estimates.known.latency["pytorch"]
    moved = Recipe.parse("PruneChannels(ratio=0.25)")

    def timing(*args):
        """Ends as the next recipe's preview takes the place of the one that was timed."""
        yield
        session.estimates.preview = replace(session.estimates.preview, recipe=moved, latency=None)
        return latency

    monkeypatch.setattr(session.estimates, "_previewed", timing)
    session.write("PruneChannels(ratio=0.5)")
    session.wait()
    assert session.estimates.preview.recipe == moved and session.estimates.preview.latency is None


def test_a_runtime_that_cannot_take_one_model_may_take_the_next(session, monkeypatch):
    from workbench.errors import RuntimeUnavailable

    def refused(*args):
        raise RuntimeUnavailable("this layer has no kernel there")
        yield

    with monkeypatch.context() as patch:
        patch.setattr(session.estimates, "_previewed", refused)
        session.write("PruneChannels(ratio=0.5)")
        session.wait()
        assert cell(session, "latency").detail == "this layer has no kernel there"
    session.write("PruneChannels(ratio=0.25)")
    session.wait()
    assert cell(session, "latency").kind == "estimated"


def test_of_a_run_and_a_scan_the_last_that_ends_lets_previews_be_timed(session):
    estimates = session.estimates
    run, scan = object(), object()
    estimates.pause(True, run)
    estimates.pause(True, scan)
    estimates.pause(False, run)
    session.write("PruneChannels(ratio=0.5)")
    session.wait()
    assert estimates.preview.accuracy is not None and estimates.preview.latency is None
    estimates.pause(False, scan)
    session.wait()
    assert estimates.preview.latency is not None


def test_of_what_training_changes_a_preview_has_foretold_nothing(session):
    version = ran(session, "PruneChannels(ratio=0.5) | FineTune(epochs=1)")
    said = version.report.foretold
    assert said.accuracy is None and said.stored is None and said.speedup > 0


def test_a_run_begun_before_the_preview_was_there_has_no_record(session):
    session.write("PruneWeights(sparsity=0.6)")
    session.estimates.preview = None
    session.run()
    session.wait()
    assert session.version.report.foretold is None


# --- advice


def test_advice_comes_when_the_hand_rests_and_a_button_takes_it(session):
    session.write("PruneWeights(sparsity=0.8) | Factorize(ratio=0.5)")
    session.wait()
    (found,) = session.estimates.advice
    assert found.move == "Do Factorize before PruneWeights"
    session.take_advice()
    session.wait()
    assert str(session.recipe) == "Factorize(ratio=0.5) | PruneWeights(sparsity=0.8)"
    assert session.estimates.advice == ()
    session.undo()
    assert str(session.recipe) == "PruneWeights(sparsity=0.8) | Factorize(ratio=0.5)"


def test_a_move_takes_old_advice_away_at_once(session):
    session.write("PruneWeights(sparsity=0.8) | Factorize(ratio=0.5)")
    session.wait()
    assert session.estimates.advice
    session.write("PruneWeights(sparsity=0.8)")
    assert session.estimates.advice == ()


# --- widgets


@pytest.fixture
def panel(work):
    made = Workbench(work, "PruneChannels(ratio=0.5)", tree=VersionTree(None, work), names={})
    made.wait()
    yield made
    made.close()


def widgets(root, kind, **traits):
    """The widgets of a kind below `root` that have these traits."""
    found = [root] if isinstance(root, kind) else []
    for child in getattr(root, "children", ()):
        found += widgets(child, kind)
    return [each for each in found if all(getattr(each, name) == value for name, value in traits.items())]


def test_lists_choose_and_the_button_measures_what_is_missing(panel):
    (batch,) = widgets(panel, ipywidgets.Dropdown, description="batch")
    (now,) = widgets(panel, ipywidgets.Button, description="Measure now")
    assert now.disabled  # a preview is timed by itself
    panel.run()
    panel.wait()
    assert now.disabled
    batch.value = 8
    assert panel.session.chosen.batch == 8 and not now.disabled
    now.click()
    panel.wait()
    assert now.disabled and now.description == "Measure now"
    assert panel.selected.report.latency_with("pytorch", 8, 1) is not None
    panel.session.show(batch=3)  # one that the list does not offer is among its values then
    assert batch.value == 3


def test_the_metric_that_is_chosen_heads_the_strip(panel):
    (metric,) = widgets(panel, ipywidgets.Dropdown, description="metric")
    metric.value = "recall"
    shown = strip_of(panel.session).figures[0]
    assert shown.title == "recall, macro" and shown.value.startswith("≈ ")


def test_advice_is_shown_only_where_steps_fight(panel):
    def shown():
        buttons = widgets(panel, ipywidgets.Button, icon="exchange")
        return [each for each in buttons if each.description and lean.is_shown(each)]

    (rows,) = (each for each in widgets(panel, ipywidgets.VBox) if "wb-advice" in each._dom_classes)
    assert not lean.is_shown(rows)
    panel.recipe = "PruneWeights(sparsity=0.8) | Factorize(ratio=0.5)"
    panel.wait()
    assert lean.is_shown(rows)
    (button,) = shown()
    button.click()
    panel.wait()
    assert str(panel.recipe).startswith("Factorize") and not lean.is_shown(rows)


def test_steps_are_numbered_as_the_recipe_counts_them(panel):
    panel.recipe = "PruneWeights(sparsity=0.8) | FineTune(epochs=2) | Quantize(8)"
    session = panel.session
    names = lambda: [  # noqa: E731
        each.description for each in widgets(panel, ipywidgets.Checkbox) if each.indent is False
    ]
    assert names()[:3] == ["1 PruneWeights", "2 FineTune", "3 Quantize"]
    session.switch(session.draft.steps[0].id, False)
    assert names()[:3] == ["PruneWeights", "1 FineTune", "2 Quantize"]
    ups = widgets(panel, ipywidgets.Button, icon="arrow-up")
    assert [each.disabled for each in ups] == [True, False, False]
