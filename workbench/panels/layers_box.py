"""What each layer keeps, layer by layer."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, ClassVar

import ipywidgets

from workbench.charts import layers
from workbench.live.board import ChartBoard
from workbench.panels.session import Session


class LayersBox:
    """Shows the layers of what a session shows: of a version, a preview, or the original."""

    title = "Layers"
    topics = ("figures", "layers", "versions")
    charts: ClassVar[Mapping[str, Callable[[], Any]]] = {"layers": layers.chart}

    def __init__(self, session: Session, board: ChartBoard) -> None:
        self._session = session
        self._board = board
        self.widget = ipywidgets.VBox([board.place("layers")])
        self.widget.add_class("wb-scroll")
        self.refresh()

    def refresh(self) -> None:
        """Show the layers as they are."""
        bars = self._session.estimates.layers(self._session.version)
        self._board.show({"layers": layers.rows(bars)}, {"layers": layers.summary(bars)})
