"""The Layers tab without a page: table, profile, the chosen layer, its own setting, what it cannot show."""

from __future__ import annotations

import json
import math
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import ipywidgets
import pytest
import small
import torch
from torch import nn

import workbench as wb
from workbench.candidate import with_parameters
from workbench.charts.layer_measures import MEASURES
from workbench.job import Progress
from workbench.live.selections import PointSelection
from workbench.measurement import everything
from workbench.panels import Workbench
from workbench.panels.parts import lean
from workbench.panels.parts.layer_table import MODELS_ORDER, LayerTable
from workbench.panels.state.layer_clock import LayerClock
from workbench.panels.views.layers_box import LayersBox
from workbench.panels.views.locks_box import LocksBox
from workbench.panels.views.removed_box import RemovedBox
from workbench.panels.views.sensitivity_box import SensitivityBox
from workbench.recipe import Recipe
from workbench.technique import Technique
from workbench.testing import workload
from workbench.versions import VersionTree

BOTH = "PruneWeights(sparsity=0.5) | Quantize(weights=4)"


def opened(work: Any, recipe: Recipe | str = BOTH) -> Workbench:
    panel = Workbench(work, recipe, tree=VersionTree(None, work), names={})
    panel.wait()
    return panel


def tab(panel: Workbench) -> LayersBox:
    return next(each for each in panel.views if isinstance(each, LayersBox))


@pytest.fixture(scope="module", autouse=True)
def quick() -> Iterator[None]:
    """Time the original for a moment only: what a tab does is tested here, not how long a pass takes."""
    measuring = everything.measuring

    def fast(*args: Any, **options: Any) -> Any:
        return measuring(*args, **{**options, "runtimes": ("pytorch",), "seconds": 0.02})

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("workbench.measurement.measuring", fast, raising=False)
        yield


@pytest.fixture(scope="module")
def panel_of_module() -> Iterator[Workbench]:
    made = opened(workload())
    yield made
    made.close()


@pytest.fixture
def panel(panel_of_module: Workbench) -> Workbench:
    """The panel that the tests share, as it is when it is opened."""
    made = panel_of_module
    made._views = tuple(each for each in made._views if not isinstance(each, SensitivityBox))
    made.session.scans.forget()
    made.session.look_at("")
    made.recipe = BOTH
    tab(made).table.order = MODELS_ORDER
    made.wait()
    made.session.tell("layers")
    return made


def cell(panel: Workbench, layer: str, key: str) -> list[Any]:
    """Text, number, two bars and the change of one cell."""
    return tab(panel).table.latest["rows"][layer]["cells"][list(MEASURES).index(key)]


def looked_at(panel: Workbench, layer: str) -> LayersBox:
    tab(panel).table.selected = layer  # what a click on a row does
    panel.wait()
    return tab(panel)


# --- the table


def test_a_row_for_each_layer_and_a_column_for_each_figure(panel):
    table = tab(panel).table
    assert table.latest["names"] == ["0", "1", "3", "6", "9"]
    assert [each["key"] for each in table.columns] == list(MEASURES)
    assert cell(panel, "6", "parameters")[:2] == ["528", 528]
    assert cell(panel, "6", "bits")[0] == "4" and cell(panel, "0", "rank")[0] == "6"
    assert cell(panel, "6", "bytes")[4].startswith("▼ ")


def test_time_is_measured_and_says_how(panel):
    assert cell(panel, "6", "time")[1] > 0
    assert "measured inside the pass, PyTorch, 1 thread, batch of 1, median of" in tab(panel)._said.value


def test_times_of_another_structure_come_beside_the_originals(panel):
    panel.recipe = "PruneChannels(ratio=0.5)"
    panel.wait()
    layer = next(each for each in tab(panel).shown if each.name == "6")
    assert layer.ms > 0 and layer.original_ms > 0 and layer.ms != layer.original_ms


def test_times_are_kept_only_for_the_structure_they_were_measured_of(panel):
    session = panel.session
    clock, before = LayerClock(session, lambda: None), session.estimates.layers(None)
    panel.recipe = "PruneChannels(ratio=0.5)"
    panel.wait()
    assert clock.times(before) is None  # a view that has not heard yet of the move asks for what it shows
    panel.wait()
    assert clock.times(before) is None
    panel.recipe = BOTH
    panel.wait()
    clock.times(before)  # asked for again
    panel.wait()
    assert clock.times(before) is not None


def test_table_follows_the_sliders(panel):
    before = cell(panel, "6", "zeros")[1]
    panel.session.change(panel.session.draft.steps[0].id, "sparsity", 0.9)
    panel.wait()
    assert cell(panel, "6", "zeros")[1] > before


def test_only_rows_that_changed_travel_once_a_page_listens(panel, monkeypatch):
    table, sent = tab(panel).table, []
    monkeypatch.setattr(table, "send", lambda content, buffers=None: sent.append(content))
    table._hear(table, {"kind": "ready"}, [])
    assert set(sent[0]["rows"]) == set(sent[0]["names"])
    panel.session.change_all(panel.session.draft.steps[1].id, {"layers": {"6": 8}})
    panel.wait()
    assert set().union(*(each["rows"] for each in sent[1:])) == {"6"}
    assert len(sent[1]["rows"]["6"]["cells"]) < len(MEASURES)
    assert not table._should_send_property("latest", {})
    count = len(sent)
    tab(panel).refresh()
    assert len(sent) == count


def test_sorting_chooses_what_the_bars_show(panel):
    box = tab(panel)
    assert box.measure == "bytes" and box.table.order == MODELS_ORDER
    box.table.order = {"key": "macs", "direction": "descending"}
    title = [row["title"] for row in panel.board.shown("layers") if row["kind"] == "title"]
    assert box.measure == "macs" and title == ["MACs, claimed"]
    box.table.order = {"key": "name", "direction": "ascending"}
    assert box.measure == "bytes"


@pytest.mark.slow
def test_model_of_two_hundred_layers_is_one_small_message_a_move(monkeypatch):
    layers = [each for _ in range(100) for each in (nn.Linear(8, 8), nn.LayerNorm(8))]
    panel = opened(small.workload(small.net(*layers)), "PruneWeights(sparsity=0.5)")
    table = tab(panel).table
    assert len(table.latest["names"]) == 202
    sent: list[Any] = []
    monkeypatch.setattr(table, "send", lambda content, buffers=None: sent.append(content))
    table._hear(table, {"kind": "ready"}, [])
    panel.session.change(panel.session.draft.steps[0].id, "sparsity", 0.6)
    panel.wait()
    assert 0 < len(json.dumps(sent[1])) < 40_000
    panel.close()


# --- a layer looked at


def test_row_bar_and_session_agree_on_the_layer(panel):
    box = looked_at(panel, "6")
    assert panel.session.layer == "6"
    assert [row["name"] for row in panel.board.shown("layers") if row.get("selected")] == ["6"]
    panel.board._tell(PointSelection("layers", "pick", ({"name": "3"},)))  # a click on a bar
    assert box.table.selected == panel.session.layer == "3"
    looked_at(panel, "")
    assert not lean.is_shown(box.layer.widget)


def test_nothing_is_shown_before_a_layer_is_chosen(panel):
    assert not lean.is_shown(tab(panel).layer.widget)
    assert "Choose a layer" in tab(panel)._said.value


def test_chosen_layer_shows_weights_spectrum_kernels_and_locks(panel):
    view = looked_at(panel, "3").layer
    assert "exactly zero, 4 bits" in view.weights.title
    assert len(view.singular.energies) == 8 and len(view.singular.now) == 8
    assert view.kernels.is_changed and "<img" in view._kernels.value
    assert "<b>3</b> can lose channels" in view.locks
    view = looked_at(panel, "9").layer
    assert "<b>9 is locked:</b>" in view.locks and view.kernels is None
    view = looked_at(panel, "1").layer  # a batch norm
    assert "shrinks with <code>0</code>" in view.locks and view.weights is None


def test_what_is_looked_at_follows_the_sliders(panel):
    view = looked_at(panel, "6").layer
    assert "528" not in view.weights.title and "512 weights" in view.weights.title
    panel.recipe = "PruneWeights(sparsity=0.9, scope='layer')"
    panel.wait()
    assert "90.0 % exactly zero" in view.weights.title


def test_layer_is_looked_at_when_data_are_given_before_it_was_drawn():
    panel = opened(small.workload(validation=None, test=None), "PruneWeights(sparsity=0.5)")
    panel.session.estimates.pause(True, "until the data are there")
    panel.session.look_at("0")
    panel.session.give(validation=small.data()["validation"])
    panel.wait()
    assert tab(panel).layer.weights is not None
    panel.close()


def test_same_layer_is_looked_at_in_the_other_views(panel):
    panel.add(SensitivityBox(panel.session))
    looked_at(panel, "6")
    assert panel._views[-1].layer == "6"


# --- its own setting


def test_own_value_goes_into_the_recipe_and_undo_takes_it_back(panel):
    box = looked_at(panel, "6")
    pruning, rounding = (each.step for each in box.layer.settings.shown)
    box.layer.settings.set_own(pruning, 0.25)
    panel.wait()
    assert str(panel.recipe) == "PruneWeights(sparsity=0.5, layers={'6': 0.25}) | Quantize(weights=4)"
    assert str(panel.preview.recipe) == str(panel.recipe)
    row = next(each for each in tab(panel).shown if each.name == "6")
    assert row.setting == "PruneWeights: 0.25"
    assert cell(panel, "6", "zeros")[1] < cell(panel, "3", "zeros")[1]
    box.layer.settings.leave_alone(rounding)
    panel.wait()
    assert panel.recipe.steps[1].keep == ("6",) and cell(panel, "6", "bits")[0] == "32"
    panel.session.undo()
    panel.session.undo()
    panel.wait()
    assert str(panel.recipe) == BOTH and box.layer.settings.shown[0].value is None


def test_controls_of_the_setting_move_with_the_recipe(panel):
    box = looked_at(panel, "6")
    panel.recipe = "PruneWeights(sparsity=0.5, layers={'6': 0.2}) | Quantize(weights=4, keep=['6'])"
    panel.wait()
    pruning, rounding = box.layer.settings._rows
    assert pruning._own.value and pruning._control.widget.value == 0.2
    assert (
        not pruning._control.widget.disabled and rounding._leave.value and rounding._control.widget.disabled
    )
    pruning._own.value = False  # a click
    panel.wait()
    assert str(panel.recipe.steps[0]) == "PruneWeights(sparsity=0.5)"


def test_slider_of_an_own_value_is_one_move(panel):
    box = looked_at(panel, "6")
    step = box.layer.settings.shown[0].step
    for value in (0.3, 0.4, 0.6):
        box.layer.settings.set_own(step, value)
    panel.session.undo()
    panel.wait()
    assert str(panel.recipe) == BOTH


def test_rank_of_its_own_is_written_for_the_layer_as_it_is_by_that_step(panel):
    panel.recipe = "Factorize(ratio=0.5, worth=0) | Quantize(weights=4)"
    box = looked_at(panel, "6")
    split, rounding = box.layer.settings.shown
    assert rounding.names == ("6.0", "6.1")
    box.layer.settings.set_own(split.step, split.own.high)
    panel.wait()
    assert panel.error == "" and panel.recipe.steps[0].ranks == {"6": split.own.high}
    box.layer.settings.set_own(rounding.step, 8)
    panel.wait()
    assert panel.error == "" and panel.recipe.steps[1].layers == {"6.0": 8, "6.1": 8}
    assert cell(panel, "6", "rank")[0] == f"{split.own.high} of 16"


def test_technique_without_such_an_option_says_so(panel):
    panel.recipe = "TieLayers(similarity=0.99)"
    box = looked_at(panel, "6")
    assert box.layer.settings.shown[0].reason == "TieLayers has no setting for single layers"


# --- sensitivity


def test_scan_fills_the_column_and_leaves_out_own_settings(panel):
    panel.recipe = "PruneWeights(sparsity=0.5, layers={'6': 0.1})"
    box = tab(panel)
    assert str(box.scan.technique) == "PruneWeights(sparsity=0.5)"
    box.scan.start()
    panel.session.scans.wait(60)
    assert cell(panel, "6", "sensitivity")[0] != "–"
    assert (
        "points (" in cell(panel, "0", "sensitivity")[4] and " at 0.9" in cell(panel, "0", "sensitivity")[4]
    )
    assert cell(panel, "1", "sensitivity")[0] == "–"  # a batch norm is not scanned
    assert "hurts most" in box.scan.said


def test_scan_of_another_view_of_the_panel_is_the_same(panel):
    panel.add(SensitivityBox(panel.session))
    panel._views[-1].start()
    panel.session.scans.wait(60)
    assert cell(panel, "0", "sensitivity")[1] is not None


def test_scan_without_a_step_that_compresses_says_what_to_do(panel):
    panel.recipe = "FineTune(epochs=1)"
    tab(panel).scan.start()
    assert panel.error.startswith("add a step that compresses first")


# --- models of every kind


def test_model_without_layers_with_weights_says_so():
    net = nn.Sequential(nn.Flatten(), nn.Softmax(dim=1))
    panel = opened(small.workload(net), "")
    assert tab(panel).shown == [] and panel.board.shown("layers")[0]["kind"] == "hint"
    assert tab(panel).table.latest["names"] == []
    panel.close()


def test_model_of_one_layer_is_looked_at():
    panel = opened(small.workload(nn.Sequential(nn.Linear(6, 3))), "ShareWeights(clusters=2)")
    box = looked_at(panel, "0")
    assert box.layer.settings.shown[0].reason == "it is the only layer that this step can touch"
    assert panel.error == "" and box.layer.weights is not None
    panel.close()


def test_weights_that_are_no_numbers_any_more_are_shown_and_said():
    class Spoil(Technique, family="pruning"):
        """Write a NaN into the first layer."""

        def apply(self, candidate, context, prepared):
            yield Progress(0, 1, "spoiling")
            weight = candidate.model.get_parameter("0.weight").detach().clone()
            weight[0, 0] = math.nan
            return replace(candidate, model=with_parameters(candidate.model, {"0.weight": weight}))

    panel = opened(small.workload(), Recipe((Spoil(),)))
    box = looked_at(panel, "0")
    assert "1 not finite" in box.layer.weights.title and sum(box.layer.weights.after) == 47
    assert len(box.layer.singular.energies) == 6 and not box.layer.singular.now  # the original's alone
    assert tab(panel).table.latest["names"] == ["0", "2"]
    panel.close()


def test_recipe_that_cannot_be_previewed_leaves_the_original_to_look_at(panel):
    panel.recipe = "ShareWeights(clusters=4, layers=['nowhere'])"
    box = looked_at(panel, "6")
    assert "nowhere" in panel.error and "512 weights" in box.layer.weights.title
    assert box.layer.settings.shown[0].can_leave


def test_model_without_an_example_has_no_times_and_says_why():
    class Whatever(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.inner = nn.Conv2d(1, 2, 3)

        def forward(self, x):
            return self.inner(x).sum((2, 3))

    panel = opened(wb.Workload(Whatever(), name="net"), "PruneWeights(sparsity=0.5)")
    assert "the shape of an input is not known" in tab(panel)._said.value
    assert cell(panel, "inner", "time")[0] == "–"
    panel.close()


def test_model_that_fails_in_forward_says_so_and_is_not_said_to_have_no_layers():
    class Failing(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.inner = nn.Linear(6, 3)

        def forward(self, x):
            if broken:
                raise RuntimeError("no such thing")
            return self.inner(x)

    broken: list[bool] = []
    work = wb.Workload(Failing(), input_shape=(6,), name="net")
    broken.append(True)
    panel = opened(work, "PruneWeights(sparsity=0.5)")
    box = looked_at(panel, "inner")
    assert "no such thing" in panel.error and box.shown == []
    assert box.table.hint == "The layers are told when the model has run once."
    panel.close()


def test_layers_that_are_gone_stay_in_the_table_as_removed():
    class Adding(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.layer = nn.Linear(8, 8)

        def forward(self, x):
            return x + self.layer(x)

    panel = opened(small.workload(small.net(Adding(), Adding())), "PruneLayers(count=1)")
    gone = [each for each in tab(panel).shown if each.is_removed]
    assert len(gone) == 1 and tab(panel).table.latest["rows"][gone[0].name]["what"] == "removed"
    box = looked_at(panel, gone[0].name)
    assert "removed" in box.layer.weights.title and panel.error == ""
    panel.close()


def test_student_of_another_shape_is_a_table_of_its_own():
    work = small.workload()
    panel = opened(work, "Distill(student='half-width', epochs=1) | Quantize(weights=4)")
    box = looked_at(panel, "0")
    assert next(each for each in box.shown if each.name == "0").parameters == 4 * 6 + 4
    assert panel.error == "" and box.layer.settings.shown[1].names == ("0",)
    panel.close()


def test_closing_leaves_no_widget_behind():
    before = set(ipywidgets.widget._instances)
    panel = opened(workload())
    for layer in ("0", "6", "9"):
        looked_at(panel, layer)
    panel.recipe = "Factorize(ratio=0.5, worth=0) | ShareWeights(clusters=4) | FineTune(epochs=1)"
    panel.wait()
    panel.close()
    assert set(ipywidgets.widget._instances) <= before


def test_table_alone_begins_empty():
    table = LayerTable()
    assert table.latest == {"revision": 0, "names": [], "rows": {}}
    table.show([])
    assert table.latest["revision"] == 0
    table.close()


def test_looking_at_a_layer_draws_no_random_numbers(panel):
    torch.manual_seed(3)
    expected = torch.rand(1)
    torch.manual_seed(3)
    looked_at(panel, "6")
    assert torch.equal(torch.rand(1), expected)


def test_layer_is_looked_at_in_every_view_of_a_family_panel():
    work = workload()
    pruning = wb.panels.Pruning(work, "PruneWeights(sparsity=0.5)", tree=VersionTree(None, work), names={})
    pruning.view(LocksBox).show()
    pruning.wait()
    looked_at(pruning, "3")
    assert pruning.view(RemovedBox).shown.name == pruning.sensitivity.layer == "3"
    assert pruning.view(LocksBox).layer == "3"
    pruning.sensitivity.layer = "6"  # a person goes on in one list: the others stay
    pruning.session.tell("layer")
    assert pruning.sensitivity.layer == "6" and pruning.session.layer == "3"
    pruning.close()


def test_layer_is_looked_at_where_bits_and_ranks_are_drawn():
    work = workload()
    for make, recipe, seen in (
        (wb.panels.Quantization, "Quantize(weights=4)", lambda panel: panel.weights.name.split(",")[0]),
        (wb.panels.Factorization, "Factorize(ratio=0.5, worth=0)", lambda panel: panel.spectrum._layer.label),
    ):
        panel = make(work, recipe, tree=VersionTree(None, work), names={})
        panel.wait()
        looked_at(panel, "3")
        assert seen(panel).startswith("3")
        panel.close()
