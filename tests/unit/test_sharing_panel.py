"""The panel of weight sharing: the slider moves the values, and a version comes with its receipt."""

from __future__ import annotations

from collections.abc import Iterator

import ipywidgets
import pytest
from small import workload

import workbench as wb
from workbench.charts import codebook as chart
from workbench.charts.codebook import Values
from workbench.options import option_named
from workbench.panels import Sharing
from workbench.panels.parts.controls import Control
from workbench.versions import VersionTree


@pytest.fixture(scope="module")  # it measures the baseline once; every test sets its own recipe
def panel() -> Iterator[Sharing]:
    work = workload()
    made = Sharing(work, tree=VersionTree(None, work))
    made.wait()
    yield made
    made.close()


def test_it_begins_with_its_own_technique_and_shows_every_list(panel: Sharing):
    assert str(panel.recipe) == "ShareWeights(clusters=16)"
    assert [each.name for each in panel.values] == ["0.weight", "2.weight"]
    assert all(len(each.values) <= 16 for each in panel.values)
    assert sum(panel.values[0].uses) == 48


def test_the_slider_moves_the_values(panel: Sharing):
    panel.recipe = "ShareWeights(clusters=3)"
    panel.wait()
    assert [len(each.values) for each in panel.values] == [3, 3]
    assert sum(row["kind"] == "value" for row in panel.codebook.board.shown("codebook")) == 3
    assert all(sum(each.density) == sum(each.uses) for each in panel.values)
    assert panel.receipt is None, "a preview is not stored, so it has no receipt"


def test_the_slider_of_clusters_moves_by_ratios():
    option = option_named(wb.ShareWeights, "clusters")
    told = []
    control = Control(option, 16, told.append)
    assert isinstance(control.widget, ipywidgets.FloatLogSlider)
    control.widget.value = 2**4.5
    assert told == [23]


def test_one_list_for_the_model_is_one(panel: Sharing):
    panel.recipe = "ShareWeights(clusters=3, scope='model')"
    panel.wait()
    (values,) = panel.values
    assert values.name == "0.weight and 1 more"


def test_without_sharing_it_says_what_to_add(panel: Sharing):
    panel.recipe = "PruneWeights(sparsity=0.5)"
    panel.wait()
    assert panel.values == ()
    assert panel.error == ""


def test_a_version_comes_with_its_receipt(panel: Sharing):
    panel.recipe = "PruneWeights(sparsity=0.5) | ShareWeights(clusters=4) | FineTune(epochs=1)"
    panel.run()
    panel.wait()
    version = panel.selected
    assert panel.receipt is not None
    assert panel.receipt.stored_bytes == len(version.packed)
    assert panel.codebook.board.shown("receipt")[-1]["high"] == len(version.packed)
    assert [len(each.values) for each in panel.values] == [4, 4]
    panel.recipe = "ShareWeights(clusters=4)"
    panel.wait()
    assert panel.receipt is None


def test_the_picture_of_values():
    values = Values("fc1.weight", [-0.5, 0.25], [30, 10], [1.0, 3.0, 2.0, 1.0], -1.0, 1.0)
    rows = chart.rows(values)
    assert [row["height"] for row in rows if row["kind"] == "value"] == [1, pytest.approx(1 / 3)]
    bins = [row for row in rows if row["kind"] == "bin"]
    assert (bins[0]["from"], bins[-1]["to"]) == (-1.0, 1.0)
    assert "40 weights of fc1.weight share 2 values" in chart.summary(values)
    assert chart.rows(None)[0]["kind"] == "hint"
    assert chart.chart().to_dict()["layer"]


def test_it_is_a_public_panel():
    assert wb.panels.Sharing is Sharing
