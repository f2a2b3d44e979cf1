"""Run all tests, part by part, and close with one line: `hatch run test`, or `--quick` while working.

The parts: lint, format, the tests under tests/ (browser and benchmarks included), and every notebook,
strictly. The exit code is 0 only if every part ran and passed.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from xml.etree import ElementTree

import surroundings
from surroundings import ROOT

sys.path.insert(0, str(ROOT / "tests" / "notebooks"))
import strict

BROWSER = "tests.browser"  # how JUnit files name the tests of tests/browser/
SIDE_BY_SIDE = ("-n", "2", "--dist", "loadfile")  # two processes, each with one thread


@dataclass(frozen=True)
class Count:
    """How many tests passed, failed and were skipped."""

    passed: int = 0
    failed: int = 0
    skipped: int = 0

    def __add__(self, other: Count) -> Count:
        return Count(self.passed + other.passed, self.failed + other.failed, self.skipped + other.skipped)

    def __str__(self) -> str:
        return f"{self.passed} passed, {self.failed} failed, {self.skipped} skipped"


@dataclass(frozen=True)
class Part:
    """One command of the run; `results` is the JUnit file of one that runs tests."""

    title: str
    command: Sequence[str]
    folder: Path = ROOT
    results: Path | None = None
    environment: Mapping[str, str] | None = None


def parts(scratch: Path, results: Path, quick: bool) -> list[Part]:
    """What a run consists of, in order: what fails soonest comes first."""
    python = [sys.executable, "-m"]
    tests, notebooks = results / "tests.xml", results / "notebooks.xml"
    chosen = "not slow and not browser" if quick else "not browser"
    fast = [
        Part("lint", [*python, "ruff", "check", "."]),
        Part("format", [*python, "ruff", "format", "--check", "."]),
        Part(
            "tests",
            [*python, "pytest", "-q", *SIDE_BY_SIDE, f"--junitxml={tests}", "-m", chosen, "tests"],
            results=tests,
        ),
    ]
    if quick:
        return fast
    browser = results / "browser.xml"
    copied = strict.copy(ROOT / "notebooks", scratch)
    return [
        *fast,
        # one after the other: what is asked of the browser is that it answers at once
        Part("browser", [*python, "pytest", f"--junitxml={browser}", "tests/browser"], results=browser),
        Part(
            "notebooks",
            strict.command(copied, *SIDE_BY_SIDE, f"--junitxml={notebooks}"),
            folder=copied,
            results=notebooks,
            environment=strict.environment(scratch),
        ),
    ]


def counted(results: Path, prefix: str = "") -> Count:
    """The counts of a JUnit file, of the tests whose module starts with `prefix`."""
    count = Count()
    if not results.exists():
        return count
    for case in ElementTree.parse(results).iter("testcase"):
        if not case.get("classname", "").startswith(prefix):
            continue
        outcomes = {child.tag for child in case}
        failed = bool(outcomes & {"failure", "error"})
        skipped = not failed and "skipped" in outcomes
        count += Count(not failed and not skipped, failed, skipped)
    return count


def run(part: Part) -> Count:
    """Run one part under its heading; a part that fails counts at least one failure."""
    print(f"\n━━ {part.title} {'━' * (90 - len(part.title))}", flush=True)
    started = time.monotonic()
    failed = subprocess.run(part.command, cwd=part.folder, env=part.environment).returncode != 0
    count = counted(part.results) if part.results else Count(passed=int(not failed))
    if failed and not count.failed:
        count += Count(failed=1)
    print(f"{part.title}: {count} in {time.monotonic() - started:.0f} s", flush=True)
    return count


def missing_browser_tests(results: Path) -> str:
    """Where browser tests must run: why these results are not enough, or nothing."""
    count = counted(results / "browser.xml", BROWSER)
    if count.skipped or not count.passed:
        return f"browser tests had to run here and did not all: {count}"
    return ""


def main(arguments: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0], allow_abbrev=False)
    parser.add_argument(
        "--quick", action="store_true", help="leave out slow tests, the browser and the notebooks"
    )
    parser.add_argument("--results", type=Path, metavar="FOLDER", help="keep the JUnit files there")
    options = parser.parse_args(arguments)
    is_browser_required = bool(os.environ.get("WORKBENCH_REQUIRE_BROWSER")) and not options.quick
    started = time.monotonic()
    with tempfile.TemporaryDirectory(prefix="workbench-tests-", ignore_cleanup_errors=True) as folder:
        scratch = Path(folder)
        surroundings.enter(scratch)
        results = (options.results or scratch / "results").resolve()
        results.mkdir(parents=True, exist_ok=True)
        count = sum((run(part) for part in parts(scratch, results, options.quick)), Count())
        if is_browser_required and (missing := missing_browser_tests(results)):
            print(f"\n{missing}")
            count += Count(failed=1)
    print(f"\nthe whole run took {time.monotonic() - started:.0f} s\ntests: {count}")
    return int(bool(count.failed))


if __name__ == "__main__":
    sys.exit(main())
