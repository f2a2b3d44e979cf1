"""The trade-off: every version, the preview and the baseline, and what a click or a rectangle means."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, ClassVar

import ipywidgets

from workbench.charts import tradeoff
from workbench.charts.tradeoff import Point
from workbench.live import kept
from workbench.live.board import ChartBoard
from workbench.live.selections import IntervalSelection, PointSelection, Selection
from workbench.panels import points
from workbench.panels.session import Session
from workbench.runtimes import runtimes

SIZE = "size"
_COSTS = {"tradeoff": tradeoff.chart, "latency": lambda: tradeoff.chart("latency")}


class TradeoffBox:
    """Shows a session's versions as marks; a click works from one, a rectangle narrows their list."""

    topics = ("figures", "versions")
    charts: ClassVar[Mapping[str, Callable[[], Any]]] = {"tradeoff": tradeoff.chart}

    def __init__(self, session: Session, board: ChartBoard) -> None:
        self._session = session
        self._board = board
        self._against = SIZE
        self._axis = ipywidgets.Dropdown(
            options=[
                ("stored size", SIZE),
                *((f"latency, {r.title}", name) for name, r in runtimes().items()),
            ],
            description="accuracy against",
            style={"description_width": "auto"},
            tooltip="What the trade-off is drawn against",
        )
        self._axis.observe(self._turned, "value")
        self._axis.add_class("wb-axis")
        self.widget = ipywidgets.VBox([self._axis, board.place("tradeoff")])
        self.widget.add_class("wb-tradeoff")
        board.on_selection(self._selected)
        self.refresh()

    def refresh(self) -> None:
        """Show the marks as they are."""
        marks, against = self._points(), self._kind
        self._board.show(
            {"tradeoff": tradeoff.rows(marks, against)}, {"tradeoff": tradeoff.summary(marks, against)}
        )

    @property
    def _kind(self) -> tradeoff.Axis:
        return SIZE if self._against == SIZE else "latency"

    def _points(self) -> list[Point]:
        session = self._session
        versions, head, runtime = session.tree.versions, session.tree.head, session.runtime
        marks = [points.of_baseline(session.estimates.known, runtime, versions)]
        preview = session.estimates.preview
        if session.version is None and preview is not None and len(session.recipe):
            marks.append(points.of_preview(preview))
        return [*marks, *(points.of_version(each, runtime, each is head) for each in versions)]

    def _turned(self, change: Any) -> None:
        """Draw against another cost: another chart in the same place."""
        self._against = change["new"]
        if self._against != SIZE:
            self._session.choose_runtime(self._against)
        name = "tradeoff" if self._against == SIZE else "latency"
        rows = tradeoff.rows(self._points(), self._kind)
        self._board.replace("tradeoff", kept.spec(name, _COSTS[name]), rows)

    def _selected(self, selection: Selection) -> None:
        """A click works from a version, or from the original; a rectangle narrows the list of versions."""
        if selection.chart != "tradeoff":
            return
        if isinstance(selection, PointSelection) and selection.name == "pick":
            ids = [id for id in selection.of("id") if id != points.PREVIEW]
            if ids:
                self._session.select(None if ids[-1] == points.ORIGINAL else ids[-1])
        elif isinstance(selection, IntervalSelection):
            drawn = [row for row in self._board.shown("tradeoff") if row["kind"] == "version"]
            inside = {row["id"] for row in drawn if selection.holds(row)}
            self._session.narrow(inside if selection.ranges else None)  # cleared: all again
