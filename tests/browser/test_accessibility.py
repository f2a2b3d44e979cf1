"""Panels for everyone: what axe-core finds, what the keyboard reaches, what moves."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from accessibility import serious
from harness import DARK, LIGHT, Notebook, opened

pytestmark = pytest.mark.browser

LOAD = "import workbench as wb\nwork = wb.examples.load('digits')"
RECIPE = "PruneWeights(sparsity=0.5) | FineTune(epochs=1) | Quantize(weights=6)"
OPEN = f"panel = wb.Workbench(work, {RECIPE!r})\npanel"
PANEL = ".wb-workbench"
KINDS = ("input", "select", "textarea", "button", "[role=tab]", "[role=slider]")
REACHABLE = f"""() => [...document.querySelectorAll('{", ".join(f"{PANEL} {kind}" for kind in KINDS)}')]
  .filter((each) => each.offsetParent && !each.disabled && each.type !== 'hidden')"""


@pytest.fixture(scope="module")
def studio(browser, lab) -> Iterator[Notebook]:
    with opened(
        browser, lab, "accessibility", [LOAD, OPEN], height=1400, reduced_motion="reduce"
    ) as notebook:
        notebook.run()
        notebook.page.wait_for_selector("[data-chart=tradeoff] canvas")
        notebook.execute("panel.wait(120)\npanel.run()\npanel.wait(120)")
        yield notebook


@pytest.mark.parametrize("theme", [LIGHT, DARK])
def test_axe_finds_nothing_serious_in_the_studio(studio, theme):
    studio.theme(theme)
    found = []
    for tab in studio.page.locator(f"{PANEL} [role=tab]").all():
        tab.click()
        studio.page.wait_for_timeout(200)
        found += serious(studio.page, PANEL)
    for more in studio.page.locator(f"{PANEL} .wb-more:visible").all():
        more.click()
    found += serious(studio.page, PANEL)
    for more in studio.page.locator(f"{PANEL} .wb-more:visible").all():
        more.click()
    assert not found, "\n".join(sorted(set(found)))


def test_tab_key_reaches_every_control(studio):
    studio.theme(LIGHT)
    total = studio.page.evaluate(f"""() => {{
      const all = ({REACHABLE})();
      all.forEach((each, index) => each.dataset.control = index);
      all[0].focus();
      return all.length;
    }}""")
    reached = set()
    for _ in range(3 * total):
        reached.add(studio.page.evaluate("() => document.activeElement.dataset.control ?? null"))
        studio.page.keyboard.press("Tab")
        if studio.page.evaluate(f"() => !document.activeElement.closest('{PANEL}')"):
            break
    missed = studio.page.evaluate(
        f"""(reached) => ({REACHABLE})()
          .filter((each) => !reached.includes(each.dataset.control))
          // of a group of tabs one is reached by Tab, the others by the arrows
          .filter((each) => each.getAttribute('role') !== 'tab')
          .map((each) => each.outerHTML.slice(0, 200))""",
        sorted(reached - {None}),
    )
    assert total > 20 and missed == []


def test_nothing_moves_by_itself_where_less_motion_is_asked_for(studio):
    moving = studio.page.evaluate(f"""() => [...document.querySelectorAll('{PANEL} *')]
      .filter((each) => each.offsetParent)
      .filter((each) => {{
        const style = getComputedStyle(each);
        const lasts = (text) => text.split(',').some((part) => parseFloat(part) > 0.001);
        return (style.animationName !== 'none' && lasts(style.animationDuration))
          || (lasts(style.transitionDuration) && style.transitionProperty !== 'none');
      }})
      .map((each) => each.className)""")
    assert sorted(set(map(str, moving))) == []
