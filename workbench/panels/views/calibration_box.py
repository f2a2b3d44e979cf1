"""How much of a calibration is luck: the same one with other samples, at the press of a button."""

from __future__ import annotations

from typing import TYPE_CHECKING

from workbench.errors import WorkbenchError
from workbench.job import Job
from workbench.panels.parts import lean
from workbench.panels.parts.job_row import JobRow
from workbench.panels.state.session import Session
from workbench.techniques.quantize import Quantize

if TYPE_CHECKING:
    from workbench.exploration.quantization_spread import Calibrations


class CalibrationBox:
    """Calibrates the recipe's first `Quantize` with several draws of training data, and shows the spread."""

    topics = ("job", "recipe")

    def __init__(self, session: Session) -> None:
        self.found: Calibrations | None = None
        self._session = session
        self.row = JobRow(
            session,
            "Calibrate again",
            "Stop calibrating",
            "random",
            "Calibrate activations with five draws of the training data, and see how far they lie apart",
            self._job,
            self._ended,
        )
        self._table = lean.HTML()
        self._table.add_class("wb-scroll")
        self.widget = lean.VBox([self.row.widget, self._table])
        self.widget.add_class("wb-calibrations")

    def refresh(self) -> None:
        """A run and a calibration do not go on together."""
        self.row.refresh()

    def close(self) -> None:
        """The panel is closed."""
        self.row.close()

    def _job(self) -> Job[Calibrations]:
        from workbench.exploration.quantization_spread import repeating

        work = self._session.work
        step = next((each for each in self._session.recipe if isinstance(each, Quantize)), None)
        if step is None or step.activations is None or step.scheme != "static":
            raise WorkbenchError(
                "nothing is calibrated: give the recipe's Quantize activations=8 and scheme='static'"
            )
        return Job(lambda: repeating(work, step), seed=0, threads=work.threads)

    def _ended(self, found: Calibrations) -> str:
        self.found = found
        self._table.value = found.to_table()
        return found.summary
