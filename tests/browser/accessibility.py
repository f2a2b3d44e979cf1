"""What axe-core finds wrong with a part of a page; its script lies beside, so that no network is needed."""

from __future__ import annotations

from pathlib import Path

from playwright.sync_api import Page

AXE = Path(__file__).with_name("axe") / "axe.min.js"
_RUN = """async (selector) => {
  const found = await axe.run(selector, { resultTypes: ['violations'] });
  return found.violations.filter(({ impact }) => ['serious', 'critical'].includes(impact))
    .flatMap(({ id, help, nodes }) => nodes.map((node) =>
      `${id}: ${help}: ${node.target.join(' ')}: ${node.html.slice(0, 200)}: ${node.failureSummary}`));
}"""


def serious(page: Page, selector: str) -> list[str]:
    """The serious and critical findings inside `selector`, a line each."""
    if not page.evaluate("() => 'axe' in window"):
        page.evaluate(AXE.read_text(encoding="utf-8"))
    return page.evaluate(_RUN, selector)
