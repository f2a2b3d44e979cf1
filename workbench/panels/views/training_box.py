"""Training as it goes: the loss of every step, the accuracy after each epoch."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, ClassVar

from workbench.charts import training, validation
from workbench.live.board import ChartBoard
from workbench.panels.parts import lean
from workbench.panels.state.session import Session
from workbench.panels.state.steps import epochs


class TrainingBox:
    """Shows the training of the run that goes on, else of the version that is shown."""

    title = "Training"
    topics = ("figures", "training", "versions")
    charts: ClassVar[Mapping[str, Callable[[], Any]]] = {
        "training": training.chart,
        "validation": validation.chart,
    }

    def __init__(self, session: Session, board: ChartBoard) -> None:
        self._session = session
        self._board = board
        self.widget = lean.VBox([board.place("training"), board.place("validation")])
        self.refresh()

    def refresh(self) -> None:
        """Show the curves as they are."""
        recipe, records = self._session.training
        known, planned = self._session.estimates.known.accuracy, epochs(recipe) or None
        baseline = known.value if known is not None else None
        self._board.show(
            {
                "training": training.rows(records, planned),
                "validation": validation.rows(records, baseline, planned),
            },
            {
                "training": training.summary(records),
                "validation": validation.summary(records, baseline),
            },
        )
