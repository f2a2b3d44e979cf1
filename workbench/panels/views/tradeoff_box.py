"""The trade-off: every version, the preview and the baseline, and what a click or a rectangle means."""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping
from typing import Any, ClassVar

from workbench.charts import tradeoff, tradeoff_rows
from workbench.charts.tradeoff import VERSIONS, Point, Shown
from workbench.errors import OptionError, listed, nearest
from workbench.errors import shown as text_of
from workbench.live import kept
from workbench.live.board import ChartBoard
from workbench.live.selections import IntervalSelection, PointSelection, Selection
from workbench.measurement.quantities import ACCURACY, STORED, Quantity, quantities
from workbench.panels.parts import lean
from workbench.panels.parts.axes_row import AxesRow
from workbench.panels.parts.choice_list import ChoiceList
from workbench.panels.state import points
from workbench.panels.state.session import Session

CHART = "tradeoff"
_RESTING = f"{CHART}:{VERSIONS}"


class TradeoffBox:
    """Shows a session's versions as marks; a click works from one, shift-click or a rectangle select many."""

    topics = ("figures", "versions", "selection", "limits")
    charts: ClassVar[Mapping[str, Callable[[], Any]]] = {CHART: tradeoff.chart}

    def __init__(self, session: Session, board: ChartBoard) -> None:
        self._session = session
        self._board = board
        self._boxed: set[str] = set()  # ids a rectangle holds
        self._rested: tuple[tuple[Any, ...], list[tradeoff_rows.Row], list[Point]] = ((), [], [])
        self._known = self._quantities()
        y = ACCURACY.name if ACCURACY.name in self._known else next(iter(self._known))
        self._axes = AxesRow([*self._known.values()], STORED.name, y, self._turned)
        self._list = ChoiceList(session)
        top = lean.HBox([self._list.button, self._axes.widget])
        top.add_class("wb-tradeoff-top")
        self.widget = lean.VBox([top, board.place(CHART), self._list.widget])
        self.widget.add_class("wb-tradeoff")
        self._drawn_of = (STORED.name, ACCURACY.name)
        self._last: tuple[Any, ...] = ()
        self._drawing = threading.RLock()  # a preview's thread must not draw what another axis has overtaken
        board.on_selection(self._selected)
        self.refresh()

    def refresh(self) -> None:
        """Show the marks as they are; several topics tell of one change, which is drawn once."""
        if (now := self._told()) == self._last:
            return
        self._last = now
        self._known = self._quantities()
        self._axes.offer([*self._known.values()])
        self._draw()
        self._list.refresh()
        self._forget_the_rectangle()

    @property
    def axes(self) -> tuple[str, str]:
        """The names of the quantities across and upward."""
        return self._axes.x, self._axes.y

    def choose_axes(self, x: str, y: str) -> None:
        """Draw these two quantities.

        Raises:
            OptionError: there is none of that name; the line lists those there are.
        """
        for name in (x, y):
            if name not in self._known:
                close, there = nearest(str(name), self._known), listed(self._known, 20)
                raise OptionError(f"nothing called {text_of(name)} to draw{close} (there are: {there})")
        self._axes.show(x, y)

    def _told(self) -> tuple[Any, ...]:
        """All that is shown. Versions are compared by identity, so a thousand take no time."""
        session = self._session
        tree, estimates, picking = session.tree, session.estimates, session.picking
        shown = session.version is None and len(session.recipe) > 0
        records = (session.work, tree.head, estimates.known, estimates.preview if shown else None)
        return (*records, picking.limits, tuple(picking.selection), session.runtime, tuple(tree.versions))

    def _draw(self) -> None:
        with self._drawing:
            self._draw_now()

    def _draw_now(self) -> None:
        shown = self._shown()
        marks, versions = self._marks(shown)
        others = self._others()
        missing = tradeoff_rows.not_drawn(versions, shown) if len(marks) < len(versions) else ""
        moving = tradeoff_rows.moving(others, marks, shown, missing)
        text = tradeoff.told(others, versions, marks, shown)
        named = {CHART: moving, _RESTING: marks}
        if (shown.x.name, shown.y.name) == self._drawn_of:
            self._board.show(named, {CHART: text})
            return
        self._drawn_of = (shown.x.name, shown.y.name)
        kinds = "-".join("log" if each.unit.is_log else "linear" for each in (shown.x, shown.y))
        spec = kept.spec(f"{CHART}-{kinds}", lambda: tradeoff.template(shown.x, shown.y))
        self._board.replace(CHART, tradeoff.filled(spec, shown.x, shown.y), named, text)

    def _shown(self) -> Shown:
        session = self._session
        picking, head = session.picking, session.tree.head
        outcome = picking.outcome()
        given = picking.limits.given(session.runtime)
        return Shown(
            self._known.get(self._axes.x, STORED),
            self._known.get(self._axes.y, ACCURACY),
            head.id if head is not None else None,
            frozenset(each.id for each in picking.selection),
            outcome.best,
            {name: limit for name, (_, limit) in given.items()},
            {id: verdict.fits for id, verdict in outcome.verdicts.items()},
        )

    def _marks(self, shown: Shown) -> tuple[list[tradeoff_rows.Row], list[Point]]:
        """The versions' marks, made again only where one of them, an axis or the limits have changed."""
        versions = self._session.tree.versions
        key = (shown.x.name, shown.y.name, tuple(shown.fits.items()), tuple(versions))
        if key != self._rested[0]:
            made = [points.of_version(each) for each in versions]
            self._rested = (key, tradeoff_rows.versions(made, shown), made)
        return self._rested[1], self._rested[2]

    def _others(self) -> list[Point]:
        """The baseline and, where one is shown, the preview."""
        session = self._session
        baseline = points.of_baseline(session.estimates.known, session.tree.versions)
        preview = session.estimates.preview
        if session.version is None and preview is not None and len(session.recipe):
            return [baseline, points.of_preview(preview)]
        return [baseline]

    def _quantities(self) -> dict[str, Quantity]:
        """What can be drawn: latency only on runtimes where something was timed, and on the one shown."""
        session = self._session
        timed = [name for name in session.estimates.known.latency]
        timed += [name for each in session.tree.versions if each.report for name in each.report.latency]
        return quantities(session.work, dict.fromkeys([session.runtime, *timed]))

    def _turned(self) -> None:
        """Draw other quantities: another chart in the same place; latency on a runtime shows that runtime."""
        for name in self.axes:
            group, _, runtime = name.partition(":")
            if group == "latency" and runtime != self._session.runtime:
                self._session.choose_runtime(runtime)
        self._draw()

    def _selected(self, selection: Selection) -> None:
        """A click works from a version, or from the original; a shift-click or a rectangle selects many."""
        if selection.chart != CHART:
            return
        if isinstance(selection, PointSelection) and selection.name == "pick":
            self._clicked(selection)
        elif isinstance(selection, IntervalSelection):
            self._drew(selection)

    def _clicked(self, selection: PointSelection) -> None:
        session, ids = self._session, [id for id in selection.of("id") if id in self._ids()]
        if not ids:
            return
        if not selection.is_adding:
            session.choose(None)
            session.select(None if ids[-1] == points.ORIGINAL else ids[-1])
        elif ids[-1] != points.ORIGINAL:
            session.toggle(ids[-1])

    def _drew(self, selection: IntervalSelection) -> None:
        inside = {row["id"] for row in self._board.shown(_RESTING) if selection.holds(row)}
        was_mine = self._boxed == {each.id for each in self._session.picking.selection}
        self._boxed = inside
        if inside or was_mine:  # a rectangle that is cleared takes only its own selection away
            self._session.choose(inside or None)

    def _forget_the_rectangle(self) -> None:
        """A rectangle does not stay on the chart when something else has been selected since."""
        if self._boxed and self._boxed != {each.id for each in self._session.picking.selection}:
            self._boxed = set()
            self._board.clear(CHART, "box")

    def _ids(self) -> set[str]:
        return {points.ORIGINAL, *(each.id for each in self._session.tree.versions)}
