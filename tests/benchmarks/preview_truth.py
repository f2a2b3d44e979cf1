"""How true and how quick previews are: what a panel foretells of a recipe, beside what a run then measures.

    python tests/benchmarks/preview_truth.py [--nets digits lenet-5] [--repeats 1]

On the example nets, over recipes without training, driven as a person drives the panel: a recipe is written,
and the session's figures are watched until the hand has rested. Printed for each: milliseconds until size and
MACs, until the accuracy, and until the latency is there; accuracy previewed and measured, in points apart;
the latency ratio to the baseline previewed and measured, and one over the other. Targets: arithmetic in 100
ms, accuracy within one point in 3 s, latency ratio within 15 %; exits with 1 where one is missed.

The first move of a net pays for what is prepared once (orders, spectra, graphs); it is marked, and the target
of 100 ms is for the moves after it, of the same slider.
"""

from __future__ import annotations

import argparse
import statistics
import sys
import time
import warnings
from dataclasses import dataclass, field
from typing import Any

import workbench as wb
from workbench.panels.state.figures import is_timed_alike
from workbench.panels.state.session import Session
from workbench.versions import VersionTree

NETS = ("digits", "lenet-300-100", "lenet-5")
# each twice: the first prepares, the second is a move of the same slider
RECIPES = (
    ("PruneWeights(0.75)", "PruneWeights(0.8)"),
    ("PruneChannels(0.25)", "PruneChannels(0.3)"),
    ("PruneChannels(0.5)", "PruneChannels(0.55)"),
    ("Quantize(5)", "Quantize(4)"),
    ("ShareWeights(24)", "ShareWeights(16)"),
    ("Factorize(ratio=0.5)", "Factorize(ratio=0.25)"),
    ("PruneChannels(0.4) | Quantize(8)", "PruneChannels(0.4) | Quantize(6)"),
    ("PruneWeights(0.7) | Quantize(6)", "PruneWeights(0.7) | Quantize(5)"),
)
ARITHMETIC, JUDGED, POINTS, RATIO = 0.1, 3.0, 0.01, 0.15


@dataclass
class Watched:
    """When each part of a preview was there, in seconds after the move."""

    began: float
    recipe: Any
    size: float | None = None
    accuracies: list[tuple[float, float, bool]] = field(default_factory=list)
    latency: float | None = None

    def look(self, preview: Any) -> None:
        """Note what a preview of this recipe shows for the first time."""
        if preview is None or preview.recipe != self.recipe:
            return
        now = time.perf_counter() - self.began
        self.size = self.size if self.size is not None else now
        if preview.accuracy is not None:
            self.accuracies.append((now, preview.accuracy.value, preview.is_final))
        if preview.latency is not None and self.latency is None:
            self.latency = now

    def judged(self, truth: float) -> float:
        """When the accuracy shown was within a point of the truth, and stayed there."""
        far = [now for now, value, _ in self.accuracies if abs(value - truth) > POINTS]
        return next(now for now, _, _ in self.accuracies if not far or now > far[-1])


def watch(session: Session, recipe: str) -> tuple[Watched, Any]:
    """Write a recipe and watch until everything about it is there."""
    seen = Watched(time.perf_counter(), wb.Recipe.parse(recipe))
    observer = lambda topic: topic == "figures" and seen.look(session.estimates.preview)  # noqa: E731
    leave = session.observe(observer)
    session.write(recipe)
    while session.estimates.preview is None or not _is_whole(session, seen.recipe):
        time.sleep(0.01)
        if time.perf_counter() - seen.began > 60 or session.error:
            raise RuntimeError(session.error or f"no preview of {recipe} in a minute")
    leave()
    return seen, session.estimates.preview


def _is_whole(session: Session, recipe: Any) -> bool:
    """Whether accuracy is final and latency timed, where it has to be."""
    preview = session.estimates.preview
    is_timed = preview.latency is not None or is_timed_alike(preview, session.runtime)
    return preview.recipe == recipe and preview.is_final and is_timed


def compare(session: Session, recipe: str, is_first: bool) -> tuple[bool, float, float]:
    """One line for a recipe; whether it holds, the points apart, and one ratio over the other."""
    seen, preview = watch(session, recipe)
    session.wait(120)
    tree = VersionTree(None, session.work)  # of its own: the session goes on previewing
    report = wb.compress(session.work, recipe, tree=tree, runtimes=("pytorch",)).report
    foretold = preview.latency.speedup if preview.latency is not None else 1.0
    ratio = foretold / report.latency["pytorch"].speedup
    apart = abs(preview.accuracy.value - report.accuracy.value)
    judged = seen.judged(report.accuracy.value)
    holds = apart <= POINTS and judged <= JUDGED and abs(ratio - 1) <= RATIO
    holds = holds and (is_first or seen.size <= ARITHMETIC)
    truth = report.latency["pytorch"].speedup
    timed = f"{1000 * seen.latency:5.0f} ms" if seen.latency is not None else "     – ms"
    print(
        f"  {recipe:34} {1000 * seen.size:5.0f}{'*' if is_first else ' '}  {1000 * judged:5.0f}  {timed}   "
        f"{100 * preview.accuracy.value:5.1f} {100 * report.accuracy.value:5.1f}  {100 * apart:4.2f}   "
        f"{foretold:5.2f} {truth:5.2f}  {ratio:4.2f}  {'' if holds else 'MISSED'}",
        flush=True,
    )
    return holds, apart, abs(ratio - 1)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--nets", nargs="+", default=NETS, choices=NETS)
    parser.add_argument("--repeats", type=int, default=1)
    arguments = parser.parse_args()
    warnings.simplefilter("ignore")
    found = []
    for name in arguments.nets:
        work = wb.examples.load(name)
        session = Session(work, "PruneWeights(0.5)", tree=VersionTree(None, work), names={}).open()
        session.wait(120)
        print(f"\n{name}: ms to size, accuracy, latency; accuracy previewed and measured; ratio likewise")
        for _ in range(arguments.repeats):
            for pair in RECIPES:
                found += [compare(session, recipe, place == 0) for place, recipe in enumerate(pair)]
        session.close()
    held = sum(holds for holds, _, _ in found)
    print(
        f"\n{held} of {len(found)} hold; points apart at the median "
        f"{100 * statistics.median(each for _, each, _ in found):.2f}, at most "
        f"{100 * max(each for _, each, _ in found):.2f}; ratio off by "
        f"{statistics.median(each for _, _, each in found):.1%} at the median, at most "
        f"{max(each for _, _, each in found):.1%}   (* prepares what later moves reuse)"
    )
    return 0 if held == len(found) else 1


if __name__ == "__main__":
    sys.exit(main())
