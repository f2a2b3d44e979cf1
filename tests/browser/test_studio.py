"""The studio in JupyterLab: a person drags, runs, stops, picks, and Python agrees."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from harness import DARK, LIGHT, Notebook, opened

pytestmark = pytest.mark.browser

LOAD = "import workbench as wb\nwork = wb.examples.load('digits')"
OPEN = "panel = wb.Workbench(work, 'PruneWeights(sparsity=0.5)')\npanel"
START = "panel.recipe = 'PruneWeights(sparsity=0.5)'"
VIEW = "document.querySelector('[data-chart=tradeoff]').view"
PREVIEW = f"() => {VIEW}.data('rows').find((row) => row.kind === 'preview')"


@pytest.fixture(scope="module")
def page_of_studio(browser, lab) -> Iterator[Notebook]:
    with opened(browser, lab, "studio", [LOAD, OPEN], height=1300) as notebook:
        notebook.run()
        notebook.page.wait_for_selector("[data-chart=tradeoff] canvas")
        notebook.execute("panel.wait(120)")
        yield notebook


@pytest.fixture
def studio(page_of_studio) -> Notebook:
    """The page that the tests share, with one step at the start and nothing selected."""
    page_of_studio.execute(f"panel.selected = None\n{START}\npanel.wait()")
    page_of_studio.page.wait_for_function(f"() => ({PREVIEW})()?.recipe === 'PruneWeights(sparsity=0.5)'")
    return page_of_studio


def test_dragging_a_slider_changes_recipe_preview_and_chart(studio):
    before = studio.page.evaluate(PREVIEW)
    studio.drag("sparsity", 40)
    studio.wait_for_python("panel.recipe.steps[0].sparsity > 0.5")
    studio.execute("panel.wait()")
    recipe = studio.python("str(panel.recipe)")
    assert studio.python("str(panel.preview.recipe)") == recipe
    studio.page.wait_for_function(f"(recipe) => ({PREVIEW})()?.recipe === recipe", arg=recipe)
    after = studio.page.evaluate(PREVIEW)
    assert after["x"] == studio.python("panel.preview.estimated_bytes") < before["x"]
    assert studio.page.locator(".wb-code textarea").input_value() == recipe


def test_editing_the_recipe_moves_the_slider(studio):
    text = studio.page.locator(".wb-code textarea")
    text.fill("PruneWeights(sparsity=0.25) | Quantize(weights=4)")
    text.blur()
    assert studio.wait_for_python("len(panel.recipe) == 2")
    studio.page.wait_for_selector(".wb-step.wb-quantization")
    slider = studio.page.locator(".widget-hslider", has_text="sparsity")
    slider.locator(".widget-readout", has_text="0.25").wait_for()


def test_wrong_recipe_is_said_and_changes_nothing(studio):
    text = studio.page.locator(".wb-code textarea")
    text.fill("PruneWeigths(0.5)")
    text.blur()
    studio.page.wait_for_selector(".wb-error", state="visible")
    assert "did you mean 'PruneWeights'" in studio.page.locator(".wb-error").inner_text()
    assert studio.python("str(panel.recipe)") == "PruneWeights(sparsity=0.5)"
    assert text.input_value() == "PruneWeights(sparsity=0.5)"


def test_run_makes_a_solid_mark_and_selects_it(studio):
    made = studio.python("len(panel.versions)")
    studio.press("Run")
    studio.wait_for_python(f"len(panel.versions) == {made + 1}", timeout=120)
    studio.execute("panel.wait(120)")
    id_ = studio.python("panel.selected.id")
    studio.page.wait_for_function(
        f"(id) => {VIEW}.data('rows')"
        ".some((row) => row.id === id && row.kind === 'ring' && row.ring === 'head')",
        arg=id_,
    )
    assert "≈" not in studio.page.locator(".wb-figures").inner_text()
    assert studio.python("panel.selected.report.latency['pytorch'].median_ms > 0")


def test_stop_is_seen_at_once_and_keeps_what_there_is(studio):
    studio.execute("panel.recipe = 'FineTune(epochs=1000)'")
    studio.press("Run")
    studio.wait_for_python("len(panel.session.runs.records) > 3", timeout=60)
    # how fast it is seen is measured by tests/benchmarks/slider_latency.py
    studio.page.evaluate("""() => new Promise((resolve) => {
      const status = document.querySelector('.wb-status');
      const poll = () => (status.innerText.includes('stopping') ? resolve() : requestAnimationFrame(poll));
      [...document.querySelectorAll('.wb-runs button')].find((b) => b.innerText.includes('Stop')).click();
      poll();
    })""")
    studio.execute("panel.wait(120)")
    assert studio.python("panel.selected.is_stopped")
    assert "stopped before the recipe's end" in studio.page.locator(".wb-status").inner_text()


def test_training_curve_is_drawn(studio):
    studio.execute("panel.recipe = 'FineTune(epochs=2)'\npanel.run()\npanel.wait(120)")
    studio.page.get_by_role("tab", name="Training").click()
    curve = "document.querySelector('[data-chart=training]')?.view"
    studio.page.wait_for_function(
        f"() => {curve}?.data('rows').filter((row) => row.kind === 'loss').length > 10"
    )
    studio.page.wait_for_function(
        "() => document.querySelector('[data-chart=validation]')?.view?.data('rows')"
        "?.some((row) => row.kind === 'epoch' && row.epoch === 2)"
    )
    studio.page.get_by_role("tab", name="Layers").click()


def test_undo_button_brings_the_slider_back(studio):
    studio.drag("sparsity", 30)
    studio.wait_for_python("panel.recipe.steps[0].sparsity > 0.5")
    studio.press("undo")
    assert studio.wait_for_python("str(panel.recipe) == 'PruneWeights(sparsity=0.5)'")


def test_clicking_a_version_in_the_chart_selects_it(studio):
    studio.execute("panel.recipe = 'PruneWeights(sparsity=0.9)'\npanel.run()\npanel.wait(120)")
    id_ = studio.python("panel.selected.id")
    studio.execute(f"panel.selected = None\n{START}\npanel.wait()")
    place = studio.page.evaluate(
        """(id) => {
          const figure = document.querySelector('[data-chart=tradeoff]'), { view } = figure;
          figure.scrollIntoView({ block: 'center' });
          const { x, y } = view.data('versions').find((row) => row.id === id);
          const box = figure.querySelector('canvas').getBoundingClientRect();
          const [left, top] = view.origin(), padding = view.padding();
          return [box.x + padding.left + left + view.scale('x')(x),
                  box.y + padding.top + top + view.scale('y')(y)];
        }""",
        id_,
    )
    studio.page.mouse.click(*place)
    assert studio.wait_for_python(f"panel.selected is not None and panel.selected.id == {id_!r}")
    assert studio.python("str(panel.recipe)") == "PruneWeights(sparsity=0.9)"


def test_both_themes_and_a_narrow_page(studio):
    studio.execute("panel.recipe = 'PruneWeights(sparsity=0.8) | Quantize(weights=6)'\npanel.wait()")
    fits = """() => {
      const root = document.querySelector('.wb-workbench');
      const fits = (each) => each.clientWidth <= each.parentElement.clientWidth;
      return root.scrollWidth <= root.clientWidth + 1 && [...root.querySelectorAll('canvas')].every(fits);
    }"""
    for theme, name in ((LIGHT, "light"), (DARK, "dark")):
        studio.theme(theme)
        studio.screenshot(f"studio-{name}", ".wb-workbench")
    studio.theme(LIGHT)
    studio.page.set_viewport_size({"width": 1132, "height": 1300})  # 700 px for the panel
    studio.page.wait_for_function(fits)
    studio.page.wait_for_timeout(300)
    width = studio.page.evaluate("() => document.querySelector('.wb-workbench').clientWidth")
    assert 680 <= width <= 720
    studio.screenshot("studio-narrow", ".wb-workbench")
    studio.page.set_viewport_size({"width": 1400, "height": 1300})


def test_every_control_has_a_label_and_can_be_reached_by_keyboard(studio):
    unnamed = studio.page.evaluate("""() => [...document.querySelectorAll(
        '.wb-workbench input, .wb-workbench select, .wb-workbench textarea, .wb-workbench button')]
      .filter((each) => each.offsetParent && each.type !== 'hidden')
      .filter((each) => !(each.labels?.[0]?.innerText.trim() || each.innerText.trim() || each.title
                          || each.getAttribute('aria-label') || each.closest('[title]')))
      .map((each) => each.outerHTML.slice(0, 120))""")
    assert unnamed == []
    studio.page.locator(".widget-hslider .noUi-handle").first.focus()
    studio.page.keyboard.press("ArrowRight")
    assert studio.wait_for_python("panel.recipe.steps[0].sparsity > 0.5")


def test_running_the_cell_again_leaves_no_widgets_behind(studio):
    counts = []
    for _ in range(3):
        studio.page.evaluate("() => window.jupyterapp.commands.execute('notebook:run-all-cells')")
        studio.page.wait_for_timeout(300)
        studio.page.wait_for_function(
            "() => window.jupyterapp.shell.currentWidget.sessionContext.session.kernel.status === 'idle'"
        )
        studio.execute("panel.wait(120)")
        counts.append(studio.python("len(__import__('ipywidgets').widget._instances)"))
    assert counts[0] == counts[1] == counts[2]
    assert studio.page.locator(".wb-workbench").count() == 1


def test_a_page_that_loads_again_shows_the_studio(studio):
    studio.save()
    studio.reload()
    studio.page.wait_for_selector("[data-chart=tradeoff] canvas")
    studio.drag("sparsity", 30)
    assert studio.wait_for_python("panel.recipe.steps[0].sparsity > 0.5")
