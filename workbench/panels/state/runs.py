"""The run of a panel: one job at a time, and the training records of it as they come."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

from workbench.errors import WorkbenchError
from workbench.job import Job, Progress
from workbench.panels.state import points
from workbench.run import MEASURING

if TYPE_CHECKING:
    from workbench.recipe import Recipe
    from workbench.versions import Version, VersionTree
    from workbench.workload import Workload

DOUBLE_CLICK = 0.7  # seconds; a second press that comes sooner is part of the first


class Runs:
    """Starts and stops runs of one workload.

    Args:
        told: `told(job)` hears of it at start, five times a second, and at the end; see `Job.observe`.
    """

    def __init__(self, work: Workload, tree: VersionTree, told: Callable[[Job[Version]], None]) -> None:
        self.job: Job[Version] | None = None
        self.recipe: Recipe | None = None
        self._work = work
        self._tree = tree
        self._told = told
        self._starting = threading.Lock()
        self._stopped_at = 0.0
        self._stages: list[list[Mapping[str, Any]]] = []

    @property
    def is_running(self) -> bool:
        """Whether a run is going on."""
        return self.job is not None and self.job.is_running

    @property
    def is_stopping(self) -> bool:
        """Whether it has been asked to stop and has not ended."""
        return self.job is not None and self.job.state == "stopping"

    @property
    def can_stop_again(self) -> bool:
        """Whether it was stopped, by no double click, and now measures what it has kept."""
        is_late = time.monotonic() - self._stopped_at > DOUBLE_CLICK
        message = self.job.progress.message if self.job is not None else ""
        return self.is_stopping and is_late and message.startswith(MEASURING)

    @property
    def records(self) -> list[dict[str, Any]]:
        """The training records so far, epochs counted on from step to step."""
        return points.curve(list(self._stages))

    def start(
        self, recipe: Recipe, names: Mapping[str, Any], seed: int, parent: Version | None = None
    ) -> None:
        """Begin to make a version of a recipe, in a thread of its own; from `parent` where there is one.

        Raises:
            WorkbenchError: one is going on, or there is nothing to run.
        """
        with self._starting:  # two clicks may come on two threads
            self._start(recipe, names, seed, parent)

    def _start(self, recipe: Recipe, names: Mapping[str, Any], seed: int, parent: Version | None) -> None:
        from workbench.run import compressing

        if self.is_stopping:
            raise WorkbenchError("the last run is being stopped; wait until it is, or press Stop again")
        if self.is_running:
            raise WorkbenchError("a run is going on; press Stop first, or wait for it")
        if not len(recipe):
            raise WorkbenchError("the recipe is empty; add a step, or switch one on")
        self._stages, self.recipe = [], recipe
        steps = lambda: _Noted(  # noqa: E731
            compressing(self._work, recipe, seed, names=names, parent=parent, tree=self._tree), self._note
        )
        self.job = Job(steps, seed=seed, threads=self._work.threads)
        self.job.observe(self._told)
        self.job.start()

    def stop(self) -> None:
        """Ask the run to end at its next step; what it has so far is measured and kept.

        Asked again when it measures, it measures no further; before that a double click does no harm.
        """
        if self.job is None:
            return
        if self.can_stop_again:
            self.job.stop_again()
        else:
            self._stopped_at = self._stopped_at if self.is_stopping else time.monotonic()
            self.job.stop()

    def wait(self, timeout: float) -> None:
        """Wait until the run is done, however it ends.

        Raises:
            TimeoutError: it is not after `timeout` seconds.
        """
        if self.job is not None:
            self.job.wait_for_end(timeout)

    def _note(self, progress: Progress) -> None:
        """Keep the record of a training step; epochs that begin again are another step's."""
        record = progress.record
        if "epoch" not in record:
            return
        if not self._stages or record["epoch"] < self._stages[-1][-1]["epoch"] - 0.5:
            self._stages = [*self._stages, []]
        self._stages[-1].append(record)


class _Noted:
    """A generator whose every progress is told to `note` too: a job's observers hear five a second only."""

    def __init__(self, steps: Any, note: Callable[[Progress], None]) -> None:
        self._steps = steps
        self._note = note

    def __next__(self) -> Progress:
        return self._told(next(self._steps))

    def throw(self, error: BaseException) -> Progress:
        return self._told(self._steps.throw(error))

    def close(self) -> None:
        self._steps.close()

    def _told(self, progress: Progress) -> Progress:
        self._note(progress)
        return progress
