"""The front end in Notebook 7, which has no tabs beside the notebook: there the studio opens in it."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from front_end import Asked, Panel, command, sources
from harness import Lab, Notebook

pytest.importorskip("notebook", reason="Notebook 7 is not installed here; it is among the packages for tests")
pytestmark = pytest.mark.browser

# Notebook 7.6 says this on every page, with no extension at all too
NOT_OURS = "Cannot read properties of undefined (reading 'schema')"
CELL = "import workbench as wb\nwork = wb.examples.load('digits')"


@pytest.fixture(scope="module")
def seven(tmp_path_factory) -> Iterator[Lab]:
    server = Lab(tmp_path_factory.mktemp("seven"), "notebook")
    try:
        yield server.start()
    finally:
        server.stop()


def test_panel_and_studio_in_notebook_7(browser, seven):
    notebook = Notebook(browser, seven, seven.write("seven", [CELL]), height=1100)
    try:
        notebook.run()
        command(notebook, "show-panel")
        panel = Panel(notebook)
        panel.wait_for_names("model", ["work"])
        command(notebook, "open-studio")
        asked = Asked(notebook)
        asked.choose("work")
        asked.answer("Open")
        notebook.page.wait_for_selector(".wb-workbench [data-chart=tradeoff] canvas", timeout=60_000)
        assert sources(notebook)[-1] == "%load_ext workbench\n%compress work"
        notebook.press("Run")
        panel.wait_for_names("version", ["v1"], timeout=120)
        notebook.screenshot("notebook-7")
    finally:
        notebook.close()
    assert notebook.outside == []
    assert [each for each in notebook.errors if each != NOT_OURS] == []
