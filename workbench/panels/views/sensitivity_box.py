"""Which layer hurts: a Scan button, how far it is, and the chart that fills in; one layer in figures."""

from __future__ import annotations

import threading
from html import escape
from typing import TYPE_CHECKING, Any

import ipywidgets

from workbench.charts import sensitivity
from workbench.errors import WorkbenchError
from workbench.exploration.plan import derived, varied
from workbench.exploration.records import ALONE, ONE_OUT, effect_text, strength_text
from workbench.live.board import ChartBoard
from workbench.live.selections import PointSelection, Selection
from workbench.measurement import units
from workbench.panels.paper.blocks import Block, Table
from workbench.panels.parts import lean
from workbench.panels.state.layer_link import Follower
from workbench.panels.state.session import Session
from workbench.technique import Technique, find, techniques

if TYPE_CHECKING:
    from workbench.exploration.records import Effect, Sensitivity
    from workbench.job import Job

_CHART = "sensitivity"
_HEAD = ("strength", "judged", "change", "output error", "saves, claimed")
_LEAVE = (("one layer at a time", ALONE), ("all layers but one", ONE_OUT))


class SensitivityBox:
    """Scans what each layer of a session's model takes, for any technique, and shows it as it comes.

    A step of the recipe of the same technique gives the options that are not varied.
    """

    topics = ("recipe", "work", "layer")

    def __init__(self, session: Session) -> None:
        self._session = session
        self._work = session.work
        self._drawing = threading.RLock()
        self._is_loss = False
        self._is_closed = False
        self.scans = session.scans
        self.scans.observe(self._told)
        self.board = ChartBoard({_CHART: sensitivity.chart()}, {_CHART: []})
        self.board.on_selection(self._picked)
        names = [name for name, cls in techniques().items() if not cls.trains]
        self._technique = _choice("scan", names, "What each layer is compressed with")
        self._technique.value = self._first(names)
        self._leave = _choice("", _LEAVE, "One layer at a time, or all of them but one")
        self._scan = _button(
            "Scan layers", "search", "Compress each layer alone at a few strengths, and judge"
        )
        self._scan.on_click(lambda _: self.start())
        self._stop = _button("Stop scan", "stop", "End the scan and keep what was scanned")
        self._stop.on_click(lambda _: self.stop())
        self._bar = lean.FloatProgress(min=0, max=1)
        self._left = lean.HTML()
        self._left.add_class("wb-left")
        self._status = lean.HTML()
        self._status.add_class("wb-status")
        self._layer = _choice("layer", [], "Look at one layer; a click on its row does the same")
        self._table = lean.HTML()
        for each in (self._technique, self._leave):
            each.observe(lambda _: self._asked_for_another(), "value")
        self._layer.observe(lambda _: self._draw(), "value")
        self._link = Follower(session, self._layer)
        self.widget = self._laid_out()
        self.refresh()

    @property
    def scan(self) -> Sensitivity | None:
        """What was scanned so far."""
        return self.scans.scan

    @property
    def layer(self) -> str:
        """The layer that is looked at; set it to look at another."""
        return self._layer.value or ""

    @layer.setter
    def layer(self, name: str) -> None:
        if name in self._layer.options:
            self._layer.value = name

    @property
    def technique(self) -> Technique:
        """What a scan would try: the recipe's step of the chosen technique, or one with defaults."""
        cls = find(self._technique.value)
        steps = [each for each in self._session.recipe if type(each) is cls]
        return steps[0] if steps else cls()

    def choose(self, name: str) -> None:
        """What choosing a technique in the list does."""
        self._technique.value = name

    def start(self) -> None:
        """What the Scan button does."""
        try:
            if self._session.is_running:
                raise WorkbenchError("a run is going on; stop it first, or scan when it is done")
            self.scans.start(self._session.work, self.technique, self._leave.value, self._session.names)
        except WorkbenchError as error:
            self._fail(error)

    def stop(self) -> None:
        """What the Stop button does."""
        self.scans.stop()

    def wait(self, timeout: float = 60.0) -> None:
        """Wait until the scan is done.

        Raises:
            TimeoutError: it is not after `timeout` seconds.
        """
        self.scans.wait(timeout)

    def told(self) -> list[Block]:
        """The scan as a table, for readers without a kernel."""
        if self.scan is None:
            return []
        header, *rows = self.scan.lines()
        return [Table(self.scan.summary, header, tuple(rows))]

    def close(self) -> None:
        """End the scan: nobody looks at it any more."""
        self._is_closed = True
        self.scans.stop()

    def refresh(self) -> None:
        """Show what there is; a scan of another workload is let go."""
        if self._session.work is not self._work:
            self._work = self._session.work
            self.scans.forget()
        self._link.follow()
        self._draw()

    def _asked_for_another(self) -> None:
        """Another question: the last answer goes, and comes back at once when it is asked for again."""
        if not self.scans.is_running:
            self.scans.forget()
            self._say("")
        self._draw()

    def _told(self, job: Job[Sensitivity]) -> None:
        """The scan goes on, or has ended."""
        if self._is_closed or job is not self.scans.job:
            return
        if job.error is not None:
            self._say(self._session.error, is_error=True)  # the session has heard of it first
        elif not job.is_running and job.result is None:
            self._say("stopped before the first layer was scanned")
        elif self.scan is not None and not job.is_running:
            self._say(self.scan.summary)
        else:
            stopping = job.state == "stopping"
            self._say("stopping: what was scanned is kept" if stopping else job.progress.message)
        self._draw()

    def _fail(self, error: BaseException) -> None:
        self._session.fail(error)
        self._say(self._session.error, is_error=True)

    def _say(self, text: str, is_error: bool = False) -> None:
        inner = f'<span class="wb-error" role="alert">✕ {escape(text)}</span>' if is_error else escape(text)
        self._status.value = f'<span role="status">{inner}</span>'

    def _draw(self) -> None:
        """One thread at a time: the scan's, or that of a control."""
        if self._is_closed:
            return
        with self._drawing:
            job = self.scans.job
            is_running = self.scans.is_running
            self._scan.disabled, self._stop.disabled = is_running, not is_running
            lean.veil(self._bar, is_running)
            remaining = job.remaining if job is not None and is_running else None
            self._left.value = f"{units.seconds(remaining)} left" if remaining is not None else ""
            self._bar.value = (job.progress.fraction or 0.0) if job is not None and is_running else 0.0
            self._list_layers()
            self._show_chart()
            self._table.value = _table(self.scan, self.layer)

    def _list_layers(self) -> None:
        names = list(self.scan.layers) if self.scan is not None else self._names()
        if list(self._layer.options) != names:
            before = self._layer.value
            self._layer.options = names
            self._layer.value = before if before in names else next(iter(names), None)

    def _show_chart(self) -> None:
        scan = self.scan
        is_loss = scan is not None and bool(scan.n) and scan.accuracy is None
        rows = sensitivity.rows(scan, self.layer, self._names(), self._strengths())
        if is_loss != self._is_loss:
            self._is_loss = is_loss
            self.board.replace(_CHART, sensitivity.chart(is_loss), rows)
        self.board.update({_CHART: rows}, {_CHART: sensitivity.summary(scan)})

    def _names(self) -> list[str]:
        """The layers a scan goes through."""
        from workbench.layers import weights

        return list(dict.fromkeys(each.layer for each in weights(self._work.baseline)))

    def _strengths(self) -> list[str]:
        """The strengths a scan would try, in words."""
        cls = find(self._technique.value)
        if (option := varied(cls)) is None:
            return []
        return [strength_text(each, option.unit) for each in cls.strengths or derived(option)]

    def _first(self, names: list[str]) -> str:
        """The first technique of the recipe that can be scanned, else the first there is."""
        used = [type(each).__name__ for each in self._session.recipe]
        return next((name for name in used if name in names), names[0])

    def _picked(self, selection: Selection) -> None:
        """A click on a layer's row looks at it."""
        if isinstance(selection, PointSelection) and (picked := selection.of("name")):
            self.layer = str(picked[-1])
            self._session.look_at(self.layer)

    def _laid_out(self) -> ipywidgets.VBox:
        first = lean.HBox([self._technique, self._leave])
        row = lean.HBox([self._scan, self._stop, self._bar, self._left])
        row.add_class("wb-runs")
        first.add_class("wb-choices")
        chart = lean.VBox([self.board.place(_CHART)])
        chart.add_class("wb-scroll")
        box = lean.VBox([first, row, self._status, chart, self._layer, self._table])
        box.add_class("wb-sensitivity")
        return box


def _table(scan: Sensitivity | None, layer: str) -> str:
    """One layer's points in figures, with what the technique said about them."""
    found = scan.of(layer) if scan is not None else ()
    if scan is None or not found:
        return ""
    head = "".join(f"<th>{each}</th>" for each in _HEAD)
    rows = "".join(_row(scan, each) for each in found)
    said = dict.fromkeys(note for each in found for note in (*each.notes, *_also(each)))
    notes = "".join(f'<p class="wb-hint">{escape(note)}</p>' for note in said)
    table = f'<table class="wb-table"><thead><tr>{head}</tr></thead><tbody>{rows}</tbody></table>'
    return f'<p class="wb-hint">{escape(_title(scan, layer))}</p>{table}{notes}'


def _title(scan: Sensitivity, layer: str) -> str:
    what = (
        f"{scan.step} in {layer} alone" if scan.leave == ALONE else f"{scan.step} everywhere but in {layer}"
    )
    against = (
        f", against {scan.accuracy}" if scan.accuracy is not None else f", against a loss of {scan.loss:.4g}"
    )
    return f"{what}{against}"


def _row(scan: Sensitivity, each: Effect) -> str:
    strength = strength_text(each.strength, scan.unit)
    if each.problem:
        return f'<tr><td>{escape(strength)}</td><td colspan="4">{escape(each.problem)}</td></tr>'
    judged = str(each.accuracy) if each.accuracy is not None else f"loss {each.loss:.4g}"
    cells = (
        strength,
        judged,
        effect_text(each),
        units.share(each.output_error),
        units.size(each.saved_bytes),
    )
    return "<tr>" + "".join(f"<td>{escape(cell)}</td>" for cell in cells) + "</tr>"


def _also(each: Effect) -> tuple[str, ...]:
    return (f"changed with it: {', '.join(each.also)}",) if each.also else ()


def _choice(description: str, options: Any, tooltip: str) -> ipywidgets.Dropdown:
    return lean.Dropdown(
        options=options, description=description, tooltip=tooltip, style={"description_width": "auto"}
    )


def _button(description: str, icon: str, tooltip: str) -> ipywidgets.Button:
    return lean.Button(description=description, icon=icon, tooltip=tooltip)
