"""Take the README's pictures of the real studio: `python tests/browser/pictures.py` writes docs/*.png."""

from __future__ import annotations

import shutil
import sys
import tempfile
from pathlib import Path

from playwright.sync_api import sync_playwright

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))
import surroundings
from harness import DARK, Lab, Notebook, open_browser

DOCS = Path(__file__).resolve().parents[2] / "docs"
RECIPES = (
    "PruneWeights(0.8)",
    "Quantize(4)",
    "PruneWeights(0.6) | FineTune(10)",
    "PruneWeights(0.9) | FineTune(20) | Quantize(5)",
)
CELLS = (
    "import workbench as wb\nwork = wb.examples.load('digits')",
    f"for recipe in {RECIPES!r}:\n    wb.compress(work, recipe)",
    "panel = wb.Workbench(work, 'PruneWeights(sparsity=0.85) | Quantize(weights=4)')\npanel",
)


def main() -> None:
    scratch = Path(tempfile.mkdtemp(prefix="workbench-pictures-"))
    surroundings.enter(scratch)
    DOCS.mkdir(exist_ok=True)
    lab = Lab(scratch)
    try:
        lab.start()
        with sync_playwright() as playwright, open_browser(playwright) as browser:
            notebook = Notebook(browser, lab, lab.write("picture", CELLS), width=1300, height=1400)
            notebook.run()
            notebook.wait_for_python("panel.session.estimates.known.latency is not None", timeout=60)
            notebook.page.wait_for_timeout(2000)
            take(notebook, "studio-light")
            notebook.theme(DARK)
            notebook.page.wait_for_timeout(1500)
            take(notebook, "studio-dark")
            notebook.close()
    finally:
        lab.stop()
        shutil.rmtree(scratch, ignore_errors=True)


def take(notebook: Notebook, name: str) -> None:
    """One picture of the panel alone."""
    notebook.page.locator(".wb-workbench").first.screenshot(path=str(DOCS / f"{name}.png"))


if __name__ == "__main__":
    main()
