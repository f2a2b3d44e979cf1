"""Run, Stop, how far it is, and the line that says what happened."""

from __future__ import annotations

from html import escape

from workbench.measurement import units
from workbench.panels.parts import lean
from workbench.panels.parts.traits import set_changed
from workbench.panels.state.session import Session

_STOP = "End the run at its next step and keep what there is"
_AGAIN = "Measure no further: what there is is kept with what is known of it"


class RunBox:
    """Shows the job of a session, and what went wrong in words."""

    topics = ("job", "status", "recipe", "versions")

    def __init__(self, session: Session) -> None:
        self._session = session
        self._run = lean.Button(description="Run", icon="play", tooltip="Make a version of this recipe")
        self._run.add_class("wb-run")
        self._run.on_click(lambda _: session.run())
        self._stop = lean.Button(description="Stop", icon="stop", tooltip=_STOP)
        self._stop.on_click(lambda _: session.stop())
        self._bar = lean.FloatProgress(min=0, max=1)
        self._left = lean.HTML()
        self._left.add_class("wb-left")
        self._status = lean.HTML()
        self._status.add_class("wb-status")
        self._record = lean.HTML()
        self._record.add_class("wb-record")
        row = lean.HBox([self._run, self._stop, self._bar, self._left])
        row.add_class("wb-runs")
        self.widget = lean.VBox([row, self._status, self._record])
        self.refresh()

    def refresh(self) -> None:
        """Show the job and the status as they are."""
        session, job = self._session, self._session.runs.job
        is_running = session.is_running
        set_changed(self._run, disabled=is_running or not len(session.recipe))
        again = session.runs.can_stop_again
        can_stop = is_running and (again or not session.runs.is_stopping)
        set_changed(self._stop, disabled=not can_stop, tooltip=_AGAIN if again else _STOP)
        lean.veil(self._bar, is_running)
        message, left = "", ""
        if job is not None and is_running:
            set_changed(self._bar, value=job.progress.fraction or 0.0)
            left = f"{units.seconds(job.remaining)} left" if job.remaining is not None else ""
            message = job.progress.message
        set_changed(self._left, value=left)
        set_changed(self._status, value=_line(session.error, session.status or message))
        set_changed(self._record, value=escape(session.foretold).replace("n = ", "n&nbsp;=&nbsp;"))


def _line(error: str, status: str) -> str:
    if error:
        return f'<span class="wb-error" role="alert">✕ {escape(error)}</span>'
    return f'<span role="status">{escape(status)}</span>'
