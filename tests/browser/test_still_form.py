"""The still form: hidden where the panel lives, and what a saved notebook shows where it does not."""

from __future__ import annotations

import shutil

import nbformat
import pytest
from accessibility import serious
from harness import Notebook

pytestmark = pytest.mark.browser

LOAD = "import workbench as wb\nwork = wb.examples.load('digits')\nwb.compress(work, 'Quantize(weights=4)');"
OPEN = "panel = wb.Workbench(work, 'PruneWeights(sparsity=0.7)')\npanel"
STORED = """() => window.jupyterapp.shell.currentWidget.content.widgets.at(-1).model.outputs.toJSON()
  .map(({ data }) => data['text/html'] ?? '').join('')"""
# once the widget manager has given up, the page says of a widget without a kernel that there is none
LOST = "Could not create a view for"


def test_saved_notebook_shows_tables_and_pictures_and_a_living_one_does_not(browser, lab, open_notebook):
    notebook = open_notebook(LOAD, OPEN, height=1400)
    notebook.run()
    notebook.page.wait_for_selector("[data-chart=tradeoff] canvas")
    notebook.page.wait_for_function(
        f"() => (({STORED})().match(/data:image/g) ?? []).length === 2", timeout=120_000
    )
    still = notebook.page.locator(".wb-still table").first
    assert still.count() == 1 and not still.is_visible()
    heights = notebook.page.evaluate(
        "() => document.querySelector('.wb-still').getBoundingClientRect().height"
    )
    assert heights == 0

    notebook.execute("panel.recipe = 'PruneWeights(sparsity=0.9)'")
    notebook.page.wait_for_function(f"() => ({STORED})().includes('sparsity=0.9')", timeout=120_000)
    notebook.save()
    path = lab.notebooks / notebook._file
    notebook.page.wait_for_function("() => !window.jupyterapp.shell.currentWidget.context.model.dirty")
    cell = nbformat.read(path, as_version=4).cells[-1]
    assert len(str(cell.outputs)) < 70_000

    shutil.copy(path, lab.notebooks / "read-later.ipynb")
    reader = Notebook(browser, lab, "read-later.ipynb", height=1400)
    try:
        reader.page.wait_for_selector(".wb-still table", state="visible")
        assert reader.page.locator(".wb-still img").count() == 2
        assert "sparsity=0.9" in reader.page.locator(".wb-still").inner_text()
        reader.page.locator(".wb-still").scroll_into_view_if_needed()
        reader.screenshot("still-form", ".wb-still")
        assert serious(reader.page, ".wb-still") == []
    finally:
        reader.close()


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_report_reads_in_both_schemes(browser, open_notebook, lab, scheme):
    notebook = open_notebook(LOAD, OPEN)
    notebook.run()
    notebook.execute("panel.run()\npanel.wait(120)\npath = panel.report('report.html')")
    context = browser.new_context(color_scheme=scheme, viewport={"width": 1200, "height": 1600})
    try:
        page = context.new_page()
        asked = []
        page.on("request", lambda request: asked.append(request.url))
        page.goto((lab.notebooks / "report.html").as_uri())
        widths = page.evaluate("() => [...document.images].map((each) => each.naturalWidth)")
        assert len(widths) == 2 and min(widths) > 0
        assert [each for each in asked if not each.startswith(("file:", "data:"))] == []
        assert serious(page, "body") == []
        assert page.locator("tbody th", has_text="v2").count() >= 1
        page.screenshot(path=str(notebook.screenshot(f"report-{scheme}")), full_page=True)
        page.set_viewport_size({"width": 420, "height": 900})
        assert page.evaluate("() => document.documentElement.scrollWidth <= innerWidth")
    finally:
        context.close()
