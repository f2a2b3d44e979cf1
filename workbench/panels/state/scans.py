"""The scan of a panel: one job at a time, and the scan so far as its points come."""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

from workbench.errors import WorkbenchError
from workbench.job import Job, Progress, Steps, forward

if TYPE_CHECKING:
    from workbench.exploration.records import Sensitivity
    from workbench.technique import Technique
    from workbench.workload import Workload


class Scans:
    """Starts and stops scans; one for all views of a session, so that each shows what another began."""

    def __init__(self) -> None:
        self.job: Job[Sensitivity] | None = None
        self.scan: Sensitivity | None = None
        self._listeners: list[Callable[[Job[Sensitivity]], None]] = []

    def observe(self, listener: Callable[[Job[Sensitivity]], None]) -> None:
        """Call `listener(job)` at start, five times a second, and at the end; see `Job.observe`."""
        self._listeners.append(listener)

    @property
    def is_running(self) -> bool:
        """Whether a scan is going on."""
        return self.job is not None and self.job.is_running

    def start(
        self, work: Workload, technique: Technique, leave: str, names: Mapping[str, Any] | None = None
    ) -> None:
        """Begin to scan, in a thread of its own.

        Raises:
            WorkbenchError: one is going on.
        """
        if self.is_running:
            raise WorkbenchError("a scan is going on; press Stop first, or wait for it")
        self.scan = None
        self.job = Job(lambda: self._scanning(work, technique, leave, names), seed=0, threads=work.threads)
        self.job.observe(self._told)
        self.job.start()

    def stop(self) -> None:
        """Ask the scan to end; what was scanned is kept."""
        if self.job is not None:
            self.job.stop()

    def forget(self) -> None:
        """End the scan and let go of what it found: it was about something else."""
        if (job := self.job) is not None and job.is_running:
            # elsewhere: to stop is to tell, and who forgets may hold the lock that the one told waits for
            threading.Thread(target=job.stop, daemon=True).start()
        self.job, self.scan = None, None

    def close(self) -> None:
        """Forget, and tell nobody any more: who listens holds the whole page."""
        self._listeners.clear()
        self.forget()

    def wait(self, timeout: float = 60.0) -> None:
        """Wait until the scan is done, however it ends.

        Raises:
            TimeoutError: it is not after `timeout` seconds.
        """
        if self.job is not None:
            self.job.wait_for_end(timeout)

    def _told(self, job: Job[Sensitivity]) -> None:
        for listener in list(self._listeners):
            listener(job)

    def _scanning(
        self, work: Workload, technique: Technique, leave: str, names: Mapping[str, Any] | None
    ) -> Steps[Sensitivity]:
        from workbench.exploration.sensitivity import scanning

        def kept(progress: Progress) -> Progress:
            self.scan = progress.record.get("scan", self.scan)
            return progress

        self.scan, _ = yield from forward(scanning(work, technique, leave=leave, names=names), kept)
        return self.scan
