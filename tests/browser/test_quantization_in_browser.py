"""The panel of quantization in a real page: dragging moves the lines, keys reach the choice of bits."""

from __future__ import annotations

import pytest
from harness import DARK

pytestmark = pytest.mark.browser

MAKE = """
import torch
import workbench as wb

torch.set_num_threads(1)
panel = wb.panels.Quantization(wb.examples.load("digits"), "Quantize(weights=4, activations=8)")
"""
LINES = """() => document.querySelector('[data-chart=grid]')?.view?.data('rows')
  .filter((row) => row.kind === 'line').length"""


def test_dragging_the_bits_moves_the_lines_and_keys_choose_bits_per_layer(open_notebook):
    notebook = open_notebook(MAKE, "panel", height=2600)
    notebook.run()
    notebook.wait_for_python("bool(panel.ranges)", 90)
    notebook.page.wait_for_function(f"() => ({LINES})() === 15")
    slider = notebook.page.locator(".wb-options .noUi-handle").first
    box = slider.bounding_box()
    middle = box["y"] + box["height"] / 2
    notebook.page.mouse.move(box["x"] + box["width"] / 2, middle)
    notebook.page.mouse.down()
    notebook.page.mouse.move(box["x"] - 12, middle, steps=4)
    notebook.page.mouse.up()
    notebook.wait_for_python("panel.recipe.steps[0].weights < 4")
    notebook.wait_for_python("len(panel.weights.lines) == 2 ** panel.recipe.steps[0].weights - 1")
    count = notebook.python("len(panel.weights.lines)")
    notebook.page.wait_for_function(f"(count) => ({LINES})() === count", arg=count)
    notebook.screenshot("quantization-panel-light")
    target = notebook.page.locator(".wb-mixed input")
    target.focus()
    target.fill("2 points")
    notebook.page.keyboard.press("Tab")
    notebook.page.keyboard.press("Enter")  # the button beside it
    notebook.wait_for_python("panel.mixed.mixed is not None", 120)
    assert notebook.python("panel.recipe.steps[0] == panel.mixed.mixed.step")
    assert notebook.python("panel.mixed.mixed.drop <= 0.02")
    notebook.theme(DARK)
    notebook.screenshot("quantization-panel-dark")
