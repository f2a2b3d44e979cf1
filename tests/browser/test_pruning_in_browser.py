"""The panel of pruning in a real page: scan, stop, click a layer, ask why it is locked."""

from __future__ import annotations

import pytest
from harness import DARK, LIGHT

pytestmark = pytest.mark.browser

MAKE = """
import time
import torch
import workbench as wb

torch.set_num_threads(1)
pause = [0.0]  # seconds a batch takes more: long enough to press Stop


def call(net, inputs):
    time.sleep(pause[0])
    return net(inputs)


digits = wb.examples.load("digits")
work = wb.Workload(digits.model, digits.train, digits.validation, digits.test, forward=call, name="digits")
panel = wb.panels.Pruning(work, "PruneWeights(sparsity=0.8)")
"""
POINTS = """() => document.querySelector('[data-chart=sensitivity]')?.view?.data('rows')
  .filter((row) => row.kind === 'point').length"""


def test_scan_stop_click_and_why_locked(open_notebook):
    notebook = open_notebook(MAKE, "panel", height=2600)
    notebook.run()
    notebook.wait_for_python("panel.preview is not None and panel.preview.is_final", 90)
    notebook.execute("pause[0] = 0.3")
    notebook.press("Scan layers")
    notebook.wait_for_python("panel.scan is not None and len(panel.scan) >= 2", 60)
    notebook.press("Stop scan")
    notebook.wait_for_python("not panel.sensitivity.scans.is_running", 30)
    stopped = notebook.python("len(panel.scan)")
    assert 2 <= stopped < 12 and notebook.python("panel.scan.is_partial")
    notebook.page.wait_for_function(f"(count) => ({POINTS})() === count", arg=stopped)
    notebook.screenshot("pruning-panel-stopped")
    notebook.execute("pause[0] = 0.0")
    notebook.press("Scan layers")
    notebook.wait_for_python("panel.scan is not None and len(panel.scan) == 12", 60)
    notebook.page.wait_for_function(f"() => ({POINTS})() === 12")
    _click_row(notebook, "fc2")
    notebook.wait_for_python("panel.sensitivity.layer == 'fc2'")
    notebook.page.get_by_text("in fc2 alone").wait_for()
    notebook.press("Why locked?")
    notebook.wait_for_python("len(panel.locks) == 4", 60)
    chooser = notebook.page.locator(".wb-locks select")
    chooser.focus()
    chooser.press("End")  # with the keyboard alone
    notebook.page.locator(".wb-locks").get_by_text("fc2 is locked").wait_for()
    assert notebook.python("panel.error") == ""
    notebook.screenshot("pruning-panel-light")
    notebook.execute("panel.recipe = 'PruneChannels(ratio=0.5)'")
    notebook.wait_for_python("len(panel._views[-3].strips) == 4", 60)
    notebook.page.wait_for_function("() => document.querySelector('[data-chart=channels]')?.view")
    notebook.theme(DARK)
    notebook.screenshot("pruning-panel-dark")


def test_the_panel_alone(open_notebook):
    notebook = open_notebook(
        "import torch, workbench as wb\ntorch.set_num_threads(1)\nwork = wb.examples.load('digits')",
        "panel = wb.panels.Sensitivity(work, 'Quantize')\npanel",
        height=1200,
    )
    notebook.run()
    notebook.theme(LIGHT)
    notebook.press("Scan layers")
    notebook.wait_for_python("panel.scan is not None and not panel.is_running", 60)
    notebook.page.wait_for_function(
        f"(count) => ({POINTS})() === count", arg=notebook.python("len(panel.scan)")
    )
    notebook.screenshot("sensitivity-panel-light")


def _click_row(notebook, layer: str) -> None:
    """Click on a layer's row in the chart, to the left of its points."""
    place = notebook.page.evaluate(
        """(layer) => {
          const holder = document.querySelector('[data-chart=sensitivity]')
          const scale = holder.view.scale('y'), origin = holder.view.origin()
          const canvas = holder.querySelector('canvas, svg').getBoundingClientRect()
          return [canvas.x + origin[0] + 40, canvas.y + origin[1] + scale(layer) + scale.bandwidth() / 2]
        }""",
        layer,
    )
    notebook.page.mouse.click(*place)
