"""The panel of distillation in a real page: the temperature moves the bars, a run draws the terms."""

from __future__ import annotations

import pytest
from harness import DARK

pytestmark = pytest.mark.browser

MAKE = """
import torch
import workbench as wb

torch.set_num_threads(1)
panel = wb.panels.Distillation(wb.examples.load("digits"), "Distill(temperature=4, epochs=3)")
"""
HIGHEST = """() => {
  const view = document.querySelector('[data-chart="soft targets"]')?.view;
  return Math.max(...(view?.data('rows') ?? []).map((row) => row.share));
}"""
TERMS = """() => new Set((document.querySelector('[data-chart=terms]')?.view?.data('rows') ?? [])
  .filter((row) => row.kind === 'term').map((row) => row.term)).size"""


def test_the_temperature_moves_the_bars_and_a_run_draws_the_terms(open_notebook):
    notebook = open_notebook(MAKE, "panel", height=2400)
    notebook.run()
    notebook.wait_for_python("panel.lesson is not None and panel.lesson.softened is not None", 90)
    notebook.page.wait_for_function(f"() => ({HIGHEST})() > 0")
    before = notebook.page.evaluate(HIGHEST)
    slider = notebook.page.get_by_role("slider").first
    slider.focus()
    for _ in range(6):  # by ratios
        notebook.page.keyboard.press("ArrowRight")
    notebook.wait_for_python("panel.recipe.steps[0].temperature > 4")
    notebook.page.wait_for_function(f"(before) => ({HIGHEST})() < before - 0.01", arg=before)
    notebook.python("panel.__setattr__('recipe', \"Distill(student='half-width', epochs=3)\")")
    notebook.wait_for_python("panel.lesson.student < panel.lesson.teacher")
    notebook.screenshot("distillation-panel-before")
    notebook.press("Run")
    notebook.wait_for_python("len(panel.versions) == 1", 120)
    notebook.page.wait_for_function(f"() => ({TERMS})() === 2")
    assert notebook.python("panel.error == ''")
    notebook.screenshot("distillation-panel-light")
    notebook.theme(DARK)
    notebook.screenshot("distillation-panel-dark")
