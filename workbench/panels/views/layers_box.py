"""The Layers tab: the profile of the net, a table that can be sorted, and the layer that is looked at."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from html import escape
from typing import TYPE_CHECKING, Any, ClassVar

from workbench.charts import layers as chart
from workbench.charts.layer_measures import MEASURES
from workbench.live.board import ChartBoard
from workbench.live.selections import PointSelection, Selection
from workbench.panels.parts import lean
from workbench.panels.parts.layer_table import LayerTable
from workbench.panels.parts.scan_row import ScanRow
from workbench.panels.state import layer_settings
from workbench.panels.state.layer_clock import LayerClock
from workbench.panels.state.session import Session
from workbench.panels.views.layer_box import LayerBox

if TYPE_CHECKING:
    from workbench.charts.layers import Layer

_FIRST = "bytes"  # what the profile shows while the table is not sorted
_HINT = "Choose a layer, in the table or by its bar: its own setting, why it is locked, its weights."


class LayersBox:
    """Shows the layers of what a session shows: of a version, a preview, or the original.

    Attributes:
        shown: the layers as they are drawn. table: rows of them; set its `selected` to choose one, its
            `order` to sort. layer: the view of the chosen one; None until there was one. scan: the row of
            buttons.
    """

    title = "Layers"
    topics = ("figures", "layers", "layer", "recipe", "versions", "work", "job")
    charts: ClassVar[Mapping[str, Callable[[], Any]]] = {"layers": chart.chart, **LayerBox.charts}

    def __init__(self, session: Session, board: ChartBoard) -> None:
        self._session, self._board = session, board
        self.shown: list[Layer] = []
        self._drawn: tuple[Any, ...] | None = None
        self._clock = LayerClock(session, lambda: session.tell("layers"))
        self.scan = ScanRow(session, lambda: session.tell("layers"))
        self.table = LayerTable()
        self.table.observe(lambda change: session.look_at(change["new"]), "selected")
        self.table.observe(lambda _: session.tell("layers"), "order")
        self.layer: LayerBox | None = None
        self._said = lean.HTML()
        self._said.add_class("wb-hint")
        board.on_selection(self._picked)
        parts = [board.place("layers"), self.table, self._said, self.scan.widget]
        self.widget = lean.VBox(parts)
        self.widget.add_class("wb-layers")
        self.refresh()

    @property
    def measure(self) -> str:
        """The figure whose bars are drawn: the one that the table is sorted by."""
        key = self.table.order.get("key", "")
        return key if key in MEASURES else _FIRST

    def refresh(self) -> None:
        """Show the layers as they are."""
        self.scan.refresh()
        if self._drawn != (now := self._inputs()):
            self._draw()
            self._drawn = now
        if self.layer is None and self._session.layer:
            self.layer = LayerBox(self._session, self._board)
            self.widget.children = (*self.widget.children, self.layer.widget)
        if self.layer is not None:
            self.layer.refresh(self.shown)

    def _inputs(self) -> tuple[Any, ...]:
        """What the table and the bars are drawn from; an estimate that runs on changes none of it."""
        session = self._session
        found = session.estimates.layers(session.version)
        times = self._clock.times(found)
        scan, trouble = session.scans.scan, self._clock.trouble
        return found, times, trouble, scan, session.draft, session.layer, self.measure

    def _draw(self) -> None:
        session = self._session
        found = self._clock.filled(session.estimates.layers(session.version))
        found = [
            replace(
                each,
                is_selected=each.name == session.layer,
                setting=layer_settings.said(session.draft, each.name),
            )
            for each in self.scan.filled(found)
        ]
        self.shown = found
        self.table.show(found)
        if self.table.selected != session.layer:
            self.table.selected = session.layer
        text = chart.summary(found, self.measure)
        has_weights = next(session.work.baseline.parameters(), None) is not None
        hint = chart.WAITING if has_weights else chart.HINT
        self.table.hint = f"{hint}."
        self._board.show({"layers": chart.rows(found, self.measure, hint)}, {"layers": text})
        self._said.value = self._words(found)

    def close(self) -> None:
        """The panel is closed."""
        self.scan.close()

    def _words(self, found: list[Layer]) -> str:
        """How times were measured, and what can be done."""
        lines = [] if any(each.is_selected for each in found) or not found else [_HINT]
        if self._session.work.example is None:
            lines.append("No time and no MACs: the shape of an input is not known.")
        elif self._clock.trouble:
            lines.append(f"No time: the model could not be run ({self._clock.trouble}).")
        elif (times := self._clock.times(found)) is not None:
            rest = max(0.0, times.rest_ms / times.whole_ms) if times.whole_ms else 0.0
            lines.append(
                f"Time: measured inside the pass, {times.how}; {rest:.0%} of it passes between the layers. "
                "Zeros and bits do not change it: these kernels are dense, in float32."
            )
        return " ".join(escape(line) for line in lines)

    def _picked(self, selection: Selection) -> None:
        """A click on a bar looks at that layer."""
        is_bar = isinstance(selection, PointSelection) and selection.chart == "layers"
        if is_bar and (names := selection.of("name")):
            self._session.look_at(str(names[-1]))
