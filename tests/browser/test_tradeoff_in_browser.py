"""The trade-off in JupyterLab: many are selected by mouse and keyboard, limits are typed; Python agrees."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from harness import DARK, LIGHT, Notebook, opened

pytestmark = pytest.mark.browser

LOAD = """import workbench as wb
from workbench.versions import VersionTree
work = wb.examples.load('digits')
tree = VersionTree(None, work)
for recipe in ('PruneWeights(0.5)', 'PruneWeights(0.95)', 'Quantize(weights=4)', 'Factorize(ratio=0.3)'):
    wb.compress(work, recipe, tree=tree)"""
OPEN = "panel = wb.Workbench(work, 'PruneWeights(sparsity=0.8)', tree=tree, names={})\npanel"
FIGURE = "document.querySelector('[data-chart=tradeoff]')"
VIEW = f"{FIGURE}.view"
RINGS = f"() => {VIEW}.data('rows').filter((row) => row.kind === 'ring').map((row) => row.ring).sort()"
PLACES = f"""() => {{
  const figure = {FIGURE}, {{ view }} = figure;
  figure.scrollIntoView({{ block: 'center' }});
  const box = figure.querySelector('canvas').getBoundingClientRect();
  const [left, top] = view.origin(), padding = view.padding();
  return Object.fromEntries(view.data('versions').map(({{ id, x, y }}) => [id, [
    box.x + padding.left + left + view.scale('x')(x), box.y + padding.top + top + view.scale('y')(y)]]));
}}"""


@pytest.fixture(scope="module")
def page_of_studio(browser, lab) -> Iterator[Notebook]:
    with opened(browser, lab, "tradeoff", [LOAD, OPEN], height=1300) as notebook:
        notebook.run()
        notebook.execute("panel.wait(120)")
        notebook.page.wait_for_function(f"() => {VIEW}?.data('versions').length === 4")
        yield notebook


@pytest.fixture
def studio(page_of_studio) -> Notebook:
    """The page that the tests share, with nothing selected and no limits, working from the original."""
    page_of_studio.execute(
        "panel.selection = None; panel.limits = None; panel.selected = None; panel.wait(60)"
    )
    page_of_studio.page.wait_for_function(f"() => !({RINGS})().length")
    return page_of_studio


def ids(studio: Notebook) -> list[str]:
    return studio.python("[each.id for each in panel.versions]")


def selected(studio: Notebook) -> list[str]:
    return studio.python("[each.name for each in panel.selection]")


def test_shift_and_a_click_select_many(studio):
    first, second, third, _ = ids(studio)
    studio.page.mouse.click(*studio.page.evaluate(PLACES)[first])
    studio.wait_for_python("panel.selected is not None")
    studio.page.keyboard.down("Shift")
    for each in (second, third):
        studio.page.mouse.click(*studio.page.evaluate(PLACES)[each])  # axes may have moved
        studio.wait_for_python(f"{each!r} in [v.id for v in panel.selection]")
    studio.page.keyboard.up("Shift")
    assert selected(studio) == ["v1", "v2", "v3"] and studio.python("panel.selected.name") == "v1"
    studio.page.wait_for_function(f"() => ({RINGS})().join() === 'head,picked,picked'")


def test_rectangle_selects_and_python_takes_it_away(studio):
    places, versions = studio.page.evaluate(PLACES), ids(studio)
    x, y = places[versions[1]]
    studio.page.mouse.move(x - 9, y - 9)
    studio.page.mouse.down()
    studio.page.mouse.move(x + 9, y + 9, steps=4)
    studio.page.mouse.up()
    studio.wait_for_python("'v2' in [each.name for each in panel.selection]")
    studio.execute("panel.selection = ['v1']")
    studio.page.wait_for_function(f"() => !Object.keys({VIEW}.signal('box')).length")
    studio.page.wait_for_function(f"() => ({RINGS})().join() === 'picked'")
    assert selected(studio) == ["v1"]


def test_versions_are_selected_by_keyboard(studio):
    studio.execute("panel.selection = None")
    toggle = studio.page.locator(".wb-tradeoff .wb-more")
    toggle.focus()
    studio.page.keyboard.press("Enter")
    studio.page.locator(".wb-choice select").wait_for(state="visible")
    for _ in range(10):
        studio.page.keyboard.press("Tab")
        if studio.page.evaluate("() => Boolean(document.activeElement.closest('.wb-choice'))"):
            break
    for key in ("ArrowDown", "Shift+ArrowDown"):
        studio.page.keyboard.press(key)
    assert studio.wait_for_python("len(panel.selection) == 2")
    toggle.focus()
    studio.page.keyboard.press("Enter")


def test_limits_are_typed_shaded_and_named(studio):
    size = studio.page.get_by_label("size ≤")
    size.fill("30 KB")
    size.press("Enter")
    assert studio.wait_for_python("panel.limits.max_size == 30_000")
    shaded = f"() => {VIEW}.data('rows').some((row) => row.kind === 'region' && row.x2 === 30000)"
    studio.page.wait_for_function(shaded)
    best = studio.python("panel.best.name")
    assert f"highest accuracy: {best}" in studio.page.locator(".wb-limits-told").inner_text()
    size.fill("a lot")
    size.press("Enter")
    studio.page.locator(".wb-error", has_text="size at most: write it like 50 KB, got 'a lot'").wait_for()
    assert size.input_value() == "30.0 KB" and studio.python("panel.limits.max_size") == 30_000


def test_other_quantities_take_the_axes_and_keep_the_selection(studio):
    studio.execute("panel.selection = ['v1', 'v2']; panel.limits = {'max_macs': '0.3 M'}")
    across = studio.page.get_by_label("against", exact=True)
    across.select_option("MACs")
    studio.page.wait_for_function(f"() => {VIEW}.data('rows').some((row) => row.region === '≤ 300 k')")
    studio.page.wait_for_function(f"() => ({RINGS})().filter((ring) => ring === 'picked').length === 2")
    studio.page.get_by_label("up", exact=True).select_option("peak memory")
    studio.page.wait_for_function(f"() => {VIEW}.data('versions').every((row) => row.y > 1000)")
    for theme, name in ((LIGHT, "light"), (DARK, "dark")):
        studio.theme(theme)
        studio.screenshot(f"tradeoff-{name}", ".wb-charts")
    studio.theme(LIGHT)
    studio.page.get_by_label("up", exact=True).select_option("accuracy")
    across.select_option("stored size")
    studio.page.wait_for_function(f"() => {VIEW}.data('versions').every((row) => row.y <= 1)")
