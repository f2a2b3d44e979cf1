"""The top: what the panel is about, undo and redo, the truth strip, and what it is to show."""

from __future__ import annotations

from collections.abc import Iterable
from html import escape
from typing import Any

import ipywidgets

from workbench.measurement import units
from workbench.panels.parts import lean
from workbench.panels.parts.traits import set_changed
from workbench.panels.state import chosen, figures
from workbench.panels.state.figures import Figure, Strip
from workbench.panels.state.session import Session
from workbench.runtimes import runtimes

_MARKS = {"baseline": "■", "preview": "○", "version": "●"}
_LINES = ("name", "value", "detail", "change", "verdict")


class StripBox:
    """Shows the figures of what a session shows: a version, a preview, or the original."""

    topics = ("work", "figures", "recipe", "versions", "timing", "job")

    def __init__(self, session: Session) -> None:
        self._session = session
        self._is_showing = False
        self._title = lean.HTML()
        self._title.add_class("wb-title")
        self._undo = lean.Button(description="undo", icon="undo", tooltip="Take the last move back")
        self._redo = lean.Button(description="redo", icon="repeat", tooltip="Do it again")
        self._undo.on_click(lambda _: session.undo())
        self._redo.on_click(lambda _: session.redo())
        top = lean.HBox([self._title, self._undo, self._redo])
        top.add_class("wb-top")
        self._cells = lean.HTML()
        self._cells.add_class("wb-cells")
        self.widget = lean.VBox([top, self._cells, self._choices()])
        self.widget.add_class("wb-strip")
        self.refresh()

    def refresh(self) -> None:
        """Show the figures as they are."""
        session = self._session
        strip = strip_of(session)
        set_changed(self._undo, disabled=not session.can_undo)
        set_changed(self._redo, disabled=not session.can_redo)
        set_changed(
            self._title,
            value=f'<span class="wb-what">{escape(session.work.name)}</span>'
            f'<span class="wb-mark wb-{strip.kind}">{_MARKS[strip.kind]} {escape(strip.title)}</span>',
        )
        cells = "".join(_cell(figure) for figure in strip.figures)
        said = f'<p class="wb-said">{escape(strip.sentence)}</p>'
        set_changed(self._cells, value=f'<div class="wb-figures wb-{strip.kind}">{cells}</div>{said}')
        self._show_choices()
        self._show_timing(strip)

    def _choices(self) -> ipywidgets.Widget:
        """What the strip shows: lists for the metric and for where latency is measured."""
        self._metric = _list("metric", "How good a model is judged to be")
        self._runtime = _list("latency on", "The runtime that latency is measured on")
        self._runtime.options = [(each.title, name) for name, each in runtimes().items()]
        self._batch = _list("batch", "Samples in one forward pass")
        self._threads = _list("threads", "Threads that the runtime may use")
        for name, each in self._lists.items():
            each.observe(lambda change, name=name: self._chosen(name, change), "value")
        self._now = lean.Button(description="Measure now", icon="clock-o")
        self._now.add_class("wb-measure")
        self._now.on_click(lambda _: self._pressed())
        self._timing = lean.HTML()
        self._timing.add_class("wb-timing")
        row = lean.HBox([*self._lists.values(), self._now, self._timing])
        row.add_class("wb-chosen")
        return row

    @property
    def _lists(self) -> dict[str, ipywidgets.Dropdown]:
        return {
            "metric": self._metric,
            "runtime": self._runtime,
            "batch": self._batch,
            "threads": self._threads,
        }

    def _show_choices(self) -> None:
        now = self._session.chosen
        self._is_showing = True
        try:
            metrics = [(each.title, name) for name, each in self._session.metrics.items()]
            _offer(self._metric, metrics, now.metric)
            set_changed(self._runtime, value=now.runtime)
            _offer(self._batch, _counts(chosen.BATCHES, now.batch), now.batch)
            _offer(self._threads, _counts(chosen.thread_counts(), now.threads), now.threads)
        finally:
            self._is_showing = False

    def _show_timing(self, strip: Strip) -> None:
        """The button, which becomes a Stop while something is timed, and how far it is."""
        session, timings = self._session, self._session.estimates.timings
        if timings.is_running:
            tooltip = "End it at its next round"
            set_changed(self._now, description="Stop", icon="stop", tooltip=tooltip, disabled=False)
            done, said = timings.progress.fraction or 0.0, timings.progress.message
            message = escape(said.partition(": ")[2] or said)  # which runtime stands in the list beside it
            set_changed(self._timing, value=f'<span role="status">{units.share(done, 0)} · {message}</span>')
        else:
            can = strip.can_be_timed and not session.is_running and session.work.example is not None
            tooltip = "Time this beside the original, in turns" if can else "Nothing is missing here"
            set_changed(
                self._now, description="Measure now", icon="clock-o", tooltip=tooltip, disabled=not can
            )
            set_changed(self._timing, value="")

    def _chosen(self, name: str, change: Any) -> None:
        if not self._is_showing and change["new"] is not None:
            self._session.show(**{name: change["new"]})

    def _pressed(self) -> None:
        if self._session.estimates.timings.is_running:
            self._session.estimates.timings.stop()
        else:
            self._session.measure_now()


def strip_of(session: Session) -> Strip:
    """The figures of what a session shows."""
    estimates, now = session.estimates, session.chosen
    version, untimed = session.version, estimates.untimed.get(now.settings, "")
    metric = session.metrics[now.metric]
    if version is not None and version.report is not None:
        return figures.of_version(version.name, version.report, estimates.known, now, untimed, metric)
    preview = estimates.preview  # a preview that fails takes it away, in another thread
    if preview is not None and len(session.recipe):
        return figures.of_preview(preview, estimates.known, now, untimed, metric)
    return figures.of_baseline(estimates.known, now, untimed, metric)


def _cell(figure: Figure) -> str:
    said = figure.kind if figure.kind != figure.title else ""  # not "stored stored"
    kind = f' <span class="wb-kind">{escape(said)}</span>' if said else ""
    texts = {"name": figure.title, "value": figure.value, "detail": figure.detail}
    texts |= {"change": figure.change, "verdict": figure.verdict}
    # an empty line keeps its height: nothing below it jumps
    told = "".join(
        f'<div class="wb-{line}" title="{escape(texts[line]) if line in ("detail", "change") else ""}">'
        f"{escape(texts[line]) or '&nbsp;'}{kind if line == 'name' else ''}</div>"
        for line in _LINES
    )
    return f'<div role="group" aria-label="{escape(figure.title)}">{told}</div>'


def _list(description: str, tooltip: str) -> ipywidgets.Dropdown:
    return lean.Dropdown(description=description, tooltip=tooltip, style={"description_width": "auto"})


def _counts(offered: Iterable[int], now: int) -> list[tuple[str, int]]:
    """Counts to choose from, with the one that holds among them."""
    return [(str(each), each) for each in sorted({*offered, now})]


def _offer(dropdown: ipywidgets.Dropdown, options: list[tuple[str, Any]], now: Any) -> None:
    """These in a list, and the one that holds shown."""
    if list(dropdown.options) != options:
        dropdown.options = options
    set_changed(dropdown, value=now)
