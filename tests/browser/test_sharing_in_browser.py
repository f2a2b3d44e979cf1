"""The panel of weight sharing in a real page: dragging changes the values, a run shows the receipt."""

from __future__ import annotations

import pytest
from harness import DARK

pytestmark = pytest.mark.browser

MAKE = """
import torch
import workbench as wb

torch.set_num_threads(1)
panel = wb.panels.Sharing(wb.examples.load("digits"), "ShareWeights(clusters=16)")
"""
VALUES = """() => document.querySelector('[data-chart=codebook]')?.view?.data('rows')
  .filter((row) => row.kind === 'value').length"""
STEPS = """() => document.querySelector('[data-chart=receipt]')?.view?.data('rows')
  .filter((row) => row.kind === 'step').length"""


def test_dragging_clusters_changes_the_values_and_a_run_shows_the_receipt(open_notebook):
    notebook = open_notebook(MAKE, "panel", height=2200)
    notebook.run()
    notebook.wait_for_python("bool(panel.values)", 90)
    notebook.page.wait_for_function(f"() => ({VALUES})() === 16")
    slider = notebook.page.locator(".wb-options .noUi-handle").first
    box = slider.bounding_box()
    middle = box["y"] + box["height"] / 2
    notebook.page.mouse.move(box["x"] + box["width"] / 2, middle)
    notebook.page.mouse.down()
    notebook.page.mouse.move(box["x"] - 30, middle, steps=4)
    notebook.page.mouse.up()
    notebook.wait_for_python("panel.recipe.steps[0].clusters < 16")
    notebook.wait_for_python("len(panel.values[0].values) == panel.recipe.steps[0].clusters")
    count = notebook.python("len(panel.values[0].values)")
    notebook.page.wait_for_function(f"(count) => ({VALUES})() === count", arg=count)
    notebook.execute("panel.run()")
    notebook.wait_for_python("panel.receipt is not None", 120)
    assert notebook.python("panel.receipt.stored_bytes == len(panel.selected.packed)")
    notebook.page.wait_for_function(f"() => ({STEPS})() >= 3")
    notebook.screenshot("sharing-panel-light")
    notebook.theme(DARK)
    notebook.screenshot("sharing-panel-dark")
