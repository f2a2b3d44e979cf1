"""One browser and one JupyterLab for all tests of this folder; a page and a kernel for each."""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from typing import Any

import pytest
from harness import Lab, Notebook, open_browser, opened
from playwright.sync_api import Browser, sync_playwright

Open = Callable[..., Notebook]


# scope "package": Playwright keeps an event loop running, which tests elsewhere must not find
@pytest.fixture(scope="package")
def browser() -> Iterator[Browser]:
    with sync_playwright() as playwright:
        try:
            opened = open_browser(playwright)
            found = opened.__enter__()
        except FileNotFoundError as missing:
            if os.environ.get("WORKBENCH_REQUIRE_BROWSER"):
                raise
            pytest.skip(str(missing))
        yield found
        opened.__exit__(None, None, None)


@pytest.fixture(scope="package")
def lab(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Lab]:
    server = Lab(tmp_path_factory.mktemp("lab"))
    try:
        yield server.start()
    finally:
        server.stop()


@pytest.fixture
def open_notebook(browser: Browser, lab: Lab, request: pytest.FixtureRequest) -> Iterator[Open]:
    """Opens a notebook of the given cells: `open_notebook("x = 1", width=700)`."""
    names: list[str] = []

    with ExitStack() as pages:

        def open_(*cells: str, **context: Any) -> Notebook:
            names.append(re.sub(r"\W+", "-", f"{request.node.name}-{len(names)}"))
            return pages.enter_context(opened(browser, lab, names[-1], cells, **context))

        yield open_


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item) -> Any:
    """Keep a picture of every page that is open when a test fails."""
    report = yield
    if report.failed:
        for index, notebook in enumerate(Notebook.all_open):
            notebook.screenshot(f"failed-{re.sub(r'[^a-z0-9]+', '-', item.name)}-{index}")
    return report
