"""A button that scans which layer hurts, for the technique a recipe begins with, and a line of words."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from html import escape
from typing import TYPE_CHECKING

from workbench.errors import WorkbenchError
from workbench.exploration.records import ALONE, Effect, Sensitivity, effect_text
from workbench.measurement import units
from workbench.panels.parts import lean
from workbench.panels.state.layer_settings import for_all

if TYPE_CHECKING:
    from workbench.charts.layers import Layer
    from workbench.job import Job
    from workbench.panels.state.session import Session
    from workbench.technique import Technique


class ScanRow:
    """Starts and shows the scan of a session.

    Args:
        told: is called when there are more points, in the thread of the scan.
    """

    def __init__(self, session: Session, told: Callable[[], None]) -> None:
        self._session, self._told = session, told
        self._is_closed = False
        self._start = lean.Button(
            description="Scan sensitivity",
            icon="search",
            tooltip="Compress each layer alone with the recipe's first technique, and judge what it costs",
        )
        self._stop = lean.Button(
            description="End scan", icon="stop", tooltip="End the scan and keep what it has"
        )
        self._start.on_click(lambda _: self.start())
        self._stop.on_click(lambda _: self.stop())
        self._words = lean.HTML()
        self._words.add_class("wb-hint")
        self.widget = lean.HBox([self._start, self._stop, self._words])
        self.widget.add_class("wb-scan")
        session.scans.observe(self._heard)
        self.refresh()

    @property
    def said(self) -> str:
        """What the line says, as HTML."""
        return self._words.value

    @property
    def technique(self) -> Technique:
        """What is scanned: the recipe's first step that does not train, the same in every layer.

        Raises:
            WorkbenchError: there is none.
        """
        step = next((each for each in self._session.recipe if not each.trains), None)
        if step is None:
            raise WorkbenchError(
                "add a step that compresses first: its technique is what each layer is tried with"
            )
        return for_all(step)

    def start(self) -> None:
        """What the button does."""
        session = self._session
        try:
            if session.is_running:
                raise WorkbenchError("a run is going on; stop it first, or scan when it is done")
            session.scans.start(session.work, self.technique, ALONE, session.names)
        except WorkbenchError as error:
            session.fail(error)

    def stop(self) -> None:
        """What the Stop button does."""
        self._session.scans.stop()

    def close(self) -> None:
        """Nobody looks at it any more."""
        self._is_closed = True
        self._session.scans.stop()

    def refresh(self) -> None:
        """Show whether a scan goes on, and how far it is."""
        is_running = self._session.scans.is_running
        self._start.disabled = is_running or self._session.is_running
        lean.show(self._stop, is_running)
        self._words.value = f'<span role="status">{escape(self._line())}</span>'

    def filled(self, layers: Sequence[Layer]) -> list[Layer]:
        """The layers with what the scan has found in them so far."""
        scan = self._session.scans.scan
        if scan is None or scan.leave != ALONE:
            return list(layers)
        return [_with(each, scan) for each in layers]

    def _line(self) -> str:
        scans = self._session.scans
        job, scan = scans.job, scans.scan
        if job is None:
            return ""
        if job.is_running:
            left = f", {units.seconds(job.remaining)} left" if job.remaining is not None else ""
            return (
                "stopping: what was scanned is kept"
                if job.state == "stopping"
                else f"{job.progress.message}{left}"
            )
        if scan is None or not scan.effects:
            return "" if job.error is not None else "stopped before the first layer was scanned"
        return f"Sensitivity: {scan.summary}"

    def _heard(self, job: Job[Sensitivity]) -> None:
        if not self._is_closed and job is self._session.scans.job:
            self.refresh()
            self._told()


def _with(layer: Layer, scan: Sensitivity) -> Layer:
    found = scan.of(layer.name)
    if not found:
        return layer
    strongest = found[-1]
    words, detail = _text(strongest), f"{effect_text(strongest)} {scan.at(strongest)}".strip()
    return replace(layer, hurts=_lost(strongest), hurts_text=words, hurts_detail=detail)


def _lost(each: Effect) -> float | None:
    """Points of accuracy, or loss; None where it could not be tried."""
    if each.problem:
        return None
    return -100 * each.paired.difference if each.paired is not None else each.loss_change


def _text(each: Effect) -> str:
    """`−3.2 points`, and where the samples show no difference, that."""
    if each.is_untouched:
        return "not touched"
    if each.paired is None:
        return f"loss {units.signed(each.loss_change, 3)}"
    return f"{units.points(each.paired.difference)} points" if each.is_seen else "none seen"
