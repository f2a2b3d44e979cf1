"""What a panel can say before anything is run: previews, the baseline's figures, what each layer keeps.

Three threads work it out: what arithmetic can tell in one, so that it never waits for a batch of data; what
data must tell in another; and, when the hand rests, how fast it is and whether another order of the steps is
better in the third. In all of them the recipe asked for last comes first.
"""

from __future__ import annotations

import math
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from workbench.errors import RuntimeUnavailable
from workbench.job import Steps
from workbench.panels.state import points
from workbench.panels.state.chosen import Chosen
from workbench.panels.state.figures import Known, is_timed_alike
from workbench.panels.state.timings import Timings
from workbench.panels.state.worker import Make, Worker
from workbench.recipe import Recipe
from workbench.runtimes import find

if TYPE_CHECKING:
    from workbench.candidate import Candidate
    from workbench.charts.layers import Layer
    from workbench.measurement.compute import LayerRecord
    from workbench.measurement.report import Latency
    from workbench.ordering import Advice, Ordering
    from workbench.preview import Preview
    from workbench.versions import Version
    from workbench.workload import Workload

QUICK = 0.06  # seconds; a first accuracy that comes sooner is waited for
PUBLISH_EVERY = 0.1  # seconds between two running estimates; the first and the last are always told
REST = 0.3  # seconds without a move after which a hand is said to rest
_TIMING = 1.0  # seconds the baseline is timed for
_USUAL = Chosen().settings  # with these the baseline is timed in any case


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
        self.chosen = Chosen()
        self.advice: tuple[Advice, ...] = ()
        self.untimed: dict[tuple[str, int, int], str] = {}  # why there is no latency with these settings
        self._clock = Worker(self._clock_failed, work.threads)
        self.timings = Timings(self._clock, lambda: tell("timing"), failed)
        self._ordering: Ordering | None = None
        self._resting: Make | None = None  # what is to be done when the hand rests, and no run goes on
        self._busy: set[object] = set()  # the jobs that need the processor now
        self._is_hurried = False
        self._tell = tell
        self._told_failure = failed
        self._lock = threading.Lock()
        self._current: object = None  # the previews that are wanted; what others still bring is too late
        self._first_accuracy_took = math.inf
        self._original: tuple[LayerRecord, ...] = ()
        self._of_version: dict[str, tuple[LayerRecord, ...]] = {}

    def ask(self, recipe: Recipe, names: Mapping[str, Any], start: Version | None = None) -> None:
        """Preview a recipe now, instead of the one before; from `start` where there is one."""
        self._drop()
        self.worker.ask(lambda: self._previewing(recipe, names, start))

    def look_at(
        self, version: Version, start: Version | None = None, names: Mapping[str, Any] | None = None
    ) -> None:
        """Nothing is to be previewed: a version is shown, and its layers are wanted."""
        self._drop()
        self.worker.drop()
        self.worker.later(lambda: self._looking_at(version, start))
        self._rest(lambda: self._refining(version.recipe, names or {}, is_timed=False))

    def learn_the_baseline(self) -> None:
        """Find out about the original, the quickest first; its latency when the hand rests."""
        self.worker.later(self._measuring)
        self._judge.later(self._judging_the_baseline)
        self._judge.later(self._timing_the_baseline_next)

    def time_with(self, chosen: Chosen, recipe: Recipe | None, names: Mapping[str, Any]) -> None:
        """Show latency with other settings from now on; `recipe` is the one previewed, None for a version."""
        with self._lock:
            if chosen.settings != self.chosen.settings and self.preview is not None:
                self.preview = replace(self.preview, latency=None)
        self.chosen = chosen
        if recipe is not None:
            self._rest(lambda: self._refining(recipe, names))

    def time_baseline(self, chosen: Chosen) -> None:
        """Time the original with these settings, as asked for.

        Raises:
            WorkbenchError: something is being timed already.
        """
        self.timings.start(chosen, lambda: self._timing(None, chosen), self._baseline_timed)

    def time_version(self, version: Version, chosen: Chosen, done: Callable[[Latency], None]) -> None:
        """Time a version with these settings beside the original, as asked for; `done(latency)` hears it.

        Raises:
            WorkbenchError: something is being timed already.
        """
        self.timings.start(chosen, lambda: self._timing(version, chosen), done)

    def time_preview(self, recipe: Recipe, names: Mapping[str, Any], chosen: Chosen) -> None:
        """Time what is previewed, on a runtime that takes too long for doing so by itself.

        Raises:
            WorkbenchError: something is being timed already.
        """
        wanted = self._current

        def timed(latency: Latency) -> None:
            if self._current is wanted:
                self._found_latency(recipe, latency)

        make = lambda: self._previewed(recipe, names, chosen)  # noqa: E731
        self.timings.start(chosen, make, timed)

    def later(self, make: Make) -> None:
        """Do something that takes seconds in the time between."""
        self._judge.later(make)

    def time_later(self, make: Make) -> None:
        """Time something when the hand rests: one thing at a time is timed."""
        self._clock.later(lambda: self._when_it_rests(make))

    @property
    def original(self) -> Candidate:
        """The untouched model, whatever previews begin from."""
        return self._previewer.start

    def pause(self, is_paused: bool, job: object) -> None:
        """Leave what can wait alone while a job needs the processor; previews go on, but are not timed.

        Of several jobs (a run, a scan) the last that ends lets it go on.
        """
        with self._lock:  # jobs tell in threads of their own
            was_paused = self._is_paused
            self._busy.add(job) if is_paused else self._busy.discard(job)
            if self._is_paused == was_paused:
                return
            for each in (self.worker, self._judge, self._clock):
                each.pause(self._is_paused)
            if self._is_paused:
                self._clock.drop()
            elif self._resting is not None:
                self._clock.ask(self._resting)

    def wait(self, timeout: float) -> None:
        """Wait until nothing is left to do.

        Raises:
            TimeoutError: there still is after `timeout` seconds.
        """
        self._is_hurried = True
        try:
            for each in (self.worker, self._judge, self._clock):  # in this order: each asks the next
                each.wait(timeout)
        finally:
            self._is_hurried = False

    @property
    def _is_paused(self) -> bool:
        return bool(self._busy)

    @property
    def is_busy(self) -> bool:
        """Whether there is something left to do."""
        return not all(each.is_idle for each in (self.worker, self._judge, self._clock))

    def close(self) -> None:
        """End the threads."""
        for each in (self.worker, self._judge, self._clock):
            each.close()
        for each in (self.previewer, self._previewer):
            each.forget()
        self._ordering = self._resting = self._current = None  # with their candidates

    def layers(self, version: Version | None) -> list[Layer]:
        """What each layer keeps: of a version, else of the preview, else of the original."""
        now = self._original
        if version is not None:
            now = self._of_version.get(version.id, now)
        elif (preview := self.preview) is not None:  # read once: a preview that fails takes it away
            now = preview.layers
        return points.layers(self._original, now)

    def layers_of(self, candidate: Candidate) -> list[Layer]:
        """The same of any candidate."""
        from workbench.measurement.compute import layers

        return points.layers(self._original, layers(candidate, self.work))

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
        refining = lambda: self._refining(recipe, names)  # noqa: E731
        if first.is_final:
            self._rest(refining)
        else:
            self._judge.ask(lambda: self._judging(previews, first, refining))
        yield

    def _judging(self, previews: Iterator[Preview], first: Preview, refining: Make) -> Iterator[None]:
        """Publish the accuracy as it becomes known; where the data fail, what was known `first`."""
        try:
            yield from self._accuracies(previews)
        except Exception:
            self._publish(previews, replace(first, is_final=True))
            self._rest(refining)
            raise
        if previews is self._current:
            self._rest(refining)

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

    def _drop(self) -> None:
        """What was worked out for another recipe is not wanted any more."""
        self._resting = None
        self.untimed = {}  # a runtime that cannot take one model may take the next
        self._judge.drop()
        self._clock.drop()
        if self.advice:
            self.advice = ()
            self._tell("advice")

    def _rest(self, refining: Make) -> None:
        """Do this when the hand rests and no run goes on."""
        self._resting = refining
        if not self._is_paused:
            self._clock.ask(refining)

    def _refining(self, recipe: Recipe, names: Mapping[str, Any], is_timed: bool = True) -> Iterator[None]:
        """How fast what is previewed is, and whether another order is better; the next move ends it."""
        yield from self._resting_hand()
        if is_timed:
            yield from self._timing_quickly(recipe, names)
        advice = yield from self._orders().advising(recipe, names)
        if advice != self.advice:
            self.advice = advice
            self._tell("advice")

    def _resting_hand(self) -> Iterator[None]:
        """Wait until it has rested for a while."""
        rests_at = time.monotonic() + REST
        while time.monotonic() < rests_at and not self._is_hurried:
            time.sleep(REST / 20)
            yield

    def _when_it_rests(self, make: Make) -> Iterator[None]:
        yield from self._resting_hand()
        yield from make()

    def _orders(self) -> Ordering:
        """What looks for better orders, from where previews begin."""
        from workbench.ordering import Ordering

        if self._ordering is None or self._ordering.start is not self.previewer.start:
            self._ordering = Ordering(self.work, self.previewer.start)
        return self._ordering

    def _timing_quickly(self, recipe: Recipe, names: Mapping[str, Any]) -> Iterator[None]:
        """Time the preview; where kernels take as long as for the original, only that, and once."""
        chosen, preview = self.chosen, self.preview
        if self.work.example is None or not find(chosen.runtime).is_quick or chosen.settings in self.untimed:
            return
        try:
            if len(recipe) and preview is not None and not is_timed_alike(preview, chosen.runtime):
                self._found_latency(recipe, (yield from self._previewed(recipe, names, chosen)))
            elif self.known.latency_with(*chosen.settings) is None and chosen.settings != _USUAL:
                self._baseline_timed((yield from self._timing(None, chosen)))
        except RuntimeUnavailable as error:
            self.untimed[chosen.settings] = str(error)
            self._tell("figures")

    def _previewed(self, recipe: Recipe, names: Mapping[str, Any], chosen: Chosen) -> Steps[Latency]:
        runtime, batch, threads = chosen.settings
        return self.previewer.timing(recipe, names=names, runtime=runtime, batch=batch, threads=threads)

    def _timing(self, model: Any, chosen: Chosen) -> Steps[Latency]:
        from workbench.measurement.everything import SECONDS, timing_on

        runtime, batch, threads = chosen.settings
        seconds = SECONDS if model is not None else _TIMING
        return timing_on(self.work, model, runtime, batch=batch, threads=threads, seconds=seconds)

    def _found_latency(self, recipe: Recipe, latency: Latency) -> None:
        """Show it with the preview of this recipe; one of the next recipe may have taken its place."""
        with self._lock:
            if self.preview is None or self.preview.recipe != recipe:
                return
            self.preview = replace(self.preview, latency=latency)
        self._tell("figures")

    def _baseline_timed(self, latency: Latency) -> None:
        self._learned(timed=(*self.known.timed, latency))

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
        yield
        self._learned(memory=known(self.work).peak_memory)

    def _judging_the_baseline(self) -> Iterator[None]:
        """Its accuracy."""
        from workbench.measurement.baselines import evaluating_baseline

        if self.work.validation is not None:
            evaluation = yield from evaluating_baseline(self.work, "validation")
            self._learned(accuracy=evaluation.accuracy, metrics=evaluation.metrics)

    def _timing_the_baseline_next(self) -> Iterator[None]:
        """Only then: it judges the baseline too, where that has not been done."""
        self._clock.later(self._timing_the_baseline)
        yield

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

    def _clock_failed(self, error: Exception) -> None:
        """What is worked out while the hand rests is not asked for: the preview stays as it is."""
        self._told_failure(error)

    def _failed(self, error: Exception) -> None:
        """The old preview is not one of this recipe."""
        with self._lock:
            self.preview = None
        self._told_failure(error)
        self._tell("figures")
