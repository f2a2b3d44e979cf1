"""The panel of pruning and the parts it shares: scans, locks, pictures; all without a page."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from typing import Any

import ipywidgets
import pytest
import small
import torch
from torch import nn

import workbench as wb
from workbench.charts import masks
from workbench.charts import sensitivity as chart
from workbench.exploration.records import Effect, Sensitivity
from workbench.job import Job
from workbench.layers import weights
from workbench.live.selections import PointSelection
from workbench.panels.family import FamilyPanel
from workbench.panels.parts import lean
from workbench.panels.pruning import Pruning
from workbench.panels.sensitivity import Sensitivity as Panel
from workbench.panels.views.locks_box import LocksBox
from workbench.panels.views.removed_box import RemovedBox, picture
from workbench.panels.views.sensitivity_box import SensitivityBox
from workbench.testing import workload
from workbench.versions import VersionTree


@pytest.fixture(scope="module")
def panel() -> Iterator[Pruning]:
    work = workload()
    shown = Pruning(work, "PruneWeights(sparsity=0.5, scope='layer')", tree=VersionTree(None, work))
    shown.wait()
    yield shown
    shown.close()


@pytest.fixture
def alone() -> Iterator[Panel]:
    shown = Panel(workload(), "Quantize")
    yield shown
    shown.close()


def drawn(box: SensitivityBox, kind: str) -> list[dict[str, Any]]:
    return [row for row in box.board.shown("sensitivity") if row["kind"] == kind]


def test_it_begins_with_prune_weights_and_names_itself(panel):
    default = Pruning(workload(), tree=VersionTree(None, panel.work))
    assert [type(step).__name__ for step in default.recipe] == ["PruneWeights"]
    assert repr(default).startswith("<Pruning of ")
    default.close()


def test_a_family_panel_is_a_technique_and_views(panel):
    assert isinstance(panel, FamilyPanel)
    assert [type(each) for each in panel._views[-3:]] == [RemovedBox, SensitivityBox, LocksBox]
    assert panel.view(LocksBox).widget in panel.children


def test_the_picture_follows_the_recipe(panel):
    panel.recipe = "PruneWeights(sparsity=0.5, scope='layer')"
    panel.wait()
    box = panel.view(RemovedBox)
    assert box.shown is not None and box.shown.zeros == pytest.approx(0.5, abs=0.02)
    panel.recipe = "PruneWeights(sparsity=0.9, scope='layer')"
    panel.wait()
    assert box.shown.zeros == pytest.approx(0.9, abs=0.02)
    assert "are zero" in box.board.latest["masks"]["text"]
    box._layer.value = "6.weight"
    assert box.shown.name == "6" and (box.shown.outputs, box.shown.inputs) == (16, 32)


def test_channels_that_go_are_shown_where_the_recipe_removes_some(panel):
    box = panel.view(RemovedBox)
    assert box.strips == () and not lean.is_shown(box._channels)
    panel.recipe = "PruneChannels(ratio=0.5)"
    panel.wait()
    kept = {each.name: sum(each.kept) for each in box.strips}
    assert kept == {"0": 3, "3": 4, "6": 8, "9": 3}  # of 6, 8, 16 and the three outputs
    assert lean.is_shown(box._channels) and "9 3, locked" in box.board.latest["channels"]["text"]
    panel.recipe = "PruneWeights(sparsity=0.5)"
    panel.wait()
    assert box.strips == () and not lean.is_shown(box._channels)


def test_a_picture_is_the_share_that_stays_in_each_tile():
    layer = nn.Linear(2, 4)
    with torch.no_grad():
        layer.weight.copy_(torch.tensor([[1.0, 0], [1, 1], [0, 0], [2, 0]]))
    (weight,) = weights(nn.Sequential(layer))
    found = picture(weight)
    assert found.kept == [[1, 0], [1, 1], [0, 0], [1, 0]] and found.zeros == 0.5
    wide = nn.Linear(4 * masks.COLUMNS, 2 * masks.ROWS)
    with torch.no_grad():
        wide.weight[: masks.ROWS] = 0  # the upper half
    (weight,) = weights(nn.Sequential(wide))
    found = picture(weight)
    assert (len(found.kept), len(found.kept[0])) == (masks.ROWS, masks.COLUMNS)
    assert not any(map(any, found.kept[: masks.ROWS // 2])) and found.kept[-1] == [1.0] * masks.COLUMNS
    assert len([row for row in masks.rows(found) if row["kind"] == "tile"]) == masks.ROWS // 2 * masks.COLUMNS
    assert "20 of 40 bands of outputs are empty" in masks.summary(found)
    assert masks.rows(None)[0]["kind"] == "hint"


def test_scan_fills_the_chart_and_the_table(panel):
    box = panel.sensitivity
    panel.recipe = "PruneWeights(sparsity=0.5, scope='layer')"
    box.start()
    panel.wait()
    assert panel.error == "" and panel.scan is not None and not panel.scan.is_partial
    assert panel.scan.step == "PruneWeights(scope='layer')"  # the recipe's own options
    assert len(drawn(box, "point")) == len(panel.scan) == 12
    assert [row["name"] for row in drawn(box, "layer")] == ["0", "3", "6", "9"]
    assert "hurts most" in box._status.value and lean.VEILED in box._bar._dom_classes
    box.layer = "6"
    assert "PruneWeights(scope=&#x27;layer&#x27;) in 6 alone" in box._table.value
    assert [row["name"] for row in drawn(box, "layer") if row["selected"]] == ["6"]


def test_a_click_on_a_row_looks_at_its_layer(panel):
    box = panel.sensitivity
    box._picked(PointSelection("sensitivity", "pick", ({"name": "9"},)))
    assert box.layer == "9"
    box._picked(PointSelection("sensitivity", "pick", ({"name": "no such layer"},)))
    box._picked(PointSelection("sensitivity", "pick", ()))
    assert box.layer == "9"


def test_another_technique_is_another_question(panel):
    box = panel.sensitivity
    box._technique.value = "Quantize"
    assert box.scan is None and drawn(box, "hint")
    assert [row["strength"] for row in drawn(box, "frame")][1:] == [
        f"{each} bits" for each in wb.Quantize.strengths
    ]
    box._technique.value = "PruneWeights"


def test_why_locked_lists_every_layer_with_its_reason(panel):
    box = panel.view(LocksBox)
    assert panel.locks == () and not lean.is_shown(box._list)
    box.show()
    panel.wait()
    assert [each.layer for each in panel.locks] == ["0", "3", "6", "9"]
    assert "1 of 4 layers are locked" in box._said.value
    box.layer = "9"
    assert "9 is locked" in box._told.value and "outputs" in box._told.value
    box.layer = "0"
    assert "can lose channels" in box._told.value and "<code>1</code>" in box._told.value


def test_layers_kept_by_name_are_locked_by_it(panel):
    box = panel.view(LocksBox)
    box.show()
    panel.recipe = "PruneChannels(ratio=0.5, keep=['3'])"
    panel.wait()
    locked = {each.layer: each.reason for each in panel.locks if each.is_locked}
    assert locked["3"] == "3 is kept by name"
    panel.recipe = "PruneWeights(sparsity=0.5)"
    panel.wait()


@pytest.mark.slow
def test_closing_ends_a_scan_and_frees_every_widget():
    before = set(ipywidgets.widget._instances)
    work = workload()
    shown = Pruning(work, tree=VersionTree(None, work))
    view = shown.sensitivity
    view.start()
    shown.close()
    view.wait(30)
    assert not view.scans.is_running
    assert set(ipywidgets.widget._instances) <= before


@pytest.mark.slow
def test_any_studio_takes_the_view():
    work = workload()
    studio = wb.panels.Workbench(work, "Quantize(weights=4)", tree=VersionTree(None, work))
    studio.add(SensitivityBox(studio.session))
    box = studio._views[-1]
    assert box._technique.value == "Quantize" and box.technique == wb.Quantize(weights=4)
    box.start()
    box.wait()
    assert len(box.scan) == 4 * len(wb.Quantize.strengths)
    studio.close()


def test_other_data_are_another_question():
    shown = Panel(workload())
    shown.start()
    shown.wait()
    other = workload(seed=1)
    shown.session.work = other
    shown.box.refresh()
    assert shown.scan is None and drawn(shown.box, "hint")
    shown.close()


def test_the_panel_alone_scans_what_it_is_given(alone):
    alone.start()
    alone.wait()
    assert alone.scan.technique == "Quantize" and alone.scan.ranked[0] in alone.scan.layers
    assert alone.box._technique.value == "Quantize" and alone.error == ""


def test_the_panels_recipe_is_what_it_scans(alone):
    assert alone.recipe == wb.Recipe.of(wb.Quantize())
    alone.recipe = "PruneWeights(0.5, scope='layer')"
    assert str(alone.recipe) == "PruneWeights(sparsity=0.5, scope='layer')"
    alone.start()
    alone.wait()
    assert alone.scan.step == "PruneWeights(scope='layer')"
    alone.recipe = "PruneWeights(0.5) | Quantize(4)"
    assert alone.error.startswith("a scan takes one technique, got 2")
    assert len(alone.recipe) == 1


def test_stop_keeps_what_was_scanned_and_says_so(alone):
    reached = threading.Event()
    go_on = threading.Event()
    told = alone.box._told

    def watching(job: Job[Any]) -> None:
        told(job)
        is_running = job.state == "running"  # what is told last comes too late to stop
        if is_running and alone.scan is not None and alone.scan.effects and not reached.is_set():
            reached.set()
            go_on.wait(10)

    alone.box.scans._told = watching
    alone.start()
    if reached.wait(10):  # else it was done between two looks
        stopper = threading.Thread(target=alone.stop)  # waits for its turn to tell
        stopper.start()
        while alone.box.scans.job.state == "running":
            pass
        go_on.set()
        stopper.join(10)
        alone.wait()
        assert alone.scan.is_partial and 0 < len(alone.scan) < 4 * len(alone.scan.strengths)
        assert "stopped at" in alone.box._status.value
        assert alone.box._scan.disabled is False and alone.box._stop.disabled is True


def test_one_scan_at_a_time(alone):
    alone.box.scans.job = Job(lambda: iter(()), seed=0)
    alone.box.scans.job.state = "running"
    alone.start()
    assert alone.error == "a scan is going on; press Stop first, or wait for it"
    alone.box.scans.job = None


def test_what_goes_wrong_is_a_line_in_the_panel():
    shown = Panel(wb.Workload(nn.Sequential(nn.Linear(2, 2)), name="net"))
    shown.start()
    shown.wait()
    assert shown.error.startswith("net has no validation data; give them")
    assert 'role="alert"' in shown.box._status.value
    shown.close()
    with pytest.raises(wb.WorkbenchError, match="FineTune trains, and a scan does not"):
        Panel(workload(), "FineTune")


@pytest.mark.slow
def test_a_net_that_predicts_numbers_is_drawn_by_its_loss():
    inputs, targets = torch.randn(40, 6), torch.randn(40, 3)
    work = wb.Workload(small.net(), validation=(inputs, targets), test=(inputs, targets))
    shown = Panel(work)
    shown.start()
    shown.wait()
    assert "loss" in str(shown.box.board.specs["sensitivity"])
    assert all(row["low"] is None for row in drawn(shown.box, "point"))
    assert "loss" in shown.box._table.value
    shown.close()


def effect(layer: str, strength: float, **more: Any) -> Effect:
    return Effect(layer, strength, loss=0.5, loss_change=0.1, output_error=0.2, **more)


def test_rows_hold_layers_points_and_what_to_say():
    effects = (effect("a", 0.5), effect("b", 0.5, problem="RuntimeError: no"))
    scan = Sensitivity(
        "PruneWeights", "PruneWeights", "sparsity", (0.5, 0.9), effects, ("a", "b", "c"), 10, loss=0.4
    )
    rows = chart.rows(scan, "b")
    texts = {row["name"]: row["text"] for row in rows if row["kind"] == "layer"}
    assert texts == {"a": "+0.100 at 0.5", "b": "failed", "c": "…"}
    (point,) = (row for row in rows if row["kind"] == "point")
    assert (point["name"], point["x"], point["below"]) == ("a", 0.5, -4.5)
    assert "a: +0.100 at 0.5." in chart.summary(scan) and "b: failed." in chart.summary(scan)
    hint = chart.rows(None, layers=("a",), strengths=("8 bits",))
    assert [row["kind"] for row in hint] == ["layer", "frame", "frame", "hint"]
    assert chart.summary(None).startswith("Press Scan layers")


def test_every_mark_has_a_second_cue():
    spec = chart.chart().to_dict()
    points = next(layer for layer in spec["layer"] if layer.get("encoding", {}).get("shape", {}).get("field"))
    assert points["encoding"]["shape"]["field"] == "strength"
    assert "color" not in points["encoding"]  # one colour, told apart by shape
