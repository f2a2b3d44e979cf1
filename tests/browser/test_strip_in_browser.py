"""The truth strip and the recipe's advice in JupyterLab: chosen, measured now, taken, and nothing jumps."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from harness import DARK, LIGHT, Notebook, opened

pytestmark = pytest.mark.browser

LOAD = "import workbench as wb\nwork = wb.examples.load('digits')"
OPEN = "panel = wb.Workbench(work, 'PruneWeights(sparsity=0.5)')\npanel"
# where every line of the strip is, and how high the strip is
PLACES = """() => {
  const top = document.querySelector('.wb-strip').getBoundingClientRect();
  const lines = [...document.querySelectorAll('.wb-figures > div > div')].map((each) => {
    const box = each.getBoundingClientRect();
    return [Math.round(box.x - top.x), Math.round(box.y - top.y), Math.round(box.height)];
  });
  return { lines, height: Math.round(top.height) };
}"""


@pytest.fixture(scope="module")
def studio(browser, lab) -> Iterator[Notebook]:
    with opened(browser, lab, "strip", [LOAD, OPEN], height=1300) as notebook:
        notebook.run()
        notebook.page.wait_for_selector("[data-chart=tradeoff] canvas")
        notebook.execute("panel.wait(120)")
        yield notebook


def test_nothing_in_the_strip_jumps_from_estimate_to_measurement(studio):
    places = {}
    for name, code in {
        "baseline": "panel.recipe = ''",
        "masks": "panel.recipe = 'PruneWeights(sparsity=0.9)'",
        "channels": "panel.recipe = 'PruneChannels(ratio=0.3)'",
        "version": "panel.run()",
        "untimed": "panel.session.show(batch=16)",
    }.items():
        studio.execute(f"{code}\npanel.wait(120)")
        studio.page.wait_for_timeout(200)
        places[name] = studio.page.evaluate(PLACES)
    studio.execute("panel.session.measure_now()")
    studio.page.locator(".wb-measure", has_text="Stop").wait_for()
    places["timing"] = studio.page.evaluate(PLACES)
    studio.execute("panel.wait(60)\npanel.session.show(batch=1)")
    assert len(places["baseline"]["lines"]) == 25
    moved = {name: each for name, each in places.items() if each != places["baseline"]}
    assert moved == {}, f"not where {places['baseline']} is"


def test_measure_now_times_a_version_with_another_batch_and_keeps_it(studio):
    studio.execute("panel.recipe = 'PruneChannels(ratio=0.3)'\npanel.wait(120)")
    if not studio.python("panel.session.version is not None"):
        studio.execute("panel.run()\npanel.wait(120)")
    studio.page.get_by_label("batch").select_option("4")
    studio.wait_for_python("panel.session.chosen.batch == 4")
    button = studio.page.locator(".wb-measure")
    button.locator("text=Measure now").wait_for()
    button.click()
    studio.wait_for_python("any(each.batch == 4 for each in panel.selected.report.further)", timeout=60)
    studio.page.wait_for_function("() => document.querySelector('.wb-figures').innerText.includes('batch 4')")
    assert "as fast" in studio.page.locator(".wb-figures").inner_text()
    studio.execute("panel.session.show(batch=1)")


def test_advice_is_shown_with_what_it_costs_and_a_click_takes_it(studio):
    studio.execute("panel.recipe = 'PruneWeights(sparsity=0.8) | Factorize(ratio=0.5)'\npanel.wait(120)")
    advice = studio.page.locator(".wb-advice")
    advice.locator("text=The other way round").wait_for()
    for theme, name in ((DARK, "dark"), (LIGHT, "light")):
        studio.theme(theme)
        studio.screenshot(f"advice-{name}", ".wb-workbench")
    advice.get_by_role("button", name="Do Factorize before PruneWeights").click()
    studio.wait_for_python("str(panel.recipe).startswith('Factorize')")
    studio.execute("panel.wait(120)")
    advice.wait_for(state="hidden")


def test_stop_while_it_measures_keeps_the_version(studio):
    studio.execute("panel.recipe = 'PruneWeights(sparsity=0.61)'\npanel.wait(120)")
    made = studio.python("len(panel.versions)")
    studio.press("Run")
    studio.page.wait_for_function(
        "() => document.querySelector('.wb-status').innerText.includes('measuring')"
    )
    assert studio.page.locator(".wb-run").is_disabled()
    studio.execute("panel.run()")  # refused in words, and the run goes on
    studio.page.locator(".wb-error", has_text="a run is going on").wait_for()
    studio.page.locator(".wb-runs button", has_text="Stop").first.click()
    studio.execute("panel.wait(120)")
    assert studio.python("len(panel.versions)") == made + 1
    assert studio.python("panel.selected.report.is_stopped")
    studio.page.locator(".wb-status", has_text="measured in part").wait_for()
