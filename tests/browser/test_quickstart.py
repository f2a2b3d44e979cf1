"""The quickstart as a person meets it: run from top to bottom, then its sliders, Run and Stop."""

from __future__ import annotations

from pathlib import Path

import nbformat
import pytest
from harness import Notebook

pytestmark = pytest.mark.browser

QUICKSTART = Path(__file__).resolve().parents[2] / "notebooks" / "00-quickstart.ipynb"
VIEW = "document.querySelector('[data-chart=tradeoff]').view"
PREVIEW = f"() => {VIEW}.data('rows').find((row) => row.kind === 'preview')"


@pytest.fixture
def quickstart(open_notebook) -> Notebook:
    cells = nbformat.read(QUICKSTART, as_version=4).cells
    notebook = open_notebook(*(each.source for each in cells if each.cell_type == "code"), height=1300)
    notebook.run(timeout=240)
    notebook.page.locator(".wb-workbench").scroll_into_view_if_needed()
    notebook.page.wait_for_selector("[data-chart=tradeoff] canvas")
    notebook.execute("studio.wait(120)")
    return notebook


def test_quickstart_runs_and_its_studio_answers(quickstart: Notebook) -> None:
    made = quickstart.python("len(studio.versions)")
    quickstart.drag("sparsity", -40)
    quickstart.wait_for_python("studio.recipe.steps[0].sparsity < 0.9")
    quickstart.execute("studio.wait(60)")
    previewed = quickstart.python("str(studio.preview.previewed)")  # what comes before training
    quickstart.page.wait_for_function(f"(recipe) => ({PREVIEW})()?.recipe === recipe", arg=previewed)

    quickstart.execute("studio.recipe = 'PruneWeights(sparsity=0.7) | FineTune(epochs=1000)'")
    quickstart.press("Run")
    quickstart.wait_for_python("len(studio.session.runs.records) > 3", timeout=60)
    quickstart.press("Stop")
    quickstart.wait_for_python(f"len(studio.versions) == {made + 1}", timeout=120)
    quickstart.execute("studio.wait(120)")
    assert quickstart.python("studio.selected.is_stopped")
    assert quickstart.python("studio.selected.report.zeros") > 0.6
    assert quickstart.python("wb.measure(digits, runtimes=()).accuracy.value == before.accuracy.value")
