"""What a panel can say before anything is run: previews, the baseline's figures, what each layer keeps.

Two threads work it out: what arithmetic can tell in one, so that it never waits for a batch of data; what
data must tell in the other. In both the recipe asked for last comes first.
"""

from __future__ import annotations

import math
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from workbench.panels import points
from workbench.panels.figures import Known
from workbench.panels.worker import Make, Worker
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
        self.previewer = self._previewer = Previewer(work)  # the second always begins from the original
        self._start: str | None = None  # the version that the first begins from
        self._judge = Worker(failed, work.threads)  # what arithmetic has told stands, whatever the data do
        self._tell = tell
        self._told_failure = failed
        self._lock = threading.Lock()
        self._current: object = None  # the previews that are wanted; what others still bring is too late
        self._first_accuracy_took = math.inf
        self._original: tuple[LayerRecord, ...] = ()
        self._of_version: dict[str, tuple[LayerRecord, ...]] = {}

    def ask(self, recipe: Recipe, names: Mapping[str, Any], start: Version | None = None) -> None:
        """Preview a recipe now, instead of the one before; from `start` where there is one."""
        self._judge.drop()
        self.worker.ask(lambda: self._previewing(recipe, names, start))

    def look_at(self, version: Version, start: Version | None = None) -> None:
        """Nothing is to be previewed: a version is shown, and its layers are wanted."""
        self._judge.drop()
        self.worker.drop()
        self.worker.later(lambda: self._looking_at(version, start))

    def learn_the_baseline(self) -> None:
        """Find out about the original, the quickest first; its latency when the hand rests."""
        self.worker.later(self._measuring)
        self._judge.later(self._judging_the_baseline)
        self._judge.later(self._timing_the_baseline)

    def later(self, make: Make) -> None:
        """Do something that takes seconds in the time between."""
        self._judge.later(make)

    def pause(self, is_paused: bool) -> None:
        """Leave what can wait alone while a run needs the processor; previews go on."""
        self.worker.pause(is_paused)
        self._judge.pause(is_paused)

    def wait(self, timeout: float) -> None:
        """Wait until nothing is left to do.

        Raises:
            TimeoutError: there still is after `timeout` seconds.
        """
        for each in (self.worker, self._judge):  # in this order: the first asks the second
            each.wait(timeout)

    def close(self) -> None:
        """End both threads."""
        self.worker.close()
        self._judge.close()

    def layers(self, version: Version | None) -> list[Layer]:
        """What each layer keeps: of a version, else of the preview, else of the original."""
        now = self._original
        if version is not None:
            now = self._of_version.get(version.id, now)
        elif self.preview is not None:
            now = self.preview.layers
        return points.layers(self._original, now)

    def _begin_from(self, start: Version | None) -> None:
        """Preview from a version from now on; what was kept of the one before goes."""
        from workbench.preview import Previewer

        if (start.id if start is not None else None) == self._start:
            return
        made = Previewer(self.work, start.candidate) if start is not None else self._previewer
        self.previewer, self._start = made, start.id if start is not None else None

    def _previewing(self, recipe: Recipe, names: Mapping[str, Any], start: Version | None) -> Iterator[None]:
        """What arithmetic can tell; the rest of the estimate is left to the other thread."""
        self._begin_from(start)
        previews = self.previewer.previewing(recipe, names=names)
        first = next(previews)
        self._current = previews
        # a mark that loses and finds its height at every move would flicker: what is quick is waited for
        if first.is_final or self._first_accuracy_took > QUICK:
            self._publish(previews, first)
        if not first.is_final:
            self._judge.ask(lambda: self._judging(previews, first))
        yield

    def _judging(self, previews: Iterator[Preview], first: Preview) -> Iterator[None]:
        """Publish the accuracy as it becomes known; where the data fail, what was known `first`."""
        try:
            yield from self._accuracies(previews)
        except Exception:
            self._publish(previews, replace(first, is_final=True))
            raise

    def _accuracies(self, previews: Iterator[Preview]) -> Iterator[None]:
        """Publish the first accuracy at once, then about ten a second, and the last."""
        shown_at = began = time.monotonic()
        for index, preview in enumerate(previews):
            now = time.monotonic()
            if index == 0:
                self._first_accuracy_took = now - began
            if index == 0 or preview.is_final or now - shown_at >= PUBLISH_EVERY:
                shown_at = now
                self._publish(previews, preview)
            yield

    def _publish(self, previews: object, preview: Preview) -> None:
        with self._lock:
            if previews is not self._current:
                return
            self.preview = preview
        self._tell("figures")

    def _looking_at(self, version: Version, start: Version | None) -> Iterator[None]:
        from workbench.measurement.compute import layers

        self._begin_from(start)
        if version.id not in self._of_version:
            yield
            self._of_version[version.id] = tuple(layers(version.candidate, self.work))
        self._tell("layers")

    def _measuring(self) -> Iterator[None]:
        """The size and structure of the original."""
        from workbench.measurement.baselines import known

        size = known(self.work).size
        self._learned(stored=size.stored, claimed=size.claimed)
        yield
        found = next(self._previewer.previewing(Recipe()))
        self._original = found.layers
        self._learned(macs=found.macs, parameters=found.parameters)
        self._tell("layers")

    def _judging_the_baseline(self) -> Iterator[None]:
        """Its accuracy."""
        from workbench.measurement.baselines import evaluating_baseline

        if self.work.validation is not None:
            evaluation = yield from evaluating_baseline(self.work, "validation")
            self._learned(accuracy=evaluation.accuracy)

    def _timing_the_baseline(self) -> Iterator[None]:
        """Its latency, whether or not its data can be read."""
        from workbench.measurement import measuring

        if self.work.example is not None:
            steps = measuring(self.work, runtimes=("pytorch",), seconds=_TIMING, is_judged=False)
            report = yield from steps
            self._learned(latency=report.latency)

    def _learned(self, **found: Any) -> None:
        with self._lock:
            self.known = self.known.told(**found)
        self._tell("figures")

    def _failed(self, error: Exception) -> None:
        """The old preview is not one of this recipe."""
        self.preview = None
        self._told_failure(error)
        self._tell("figures")
