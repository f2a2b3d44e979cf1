"""Compare and Samples in a panel: worked out while somebody looks, filtered, paged, and their step found."""

from __future__ import annotations

from collections.abc import Iterator

import ipywidgets
import pytest
import torch
from small import measure_quickly, net, workload
from torch import nn

import workbench as wb
from workbench.charts import classes_compared, flips_by_step, weights_compared
from workbench.comparison import flipping
from workbench.errors import VersionError
from workbench.job import finish
from workbench.live.board import ChartBoard
from workbench.panels import Compare, Workbench
from workbench.panels.parts import lean
from workbench.panels.state.session import Session
from workbench.panels.views.compare_box import CompareBox
from workbench.panels.views.samples_box import PAGE, SamplesBox
from workbench.panels.views.versions_box import VersionsBox
from workbench.versions import VersionTree
from workbench.workload import Workload

HARSH = "PruneWeights(sparsity=0.9) | FineTune(epochs=1) | Quantize(weights=2)"


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    measure_quickly(monkeypatch)
    monkeypatch.setattr("workbench.panels.state.comparisons._SECONDS", 0.02)
    monkeypatch.setattr("workbench.panels.state.estimates._TIMING", 0.02)


@pytest.fixture(scope="module")
def made() -> tuple[Workload, VersionTree]:
    """A workload with `v1`, of a harsh recipe, and `v2`, of a mild one."""
    with pytest.MonkeyPatch.context() as patch:
        measure_quickly(patch)
        work = workload(net(seed=2))
        tree = VersionTree(None, work)
        wb.compress(work, HARSH, tree=tree, seed=1)
        wb.compress(work, "PruneWeights(sparsity=0.2)", tree=tree)
    return work, tree


@pytest.fixture
def panel(made) -> Iterator[Compare]:
    work, tree = made
    panel = Compare(work, None, "v1", tree=tree, names={})
    panel.wait()
    yield panel
    panel.close()


@pytest.fixture
def studio(made) -> Iterator[Workbench]:
    work, tree = made
    tree.select("v2")
    panel = Workbench(work, tree=tree, names={})
    panel.wait()
    yield panel
    panel.close()


def view(panel: Workbench, kind: type):
    return next(each for each in panel.views if isinstance(each, kind))


def tabs(panel: Workbench) -> ipywidgets.Tab:
    from workbench.panels.closing import below

    return next(each for each in below(panel) if isinstance(each, ipywidgets.Tab))


def test_the_panel_compares_and_tells_the_same_in_python(panel, made):
    work, tree = made
    assert panel.comparison.is_final
    assert panel.comparison.paired == wb.compare(work, None, tree.get("v1"), runtimes=()).paired
    assert panel.flips.sentence == finish(flipping(work, None, tree.get("v1"))).sentence
    told = panel.box._figures.value
    assert "stored size" in told and "latency, PyTorch" in told and "exact" in told
    assert "+ FineTune(epochs=1)" in panel.box._recipe.value
    assert panel.comparison.sentence.replace("−", "−") in panel.box._told.value
    assert "test samples flipped" in panel.samples._told.value


def test_what_cannot_be_compared_is_tried_once_and_said(made, monkeypatch):
    work, tree = made
    tries = []

    def failing(*args, **options):
        tries.append(args)
        raise OSError("the disk went away")
        yield

    with monkeypatch.context() as patch:
        patch.setattr("workbench.comparison.side_by_side._evaluating", failing)
        panel = Compare(work, None, "v1", tree=tree, names={})
        panel.wait()
        assert "the disk went away" in panel.box._told.value and "the disk went away" in panel.error
        panel.session.tell("versions")  # whatever else changes
        panel.wait()
        assert len(tries) == 1
    panel.box.opened(False)
    panel.box.opened(True)  # who looks again tries again
    panel.wait()
    assert panel.comparison.is_final and "the disk" not in panel.box._told.value
    panel.close()


def test_layers_and_weights_are_shown(panel):
    assert '<th scope="row">0</th>' in panel.box._layers.value
    assert panel.box._layer.options == ("0", "2")
    panel.box._layer.value = "2"
    assert panel.box.weights.layer == "2"
    kinds = {row["kind"] for row in panel.board.shown("weights compared")}
    assert kinds == {"before", "after"}


def test_other_two_can_be_chosen_swapped_and_followed(panel):
    comparisons = panel.session.comparisons
    panel.choose("v1", "v2")
    panel.wait()
    assert (panel.comparison.before, panel.comparison.after) == ("v1", "v2")
    comparisons.swap()
    panel.wait()
    assert (panel.comparison.before, panel.comparison.after) == ("v2", "v1")
    comparisons.follow()
    assert comparisons.is_following and comparisons.ids[0] == ""
    with pytest.raises(VersionError, match="no version 'v7'"):
        panel.choose("v1", "v7")


def test_dropdowns_choose_the_pair(panel, made):
    _, tree = made
    pair = panel.box._pair
    pair._before.value = tree.get("v2").id
    assert panel.session.comparisons.ids == (tree.get("v2").id, tree.get("v1").id)
    panel.wait()
    pair._before.value = tree.get("v1").id  # both the same
    assert "Both are the same" in panel.box._told.value and panel.samples.flips is None


def test_flips_are_filtered_by_kind_and_class(panel):
    samples, flips = panel.samples, panel.flips
    assert samples.shown == flips.flips and len(flips.flips) > 2
    kind, label = flips.flips[0].kind, flips.flips[0].label
    samples.choose(kind)
    assert samples.shown == flips.of(kind) and flips.flips[0] in samples.shown
    samples.choose(kind, label)
    assert samples.shown == flips.of(kind, label) and flips.flips[0] in samples.shown
    assert samples._cards.value.count("<li") == len(samples.shown)
    samples.choose()
    assert samples.shown == flips.flips


def test_cards_say_what_happened_in_words_and_signs(panel):
    first = panel.samples.shown[0]
    card = panel.samples._cards.value.split("</li>")[0]
    assert f"{first.before} → {first.after}" in card and f"label {first.label}" in card
    assert {"broken": "✕", "mended": "✓", "otherwise": "~"}[first.kind] in card
    assert "wb-flip-text" in card, "six numbers are no picture"


def test_the_step_is_found_by_running_again(panel):
    panel.find_steps()
    panel.wait()
    assert panel.error == "" and panel.stages.is_checked
    assert "Checked" in panel.samples.finding.said
    assert "wb-flip-step" in panel.samples._cards.value
    steps = [row["step"] for row in panel.board.shown("flips by step") if row["kind"] == "step"]
    assert steps[::2] == ["1 PruneWeights", "2 FineTune", "3 Quantize"]


def test_finding_can_be_stopped(panel):
    finding = panel.samples.finding
    finding.start()
    finding.stop()
    finding.wait()
    assert not finding.is_running
    assert panel.stages is None or panel.stages.differing in (None, 0)


def test_the_original_has_no_steps(panel):
    panel.choose("v1", None)
    panel.wait()
    panel.find_steps()
    assert "the original was not made by steps" in panel.error


def test_closing_frees_every_widget(made):
    work, tree = made
    Compare(work, None, "v1", tree=tree, names={}).close()
    before = set(ipywidgets.widget._instances)
    panel = Compare(work, None, "v1", tree=tree, names={})
    panel.close()
    assert set(ipywidgets.widget._instances) == before


def test_it_can_be_read_without_a_kernel(panel):
    tables = [each for each in panel.told() if hasattr(each, "caption")]
    assert [each.caption for each in tables][:2] == ["v1 against original", "Layer by layer"]


# --- in the studio


def test_nothing_is_judged_for_a_tab_that_is_not_open(studio):
    comparisons = studio.session.comparisons
    assert comparisons.comparison is None and comparisons.flips is None
    studio.tab = "Compare"
    studio.wait()
    assert comparisons.comparison.is_final and comparisons.comparison.after == "v2"


def test_an_open_tab_follows_what_is_selected(studio):
    studio.tab = "Samples"
    studio.selected = "v1"
    studio.wait()
    samples = view(studio, SamplesBox)
    assert samples.flips.after == "v1" and samples.shown
    studio.tab = "Layers"
    studio.selected = "v2"
    studio.wait()
    assert studio.session.comparisons.flips is None


def test_marking_two_and_pressing_compare_opens_the_tab(studio, made):
    _, tree = made
    studio.tab = "Versions"
    box = view(studio, VersionsBox)
    box.table.marked = [tree.get("v1").id, tree.get("v2").id]
    box._compare.click()
    studio.wait()
    assert studio.tab == "Compare"
    found = view(studio, CompareBox).shown
    assert (found.before, found.after) == ("v1", "v2")


def test_one_that_is_deleted_while_it_is_compared_gives_way(made):
    work, _ = made
    tree = VersionTree(None, work)
    wb.compress(work, "PruneWeights(sparsity=0.3)", tree=tree, name="short-lived")
    panel = Compare(work, None, "short-lived", tree=tree, names={})
    panel.wait()
    tree.delete("short-lived")
    assert "Make a version first" in panel.box._told.value and not lean.is_shown(panel.box._look)
    assert panel.samples.flips is None
    panel.close()


def test_numbers_instead_of_classes_are_said_where_flips_would_be():
    inputs = torch.randn(30, 6, generator=torch.Generator().manual_seed(0))
    work = Workload(nn.Sequential(nn.Linear(6, 4), nn.Linear(4, 1)), validation=(inputs, inputs[:, :1]))
    tree = VersionTree(None, work)
    wb.compress(work, "PruneWeights(sparsity=0.5)", tree=tree)
    panel = Compare(work, None, "v1", tree=tree, names={})
    panel.wait()
    assert panel.comparison.is_final and panel.comparison.figure("loss").after > 0
    assert panel.flips is None and "the inspector needs a classifier" in panel.samples._told.value
    assert panel.error == ""
    panel.close()


def test_without_a_version_it_says_what_to_do_first():
    work = workload(net(seed=9))
    session = Session(work, tree=VersionTree(None, work), names={})
    board = ChartBoard({name: {} for each in (CompareBox, SamplesBox) for name in each.charts})
    box, samples = CompareBox(session, board), SamplesBox(session, board)
    box.opened(True)
    assert "Make a version first" in box._told.value and "Make a version first" in samples._told.value
    session.close()


def test_many_flips_come_a_page_at_a_time(made):
    work, tree = made
    session = Session(work, tree=tree, names={})
    board = ChartBoard({name: {} for name in SamplesBox.charts})
    samples = SamplesBox(session, board)
    session.comparisons.choose(None, "v1")
    samples.opened(True)
    session.wait()
    samples.refresh()
    samples.shown = samples.shown * (2 * PAGE // len(samples.shown) + 1)
    samples._show_page()
    assert samples._cards.value.count("<li") == PAGE and samples._back.disabled
    samples._forth.click()
    assert f"{PAGE + 1:,} to" in samples._where.value and not samples._back.disabled
    samples.close()
    session.close()


# --- the charts


def test_charts_say_in_words_what_they_show(panel):
    classes = panel.flips.classes
    rows = classes_compared.rows(classes)
    assert [row["class"] for row in rows] == [each.name for each in classes]
    assert {row["way"] for row in rows} <= {"lost", "gained", "same"}
    assert "Recall of each class from original to v1" in classes_compared.summary(classes, "original", "v1")
    panel.find_steps()
    panel.wait()
    told = flips_by_step.summary(panel.stages)
    assert "1 PruneWeights broke" in told and "Checked" in told
    assert "exact zeros" in weights_compared.summary(panel.box.weights)
    for chart in (classes_compared, flips_by_step, weights_compared):
        assert chart.chart().to_dict()["config"], "themed"


def test_charts_without_anything_say_what_to_do():
    for rows in (classes_compared.rows(()), flips_by_step.rows(None), weights_compared.rows(None)):
        assert any(row["kind"] == "hint" for row in rows)
