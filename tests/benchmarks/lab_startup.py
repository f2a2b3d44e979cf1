"""Does JupyterLab start later with the front end? Paired loads of its page, in turns: with it, and without.

    python tests/benchmarks/lab_startup.py [ROUNDS]

Prints the medians, and the median of the paired differences with its range. A page counts as started when the
application says so (`app.restored`). Needs Chromium, as the browser tests do.
"""

from __future__ import annotations

import statistics
import sys
import tempfile
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "browser"))
from harness import Lab, open_browser
from playwright.sync_api import Browser, sync_playwright

from workbench.labextension import shipping

STARTED = "() => window.jupyterapp?.restored.then(() => performance.now())"
WAYS = ("with", "without")


def started(browser: Browser, lab: Lab, number: int) -> float:
    """Milliseconds from navigation to a restored application, in a browser that has cached nothing."""
    context = browser.new_context()
    page = context.new_page()
    page.goto(lab.address(f"run{number}").replace(f"/tree/run{number}", ""))
    page.wait_for_function("() => window.jupyterapp", timeout=90_000)
    taken = page.evaluate(STARTED)
    context.close()
    return float(taken)


def main(rounds: int) -> None:
    taken: dict[str, list[float]] = {way: [] for way in WAYS}
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as folder, sync_playwright() as playwright:
        labs = {way: Lab(Path(folder) / way, arguments=extensions(Path(folder), way)).start() for way in WAYS}
        try:
            with open_browser(playwright) as browser:
                for way in WAYS:
                    started(browser, labs[way], -1)  # the server's first page is slower
                for number in range(rounds):
                    for way in WAYS if number % 2 else reversed(WAYS):
                        taken[way].append(started(browser, labs[way], number))
        finally:
            for lab in labs.values():
                lab.stop()
    report(taken)


def extensions(folder: Path, way: str) -> list[str]:
    """The server's argument that gives it our front end and no other extension, or none."""
    place = folder / f"extensions-{way}"
    if way == "with":
        shipping.put(place, folder / "generated")
    return [f"--LabApp.labextensions_path=['{place}']"]


def report(taken: dict[str, list[float]]) -> None:
    for way in WAYS:
        print(f"{way:8} {statistics.median(taken[way]):6.0f} ms, median of {len(taken[way])}")
    differences = sorted(a - b for a, b in zip(*(taken[way] for way in WAYS), strict=True))
    low, *_, high = statistics.quantiles(differences, n=4)
    middle = statistics.median(differences)
    print(f"later by {middle:6.0f} ms, median of the pairs ({low:.0f} to {high:.0f}: half of them)")
    size = sum(path.stat().st_size for path in shipping.BUILT.rglob("*.js"))
    print(f"the front end is {size:,} bytes of JavaScript")


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 10)
