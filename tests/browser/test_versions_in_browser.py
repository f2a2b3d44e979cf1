"""Versions, compared, and the digits that flipped: a person does it in JupyterLab, and Python agrees."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from harness import DARK, LIGHT, Notebook, opened

pytestmark = pytest.mark.browser

MAKE = """import workbench as wb
work = wb.examples.load('digits')
tree = wb.tree_for(work)
first = wb.compress(work, 'PruneWeights(sparsity=0.95)')
wb.compress(work, 'FineTune(epochs=1)', parent=first)
wb.compress(work, 'PruneWeights(sparsity=0.93) | FineTune(epochs=1) | Quantize(weights=3)', seed=3)"""
OPEN = "panel = wb.Workbench(work)\npanel"
ROW = ".wb-vt tbody tr[data-id]"
NAMES = f"() => [...document.querySelectorAll('{ROW} .wb-vt-name .wb-vt-text')].map((each) => each.innerText)"
MANY = """import secrets
for _ in range(1000 - len(tree)):
    version = first.changed(id=secrets.token_hex(6), parent=None, made_from=None, name='')
    tree._history = tree._history.added(version.changed(name=f'w{len(tree)}'))
tree.select('w500')"""


@pytest.fixture(scope="module")
def page_of_versions(browser, lab) -> Iterator[Notebook]:
    with opened(browser, lab, "versions", [MAKE, OPEN], height=2400) as notebook:
        notebook.run(240)
        notebook.page.wait_for_selector("[data-chart=tradeoff] canvas")
        notebook.execute("panel.wait(120)")
        yield notebook


@pytest.fixture
def studio(page_of_versions) -> Notebook:
    tab(page_of_versions, "Versions")
    return page_of_versions


def tab(studio: Notebook, name: str) -> None:
    studio.page.locator(f".wb-workbench .lm-TabBar-tab:has-text('{name}')").click()


def row(studio: Notebook, name: str):
    return studio.page.locator(ROW, has=studio.page.locator(f".wb-vt-text:text-is('{name}')"))


def focus(studio: Notebook, name: str) -> None:
    """Put the keyboard on a row, as Tab and the arrows do."""
    row(studio, name).focus()


def test_the_tree_is_indented_and_walked_by_keyboard(studio):
    studio.page.wait_for_selector(ROW)
    assert studio.page.evaluate(NAMES) == ["original", "v3", "v1", "v2"]
    assert row(studio, "v2").get_attribute("aria-level") == "2"
    focus(studio, "original")
    studio.page.keyboard.press("ArrowDown")
    studio.page.keyboard.press("ArrowDown")
    studio.page.keyboard.press("Enter")
    assert studio.wait_for_python("panel.selected is not None and panel.selected.name == 'v1'")
    studio.page.wait_for_selector(f"{ROW}[aria-selected=true] >> text=v1")


def test_a_version_is_named_noted_and_pinned(studio):
    focus(studio, "v3")
    studio.page.keyboard.press("F2")
    studio.page.keyboard.type("three bits")
    studio.page.keyboard.press("Enter")
    assert studio.wait_for_python("'three bits' in tree")
    row(studio, "three bits").wait_for()
    studio.page.keyboard.press("n")
    studio.page.keyboard.type("for the phone")
    studio.page.keyboard.press("Enter")
    assert studio.wait_for_python("tree.get('three bits').note == 'for the phone'")
    studio.page.keyboard.press("p")
    assert studio.wait_for_python("tree.get('three bits').is_pinned")
    row(studio, "three bits").locator("[aria-pressed=true]").wait_for()


def test_a_name_that_is_taken_is_said_and_the_old_one_stays(studio):
    row(studio, "v2").locator("[data-field=name]").dblclick()
    studio.page.locator(".wb-vt-input").fill("v1")
    studio.page.keyboard.press("Enter")
    studio.page.wait_for_selector(".wb-error >> text=there is already a version 'v1'")
    row(studio, "v2").wait_for()
    assert studio.python("sorted(each.name for each in tree.versions)") == ["three bits", "v1", "v2"]
    focus(studio, "v2")
    studio.page.keyboard.press("F2")
    studio.page.keyboard.type("nobody")
    studio.page.keyboard.press("Escape")
    row(studio, "v2").wait_for()
    assert studio.python("'nobody' not in tree")


def test_columns_sort_and_give_the_tree_back(studio):
    stored = "sorted(tree.versions, key=lambda each: each.packed_bytes)"
    by_size = studio.python(f"[each.name for each in {stored}]")
    head = studio.page.locator("[data-sort=stored]")
    head.click()
    assert studio.page.evaluate(NAMES) == ["original", *by_size]
    assert studio.page.locator("th[aria-sort=ascending]").count() == 1
    head.click()
    assert studio.page.evaluate(NAMES) == ["original", *reversed(by_size)]
    head.click()
    assert studio.page.evaluate(NAMES) == ["original", "three bits", "v1", "v2"]


def test_two_that_are_marked_are_compared(studio):
    row(studio, "v1").locator("[data-do=mark]").check()
    focus(studio, "three bits")
    studio.page.keyboard.press(" ")
    studio.page.wait_for_timeout(200)
    studio.press("Compare")
    studio.page.locator(".wb-compare .wb-pairs").first.wait_for()
    names = "[each.name if each else None for each in panel.session.comparisons.pair]"
    assert studio.python(names) == ["v1", "three bits"]
    known = "(c := panel.session.comparisons.comparison) is not None and c.is_final"
    studio.wait_for_python(known, 60)
    sentence = studio.python("panel.session.comparisons.comparison.sentence")
    studio.page.wait_for_function(
        "(told) => document.querySelector('.wb-compare').innerText.includes(told)", arg=sentence
    )
    table = studio.page.locator(".wb-compare .wb-pairs").first.inner_text()
    assert "stored size" in table and "exact" in table
    recipe = studio.page.locator(".wb-compare .wb-steps").inner_text()
    assert "PruneWeights: sparsity 0.95 → 0.93" in recipe and "+ Quantize(weights=3)" in recipe
    studio.page.wait_for_selector("[data-chart='weights compared'] canvas")


def test_the_digits_that_flipped_are_found_with_the_step(studio):
    studio.execute("panel.session.comparisons.choose(None, 'three bits')")
    tab(studio, "Samples")
    studio.wait_for_python("panel.session.comparisons.flips is not None", 60)
    count = studio.python("len(panel.session.comparisons.flips.flips)")
    assert count > 0
    cards = studio.page.locator(".wb-flip")
    studio.page.wait_for_function(
        "(n) => document.querySelectorAll('.wb-flip img').length === n", arg=min(count, 48)
    )
    surest = studio.python("(f := panel.session.comparisons.flips.flips[0]) and f'{f.before} → {f.after}'")
    assert surest in cards.first.inner_text()
    width = studio.page.evaluate("() => document.querySelector('.wb-flip img').naturalWidth")
    assert width == 8, "the digits are 8 by 8"
    studio.page.get_by_label("show", exact=True).select_option(index=1)
    broken = studio.python("panel.session.comparisons.flips.count('broken')")
    studio.page.wait_for_function(
        "(n) => document.querySelectorAll('.wb-flip').length === n", arg=min(broken, 48)
    )
    studio.press("Find the step")
    studio.wait_for_python("panel.session.comparisons.stages is not None", 120)
    assert studio.python("panel.session.comparisons.stages.is_checked")
    studio.page.wait_for_selector(".wb-flip-step")
    assert "Checked" in studio.page.locator(".wb-samples").inner_text()
    studio.page.get_by_label("show", exact=True).select_option(index=0)


def test_every_view_in_both_themes_and_on_a_narrow_page(studio):
    studio.execute("panel.session.comparisons.choose(None, 'three bits')\npanel.wait()")
    views = {"Versions": ".wb-versions", "Compare": ".wb-compare", "Samples": ".wb-samples"}

    def looked_at(name: str) -> None:
        for title, selector in views.items():
            tab(studio, title)
            studio.execute("panel.wait()")
            studio.page.wait_for_timeout(500)
            studio.screenshot(f"{title.lower()}-{name}", selector)

    for theme, name in ((DARK, "dark"), (LIGHT, "light")):
        studio.theme(theme)
        looked_at(name)
    studio.page.set_viewport_size({"width": 1132, "height": 2400})  # 700 px for the panel
    studio.page.wait_for_timeout(400)
    looked_at("narrow")
    fits = "() => (root => root.scrollWidth <= root.clientWidth + 1)(document.querySelector('.wb-workbench'))"
    studio.page.wait_for_function(fits)
    studio.page.set_viewport_size({"width": 1400, "height": 2400})


def test_a_run_goes_on_from_the_selected_version(studio):
    row(studio, "v1").click()
    studio.wait_for_python("panel.selected is not None and panel.selected.name == 'v1'")
    studio.press("Go on from it")
    studio.wait_for_python("panel.session.start is not None and panel.session.start.name == 'v1'")
    studio.page.wait_for_selector(".wb-begin >> text=begins from v1")
    studio.page.wait_for_selector(".wb-vt-begin")
    studio.execute("panel.recipe = 'Quantize(weights=4)'\npanel.wait()")
    studio.press("Run")
    studio.wait_for_python("len(tree) == 4 and not panel.is_running", 90)
    assert studio.python("tree.head.made_from == first.id and tree.head.parent == first.id")
    studio.page.wait_for_selector(f"{ROW}[aria-level='2'] >> text={studio.python('tree.head.name')}")
    studio.execute("panel.session.begin_from('v2')")
    studio.page.locator(".wb-begin button").click()
    studio.wait_for_python("panel.session.start is None")


def test_a_thousand_versions_are_a_few_rows_of_the_page(studio):
    studio.execute(MANY)
    studio.page.wait_for_selector(f"{ROW}[aria-selected=true] >> text=w500")
    assert studio.page.locator(ROW).count() < 80
    assert studio.page.locator(".wb-vt").get_attribute("aria-rowcount") == "1001"
    focus(studio, "w500")
    took = studio.page.evaluate(
        """async () => {
          const press = (key) => document.activeElement.dispatchEvent(
            new KeyboardEvent('keydown', { key, bubbles: true, cancelable: true }));
          const times = [];
          for (let n = 0; n < 20; n++) {
            const began = performance.now();
            press('ArrowDown');
            times.push(performance.now() - began);
            await new Promise((done) => requestAnimationFrame(done));
          }
          return times.sort((a, b) => a - b)[10];
        }"""
    )
    assert took < 100, f"{took} ms for a row"
    studio.page.keyboard.press("End")
    studio.page.wait_for_timeout(100)
    last = studio.python(
        "next(each for each in panel.views if type(each).__name__ == 'VersionsBox').table.rows[-1]['name']"
    )
    shown = studio.page.evaluate("() => document.activeElement.querySelector('.wb-vt-text').innerText")
    assert shown == last


PAIR = """import workbench as wb
work = wb.examples.load('lenet-5')
version = wb.compress(work, 'PruneWeights(sparsity=0.97) | Quantize(weights=3)', name='pair')
panel = wb.panels.Compare(work, None, version)
panel"""


def test_the_panel_of_two_stands_alone(browser, lab):
    with opened(browser, lab, "pair", [PAIR], height=2600) as notebook:
        notebook.run(240)
        notebook.execute("panel.wait(120)")
        count = notebook.python("min(48, len(panel.flips.flips))")
        notebook.page.wait_for_function(
            "(n) => document.querySelectorAll('.wb-flip img').length === n", arg=count
        )
        notebook.press("Find the step")
        notebook.wait_for_python("panel.stages is not None and panel.stages.is_checked", 120)
        notebook.page.wait_for_timeout(500)
        sentence = notebook.python("panel.comparison.sentence")
        assert sentence in notebook.page.locator(".wb-compare").inner_text()
        for theme, name in ((DARK, "dark"), (LIGHT, "light")):
            notebook.theme(theme)
            notebook.screenshot(f"pair-{name}", ".wb-workbench")
        notebook.page.set_viewport_size({"width": 1132, "height": 2600})
        notebook.page.wait_for_timeout(500)
        notebook.screenshot("pair-narrow", ".wb-workbench")
