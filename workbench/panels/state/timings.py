"""Time one model when a person asks for it, in the time between, with progress and a way to stop."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING

from workbench.errors import WorkbenchError
from workbench.job import Progress, Steps, Stopped
from workbench.panels.state.chosen import Chosen

if TYPE_CHECKING:
    from workbench.measurement.report import Latency
    from workbench.panels.state.worker import Worker

_TELL_EVERY = 0.2  # seconds


class Timings:
    """One timing at a time, in a worker's time between.

    Args:
        told: hears that something has changed, a few times a second.
    """

    def __init__(self, worker: Worker, told: Callable[[], None], failed: Callable[[Exception], None]) -> None:
        self.chosen: Chosen | None = None  # what is being timed
        self.progress = Progress()
        self._worker = worker
        self._told = told
        self._failed = failed
        self._is_stopping = False

    @property
    def is_running(self) -> bool:
        """Whether something is being timed."""
        return self.chosen is not None

    def start(
        self, chosen: Chosen, make: Callable[[], Steps[Latency]], done: Callable[[Latency], None]
    ) -> None:
        """Begin; `done(latency)` hears the result.

        Raises:
            WorkbenchError: something is being timed already.
        """
        if self.is_running:
            raise WorkbenchError("something is being timed already; stop it first, or wait for it")
        self.chosen, self.progress, self._is_stopping = chosen, Progress(0, 1, "waiting"), False
        self._worker.later(lambda: self._timing(make, done))
        self._told()

    def stop(self) -> None:
        """End it at its next round; what the rounds so far tell is kept."""
        self._is_stopping = self.is_running

    def _timing(self, make: Callable[[], Steps[Latency]], done: Callable[[Latency], None]) -> Iterator[None]:
        try:
            latency = yield from self._stepping(make())
        except Stopped:
            pass
        except Exception as error:
            self._failed(error)
        else:
            done(latency)
        finally:
            self.chosen = None
            self._told()

    def _stepping(self, steps: Steps[Latency]) -> Iterator[None]:
        told_at = 0.0
        is_asked = False
        while True:
            try:
                throws = self._is_stopping and not is_asked
                is_asked = is_asked or throws
                self.progress = steps.throw(Stopped()) if throws else next(steps)
            except StopIteration as end:
                return end.value
            if (now := time.monotonic()) - told_at >= _TELL_EVERY:
                told_at = now
                self._told()
            yield
