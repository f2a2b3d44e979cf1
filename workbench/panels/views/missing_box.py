"""What to give a panel whose workload has no validation data, or no example of its inputs."""

from __future__ import annotations

from typing import Any

from workbench.panels.parts import lean
from workbench.panels.state import missing
from workbench.panels.state.session import Session

_CHOOSE = ("choose from this notebook", "")


class MissingBox:
    """Shown only while something is missing: variables to choose from, and a shape to type."""

    topics = ("work",)

    def __init__(self, session: Session) -> None:
        self._session = session
        common = {"style": {"description_width": "auto"}}
        self._data = lean.Dropdown(
            options=[_CHOOSE],
            value="",
            description="validation data",
            tooltip="Loaders and data sets of this notebook",
            **common,
        )
        self._data.observe(self._chosen, "value")
        self._shape = lean.Text(
            description="input shape",
            placeholder="3, 224, 224",
            continuous_update=False,
            tooltip="The shape of one sample, without the batch",
            **common,
        )
        self._shape.observe(self._typed, "value")
        self.widget = lean.HBox([self._data, self._shape])
        self.widget.add_class("wb-missing")
        self.refresh()

    def refresh(self) -> None:
        """Show what is missing now."""
        work = self._session.work
        names = missing.found(self._session.names) if work.validation is None else []
        self._data.options = [_CHOOSE, *((name, name) for name in names)]
        lean.show(self._data, names)
        lean.show(self._shape, work.example is None)
        lean.show(self.widget, names or work.example is None)

    def _chosen(self, change: Any) -> None:
        if change["new"]:
            self._session.give(validation=self._session.names[change["new"]])

    def _typed(self, change: Any) -> None:
        if change["new"].strip():
            self._session.give_shape(change["new"])
