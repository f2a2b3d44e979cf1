"""What a panel can say before anything is run: previews, the baseline's figures, what each layer keeps.

All of it is worked out in one thread; the recipe asked for last comes first.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Iterator, Mapping
from typing import TYPE_CHECKING, Any

from workbench.panels import points
from workbench.panels.figures import Known
from workbench.panels.worker import Worker
from workbench.recipe import Recipe

if TYPE_CHECKING:
    from workbench.charts.layers import Layer
    from workbench.measurement.compute import LayerRecord
    from workbench.preview import Preview
    from workbench.versions import Version
    from workbench.workload import Workload

QUICK = 0.06  # seconds; a first accuracy that comes sooner is waited for
PUBLISH_EVERY = 0.1  # seconds between two running estimates; the first and the last are always told
_TIMING = 1.0  # seconds the baseline is timed for


class Estimates:
    """Previews of one workload, and what is known of its baseline.

    Args:
        tell: `tell(topic)` hears what has changed, in the worker's thread.
        failed: `failed(error)` hears what went wrong there.
    """

    def __init__(
        self, work: Workload, tell: Callable[[str], None], failed: Callable[[Exception], None]
    ) -> None:
        from workbench.preview import Previewer

        self.work = work
        self.preview: Preview | None = None
        self.known = Known(has_data=work.validation is not None)
        self.worker = Worker(self._failed, work.threads)
        self._tell = tell
        self._told_failure = failed
        self._previewer = Previewer(work)
        self._first_accuracy_took = math.inf
        self._original: tuple[LayerRecord, ...] = ()
        self._of_version: dict[str, tuple[LayerRecord, ...]] = {}

    def ask(self, recipe: Recipe, names: Mapping[str, Any]) -> None:
        """Preview a recipe now, instead of the one before."""
        self.worker.ask(lambda: self._previewing(recipe, names))

    def look_at(self, version: Version) -> None:
        """Nothing is to be previewed: a version is shown, and its layers are wanted."""
        self.worker.drop()
        self.worker.later(lambda: self._looking_at(version))

    def learn_the_baseline(self) -> None:
        """Find out about the original, the quickest first; its latency when the hand rests."""
        self.worker.later(self._learning)

    def layers(self, version: Version | None) -> list[Layer]:
        """What each layer keeps: of a version, else of the preview, else of the original."""
        now = self._original
        if version is not None:
            now = self._of_version.get(version.id, now)
        elif self.preview is not None:
            now = self.preview.layers
        return points.layers(self._original, now)

    def _previewing(self, recipe: Recipe, names: Mapping[str, Any]) -> Iterator[None]:
        """Publish the first estimate at once, then about ten a second, and the last.

        Where a first accuracy is quick to be had it is waited for: a mark that loses and finds its height at
        every move of a slider would flicker.
        """
        began = shown_at = 0.0
        for index, preview in enumerate(self._previewer.previewing(recipe, names=names)):
            now = time.monotonic()
            if index == 0:
                began, is_due = now, self._first_accuracy_took > QUICK
            else:
                self._first_accuracy_took = now - began if index == 1 else self._first_accuracy_took
                is_due = now - shown_at >= PUBLISH_EVERY
            if is_due or preview.is_final:
                shown_at, self.preview = now, preview
                self._tell("figures")
                self._tell("layers")
            yield

    def _looking_at(self, version: Version) -> Iterator[None]:
        from workbench.measurement.compute import layers

        if version.id not in self._of_version:
            yield
            self._of_version[version.id] = tuple(layers(version.candidate, self.work))
        self._tell("layers")

    def _learning(self) -> Iterator[None]:
        from workbench.measurement import measuring
        from workbench.measurement.baselines import evaluating_baseline, known

        found = next(self._previewer.previewing(Recipe()))
        self._original = found.layers
        size = known(self.work).size
        self._learned(stored=size.stored, claimed=size.claimed, macs=found.macs, parameters=found.parameters)
        self._tell("layers")
        yield
        if self.work.validation is not None:
            evaluation = yield from evaluating_baseline(self.work, "validation")
            self._learned(accuracy=evaluation.accuracy)
        if self.work.example is not None:
            report = yield from measuring(self.work, runtimes=("pytorch",), seconds=_TIMING)
            self._learned(latency=report.latency)

    def _learned(self, **found: Any) -> None:
        self.known = self.known.told(**found)
        self._tell("figures")

    def _failed(self, error: Exception) -> None:
        """The old preview is not one of this recipe."""
        self.preview = None
        self._told_failure(error)
        self._tell("figures")
