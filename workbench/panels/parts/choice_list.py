"""The versions as a list in which many can be selected by keyboard, folded away until it is asked for."""

from __future__ import annotations

from typing import Any

from workbench.measurement.quantities import STORED
from workbench.panels.parts import lean
from workbench.panels.state.picking import found_of
from workbench.panels.state.session import Session

_ROWS = 6
_OPEN, _CLOSED = "caret-down", "caret-right"


class ChoiceList:
    """A list with the session's selection; it holds nothing while it is folded."""

    def __init__(self, session: Session) -> None:
        self._session = session
        self._is_showing = False
        self.button = lean.ToggleButton(
            description="select", icon=_CLOSED, tooltip="Select versions from a list, by keyboard too"
        )
        self.button.add_class("wb-more")
        self.button.observe(self._folded, "value")
        self._list = lean.SelectMultiple(
            rows=_ROWS,
            description="Selected versions (shift or ctrl for many)",
            style={"description_width": "auto"},
        )
        self._list.add_class("wb-list")
        self._list.add_class("wb-choice")
        self._list.observe(self._selected, "value")
        self.widget = self._list
        lean.show(self.widget, False)

    def refresh(self) -> None:
        """Show the versions and which are selected, where the list is open."""
        if not self.button.value:
            return
        session = self._session
        options = [(self._line(each), each.id) for each in reversed(session.tree.versions)]
        chosen = {each.id for each in session.picking.selection}
        self._is_showing = True
        try:
            if options != list(self._list.options):
                self._list.options = options
            value = tuple(id for _, id in options if id in chosen)
            if self._list.value != value:
                self._list.value = value
        finally:
            self._is_showing = False

    def _line(self, version: Any) -> str:
        found = found_of(version)
        by = self._session.picking.by
        figures = (quantity.unit.write(quantity.value(found)) for quantity in dict.fromkeys((by, STORED)))
        return " · ".join((version.name, *figures, str(version.recipe)))

    def _folded(self, change: Any) -> None:
        self.button.icon = _OPEN if change["new"] else _CLOSED
        self.refresh()
        lean.show(self.widget, change["new"])

    def _selected(self, change: Any) -> None:
        if not self._is_showing:
            self._session.choose(change["new"])
