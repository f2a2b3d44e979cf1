"""The panel of factorization in a real page: dragging the rank moves the line in the spectrum."""

from __future__ import annotations

import pytest
from harness import DARK

pytestmark = pytest.mark.browser

MAKE = """
import torch
import workbench as wb

torch.set_num_threads(1)
panel = wb.panels.Factorization(wb.examples.load("digits"), "Factorize(ratio=0.25, method='svd')")
"""
LINE = """() => document.querySelector('[data-chart=spectrum]')?.view?.data('rows')
  .find((row) => row.line === 'rank')?.rank"""


def test_dragging_the_rank_moves_the_line(open_notebook):
    notebook = open_notebook(MAKE, "panel", height=1900)
    notebook.run()
    notebook.wait_for_python("bool(panel.spectra) and panel.spectra[0].slower_above is not None", 90)
    notebook.page.wait_for_function(f"() => ({LINE})() === 16")
    notebook.screenshot("factorization-panel-light")
    slider = notebook.page.locator(".wb-options .noUi-handle").first
    box = slider.bounding_box()
    notebook.page.mouse.move(box["x"] + box["width"] / 2, box["y"] + box["height"] / 2)
    notebook.page.mouse.down()
    notebook.page.mouse.move(box["x"] + 40, box["y"] + box["height"] / 2, steps=4)
    notebook.page.mouse.up()
    notebook.wait_for_python("panel.recipe.steps[0].ratio > 0.3")
    rank = notebook.wait_for_python("next(each.rank for each in panel.spectra if each.name == 'fc1')")
    assert rank > 16
    notebook.page.wait_for_function(
        "(rank) => document.querySelector('[data-chart=spectrum]').view.data('rows')"
        ".some((row) => row.line === 'rank' && row.rank === rank)",
        arg=notebook.python("next(each.rank for each in panel.spectra if each.name == 'fc1')"),
    )
    notebook.theme(DARK)
    notebook.screenshot("factorization-panel-dark")
