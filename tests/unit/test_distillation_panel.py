"""The panel of distillation: who teaches whom is shown before anything runs, the terms while it does."""

from __future__ import annotations

from collections.abc import Iterator

import ipywidgets
import pytest
from small import workload

from workbench.charts import soft_targets, terms
from workbench.errors import WorkbenchError
from workbench.options import option_named
from workbench.panels import Distillation
from workbench.panels.parts.controls import Control
from workbench.panels.views.knowledge_box import KnowledgeBox
from workbench.techniques.distill import Distill
from workbench.versions import VersionTree


@pytest.fixture(scope="module")  # it measures the baseline once; every test sets its own recipe
def panel() -> Iterator[Distillation]:
    work = workload()
    made = Distillation(work, tree=VersionTree(None, work))
    made.wait()
    yield made
    made.close()


def test_it_begins_with_the_model_as_its_own_student(panel: Distillation):
    panel.recipe = "Distill()"
    panel.wait()
    assert panel.lesson.student == panel.lesson.teacher
    assert panel.lesson.weights == {"soft_targets": 1.0, "labels": 0.1}
    assert panel.lesson.pairs == ()


def test_the_temperature_evens_the_classes_out(panel: Distillation):
    shown = []
    for temperature in (1, 4, 20):
        panel.recipe = f"Distill(temperature={temperature})"
        panel.wait()
        shown.append(panel.lesson.softened)
    assert shown[0].soft == shown[0].plain == shown[2].plain
    highest = [max(each.soft) for each in shown]
    assert highest == sorted(highest, reverse=True)
    rows = panel.view(KnowledgeBox).board.shown("soft targets")
    assert [row["share"] for row in rows] == pytest.approx(list(shown[2].soft))


def test_a_smaller_student_is_shown_before_it_is_trained(panel: Distillation):
    panel.recipe = "Distill(student='half-width', loss='features')"
    panel.wait()
    assert panel.lesson.student < panel.lesson.teacher
    assert panel.preview.is_new_net and panel.preview.accuracy is None
    (pair,) = panel.lesson.pairs
    assert pair.student.channels < pair.teacher.channels
    assert panel.lesson.softened is None, "features are taught, not classes"
    assert "learned adaptor" in panel.view(KnowledgeBox).widget.children[-1].value


def test_a_run_draws_each_term(panel: Distillation):
    panel.recipe = "Distill(student='half-width', weights={'features': 0.5}, epochs=1)"
    panel.run()
    panel.wait()
    assert panel.error == ""
    drawn = panel.view(KnowledgeBox).board.shown("terms")
    assert {row["term"] for row in drawn if row["kind"] == "end"} == {"soft targets", "features", "labels"}


def test_what_cannot_be_taught_is_said_and_what_was_shown_stays(panel: Distillation):
    panel.recipe = "Distill()"
    panel.wait()
    before = panel.lesson
    panel.recipe = "Distill(loss='features', layers=('nowhere:2',))"
    panel.wait()
    assert panel.lesson == before


def test_a_recipe_without_distillation_says_what_to_add(panel: Distillation):
    panel.recipe = "Quantize(weights=8)"
    panel.wait()
    assert panel.lesson is None
    assert "Distill" in panel.view(KnowledgeBox).widget.children[0].value


def test_the_slider_of_temperatures_moves_by_ratios_in_halves():
    told = []
    control = Control(option_named(Distill, "temperature"), 4.0, told.append)
    slider = control.widget
    assert isinstance(slider, ipywidgets.FloatLogSlider)
    assert (10**slider.min, 10**slider.max) == pytest.approx((0.5, 100))
    slider.value = 10**0.85
    slider.value = 10**-0.301
    assert told == [7.0, 0.5]


def test_the_slider_stands_at_what_it_means():
    control = Control(option_named(Distill, "temperature"), 4.0, lambda value: None)
    control.widget.value = 10**-0.2  # 0.63
    assert control.widget.value == 0.5 and control.widget.readout_format == ".1f"


def test_a_closed_panel_says_so_instead_of_its_lesson():
    work = workload()
    closed = Distillation(work, tree=VersionTree(None, work))
    closed.close()
    with pytest.raises(WorkbenchError, match="the panel is closed; run its cell again"):
        _ = closed.lesson
    assert not hasattr(closed, "session")


def test_softened_is_softmax_of_the_logits_over_the_temperature():
    made = soft_targets.softened([0.0, 2.0], 2.0, ("a", "b"), 1)
    assert made.soft == pytest.approx((1 / (1 + 2.718281828), 2.718281828 / (1 + 2.718281828)))
    assert made.right == "b"
    assert "b 73.1 %" in soft_targets.summary(made)


def test_terms_are_found_in_records_and_never_below_what_a_logarithm_takes():
    records = [{"epoch": n / 10, "loss": 1.0, "labels": 0.0, "validation_n": 5} for n in range(1, 300)]
    assert terms.names(records) == ["labels"]
    drawn = terms.rows(records)
    assert len(drawn) <= 123 and all(row["value"] > 0 for row in drawn)
    assert drawn[0]["epoch"] == 0.1 and drawn[-1]["kind"] == "end"
    assert "labels" in terms.summary(records)
