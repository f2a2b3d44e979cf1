"""How good previews were: what they had said of the versions of a tree, beside what was measured then."""

from __future__ import annotations

import statistics
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING

from workbench.measurement import units
from workbench.measurement.report import Foretold
from workbench.panels.state.figures import is_timed_alike

if TYPE_CHECKING:
    from workbench.preview import Preview
    from workbench.recipe import Recipe
    from workbench.versions import Version


def foretold(preview: Preview | None, recipe: Recipe, runtime: str) -> Foretold | None:
    """What a preview says of what a run of `recipe` will make; nothing about what training changes.

    A latency counts as a run will time it: one sample, one thread.
    """
    if preview is None or preview.recipe != recipe:
        return None
    rest = recipe.steps[len(preview.previewed) :]
    speedup, timed_on = None, runtime
    if all(step.trains for step in rest):  # training leaves the structure alone
        latency = preview.latency
        if latency is not None and (latency.batch, latency.threads) == (1, 1):
            speedup, timed_on = latency.speedup, latency.runtime
        elif is_timed_alike(preview, runtime):
            speedup = 1.0
    accuracy = preview.accuracy.value if preview.accuracy is not None and not rest else None
    stored = preview.estimated_bytes if not rest else None
    if accuracy is None and stored is None and speedup is None:
        return None
    return Foretold(stored, accuracy, speedup, timed_on if speedup is not None else "")


def record(versions: Iterable[Version]) -> str:
    """`previews here were off by 0.4 points (n = 7), ...`; empty where none has been put to the test."""
    points: list[float] = []
    sizes: list[float] = []
    speeds: list[float] = []
    for version in versions:
        report = version.report
        if report is None or (said := report.foretold) is None or version.is_stopped:
            continue
        if said.accuracy is not None and report.accuracy is not None:
            points.append(abs(said.accuracy - report.accuracy.value))
        if said.stored and report.size.stored:
            sizes.append(abs(said.stored / report.size.stored - 1))
        if said.speedup and (timed := report.latency.get(said.runtime)) is not None:
            speeds.append(abs(said.speedup / timed.speedup - 1))
    told = [
        *_median(points, lambda value: f"{100 * value:.1f} points"),
        *_median(sizes, lambda value: f"{units.share(value)} of size"),
        *_median(speeds, lambda value: f"{units.share(value)} of speed"),
    ]
    return f"previews here were off by {', '.join(told)} at the median" if told else ""


def _median(values: Sequence[float], written: object) -> Iterable[str]:
    if values:
        yield f"{written(statistics.median(values))} (n = {len(values)})"  # type: ignore[operator]
