"""The quickstart as an app in Voila: no code, a studio that answers, and a file that loads again."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from harness import drag
from voila_app import served

import workbench as wb

pytest.importorskip("voila", reason="Voila is not installed here; it is among the packages for tests")
pytestmark = pytest.mark.browser

QUICKSTART = Path(__file__).resolve().parents[2] / "notebooks" / "00-quickstart.ipynb"
# Voila's own template asks for icons there; without them it shows words
NOT_OURS = ("font-awesome", "fontawesome")
VIEW = "document.querySelector('[data-chart=tradeoff]').view"
RECIPE = f"() => {VIEW}?.data('rows').find((row) => row.kind === 'preview')?.recipe"


def test_quickstart_is_an_app(browser, tmp_path):
    with served(QUICKSTART, tmp_path) as address:
        context = browser.new_context(viewport={"width": 1400, "height": 1300})
        page = context.new_page()
        outside, errors = [], []
        page.on("request", lambda asked: outside.append(asked.url))
        page.on("pageerror", lambda error: errors.append(str(error)))
        page.route(
            "**/*", lambda route: route.continue_() if "//127.0.0.1" in route.request.url else route.abort()
        )
        page.goto(address, wait_until="commit")
        page.wait_for_selector(".wb-workbench [data-chart=tradeoff] canvas", timeout=300_000)
        page.wait_for_function(f"() => Boolean(({RECIPE})())", timeout=120_000)
        assert page.locator(".wb-workbench").count() == 1
        assert page.locator(".jp-InputArea-editor:visible, .CodeMirror:visible").count() == 0
        assert page.locator(".wb-still table:visible").count() == 0

        text = page.locator(".wb-recipe textarea").first
        text.fill("PruneWeights(sparsity=0.5) | Quantize(weights=5)")
        text.blur()
        page.wait_for_function(f"() => ({RECIPE})() === 'PruneWeights(sparsity=0.5) | Quantize(weights=5)'")
        drag(page, "sparsity", 40)
        page.wait_for_function("() => !document.querySelector('.wb-recipe textarea').value.includes('=0.5)')")
        page.locator(".wb-run").click()
        page.wait_for_function(
            "() => /made in/.test(document.querySelector('.wb-status').innerText)", timeout=120_000
        )
        recipe = text.input_value()  # of where the slider has come to rest
        page.get_by_role("tab", name="Versions").click()
        page.locator(".wb-save input").fill("small.safetensors")
        page.locator(".wb-save button", has_text="Save").click()
        page.wait_for_function("() => document.querySelector('.wb-status').innerText.includes('written to')")
        page.screenshot(path=str(Path(__file__).parent.parent / "output" / "voila.png"))
        context.close()
        assert errors == []
        asked = [each for each in outside if each.startswith("http") and "//127.0.0.1" not in each]
        assert [each for each in asked if not any(name in each for name in NOT_OURS)] == []

    model = wb.examples.load("digits").model
    [path] = tmp_path.rglob("small.safetensors")
    version = wb.load(path, model)
    assert str(version.recipe) == recipe
    images, _ = wb.examples.load("digits").test.first()
    assert not torch.equal(version(images), model(images))
