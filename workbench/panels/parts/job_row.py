"""A button that begins a piece of long work, one that stops it, and a line that says how far it is."""

from __future__ import annotations

from collections.abc import Callable
from html import escape
from typing import Any

import ipywidgets

from workbench.errors import WorkbenchError
from workbench.job import Job
from workbench.measurement import units
from workbench.panels.parts import lean
from workbench.panels.state.session import Session

_STOPPED = "stopped before there was anything to tell; press again to go on"


class JobRow:
    """Runs one job at a time beside a session, in a thread of its own.

    Args:
        start, stop: what the buttons are called. icon, tooltip: of the first.
        make: makes the job from the session as it is; what it refuses goes to the session's status line.
        ended: hears the result, and says in words what came of it.
        before: controls that stand left of the buttons.
    """

    def __init__(
        self,
        session: Session,
        start: str,
        stop: str,
        icon: str,
        tooltip: str,
        make: Callable[[], Job[Any]],
        ended: Callable[[Any], str],
        before: tuple[ipywidgets.Widget, ...] = (),
    ) -> None:
        self.job: Job[Any] | None = None
        self._session, self._make, self._ended = session, make, ended
        self._is_closed = False
        self._start = lean.Button(description=start, icon=icon, tooltip=tooltip)
        self._stop = lean.Button(
            description=stop, icon="stop", disabled=True, tooltip="End it at its next step"
        )
        self._told = lean.HTML()
        self._start.on_click(lambda _: self.start())
        self._stop.on_click(lambda _: self.stop())
        wraps = lean.layout(flex_flow="row wrap")
        row = lean.HBox([*before, self._start, self._stop], layout=wraps)
        self.widget = lean.VBox([row, self._told])

    @property
    def is_running(self) -> bool:
        """Whether it is at work."""
        return self.job is not None and self.job.is_running

    @property
    def said(self) -> str:
        """What the line says, as HTML."""
        return self._told.value

    def refresh(self) -> None:
        """A run and other long work do not go on together."""
        self._start.disabled = self._session.is_running or self.is_running

    def start(self) -> None:
        """What the button does."""
        try:
            if self.is_running or self._session.is_running:
                raise WorkbenchError("something is going on; stop it first, or wait for it")
            self.job = self._make()
        except WorkbenchError as error:
            self._session.fail(error)
            return
        self.job.observe(self._heard)
        self.job.start()

    def stop(self) -> None:
        """What the Stop button does."""
        if self.job is not None:
            self.job.stop()

    def close(self) -> None:
        """Nobody looks at it any more."""
        self._is_closed = True
        self.stop()

    def wait(self, timeout: float = 60.0) -> None:
        """Wait until it is done, however it ends.

        Raises:
            TimeoutError: it is not after `timeout` seconds.
        """
        if self.job is not None:
            self.job.wait_for_end(timeout)

    def _heard(self, job: Job[Any]) -> None:
        """Say how far it is, and at the end what came of it."""
        self._session.estimates.pause(job.is_running, job)
        if self._is_closed:
            return
        self._start.disabled, self._stop.disabled = job.is_running, not job.is_running
        if job.is_running:
            left = f", {units.seconds(job.remaining)} left" if job.remaining is not None else ""
            self._say(f"{job.progress.message}{left}")
        elif job.error is not None:
            self._say("")
            self._session.fail(job.error)
        else:
            self._say(_STOPPED if job.result is None else self._ended(job.result))

    def _say(self, text: str) -> None:
        self._told.value = f'<span role="status">{escape(text)}</span>'
