"""The right side: the trade-off on top, layers, training and versions as tabs below it."""

from __future__ import annotations

from typing import Any

import ipywidgets

from workbench.charts import layers, tradeoff, training, validation
from workbench.charts.tradeoff import Point
from workbench.live import kept
from workbench.live.board import ChartBoard
from workbench.live.selections import IntervalSelection, PointSelection, Selection
from workbench.panels import points
from workbench.panels.session import Session
from workbench.panels.steps import epochs
from workbench.runtimes import runtimes

SIZE = "size"
_COSTS = {"tradeoff": tradeoff.chart, "latency": lambda: tradeoff.chart("latency")}
_CHARTS = {
    "tradeoff": tradeoff.chart,
    "layers": layers.chart,
    "training": training.chart,
    "validation": validation.chart,
}


class ChartsBox:
    """Streams what a session knows into the charts of one board."""

    topics = ("figures", "layers", "training", "versions")

    def __init__(self, session: Session, versions: ipywidgets.Widget) -> None:
        self._session = session
        self._against = SIZE
        self._sent: dict[str, Any] = {}
        charts = {name: kept.spec(name, make) for name, make in _CHARTS.items()}
        rows, texts = self._rows()
        self.board = ChartBoard(charts, rows)
        self.board.update(rows, texts)
        self.board.on_selection(self._selected)
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
        places = {name: self.board.place(name) for name in charts}
        trained = ipywidgets.VBox([places["training"], places["validation"]])
        bars = ipywidgets.VBox([places["layers"]])
        bars.add_class("wb-scroll")
        tabs = ipywidgets.Tab([bars, trained, versions], titles=("Layers", "Training", "Versions"))
        self.widget = ipywidgets.VBox([self._axis, places["tradeoff"], tabs])
        self.widget.add_class("wb-charts")

    def refresh(self) -> None:
        """Send the rows that differ from those sent before."""
        rows, texts = self._rows()
        fresh = {name: each for name, each in rows.items() if self._sent.get(name) != each}
        if fresh:
            self._sent.update(fresh)
            self.board.update(fresh, {name: texts[name] for name in fresh})

    def _rows(self) -> tuple[dict[str, Any], dict[str, str]]:
        session = self._session
        marks, bars = self._points(), session.estimates.layers(session.version)
        recipe, records = session.training
        known = session.estimates.known.accuracy
        baseline = known.value if known is not None else None
        against = SIZE if self._against == SIZE else "latency"
        rows = {
            "tradeoff": tradeoff.rows(marks, against),
            "layers": layers.rows(bars),
            "training": training.rows(records, epochs(recipe) or None),
            "validation": validation.rows(records, baseline, epochs(recipe) or None),
        }
        texts = {
            "tradeoff": tradeoff.summary(marks, against),
            "layers": layers.summary(bars),
            "training": training.summary(records),
            "validation": validation.summary(records, baseline),
        }
        return rows, texts

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
        rows, _ = self._rows()
        self._sent["tradeoff"] = rows["tradeoff"]
        self.board.replace("tradeoff", kept.spec(name, _COSTS[name]), rows["tradeoff"])

    def _selected(self, selection: Selection) -> None:
        """A click works from a version, or from the original; a rectangle narrows the list of versions."""
        if isinstance(selection, PointSelection) and selection.name == "pick":
            ids = [id for id in selection.of("id") if id != points.PREVIEW]
            if ids:
                self._session.select(None if ids[-1] == points.ORIGINAL else ids[-1])
        elif isinstance(selection, IntervalSelection):
            drawn = [row for row in self._sent.get("tradeoff", []) if row["kind"] == "version"]
            inside = {row["id"] for row in drawn if selection.holds(row)}
            self._session.narrow(inside if selection.ranges else None)  # cleared: all again
