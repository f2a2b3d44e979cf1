"""What a version may cost at most and must reach at least, as a person types it, and which versions do."""

from __future__ import annotations

from html import escape
from typing import Any

import ipywidgets

from workbench.exploration.limits import LIMITED, meant, words
from workbench.measurement.units import SIZE_NOTE
from workbench.panels.parts import lean
from workbench.panels.state.session import Session

_EXAMPLES = {"max_memory": "256 KB"}  # what a small device has


class LimitsBox:
    """One text field for each limit, and the outcome in words."""

    topics = ("limits", "versions", "figures", "work")

    def __init__(self, session: Session) -> None:
        self._session = session
        self._is_showing = False
        self._fields = {name: self._field(name) for name in LIMITED}
        row = lean.Box([*self._fields.values()])
        row.add_class("wb-limits-row")
        self._told = lean.HTML()
        self._told.add_class("wb-limits-told")
        self.widget = lean.VBox([row, self._told])
        self.widget.add_class("wb-limits")
        self.refresh()

    def refresh(self) -> None:
        """Show the limits that hold, and what they leave."""
        limits = self._session.picking.limits
        self._is_showing = True
        try:
            for name, field in self._fields.items():
                text = _spelt(name, getattr(limits, name), field.value)
                if field.value != text:
                    field.value = text
        finally:
            self._is_showing = False
        lean.show(self._fields["min_accuracy"], self._session.work.is_classification)
        self._told.value = f'<span role="status">{escape(self._said())}</span>'

    def _said(self) -> str:
        session = self._session
        if not session.picking.limits:
            return ""
        if not len(session.tree):
            return "No version yet to hold against these limits: press Run."
        return session.picking.told()

    def _field(self, name: str) -> ipywidgets.Text:
        quantity = LIMITED[name](self._session.runtime)
        sign = "≥" if quantity.is_higher_better else "≤"
        field = lean.Text(
            placeholder=_EXAMPLES.get(name, quantity.unit.example),
            description=f"{words(name).split()[0]} {sign}",
            continuous_update=False,
            style={"description_width": "auto"},
            tooltip=_tooltip(name, quantity.help, quantity.unit.name),
        )
        field.observe(lambda change: self._typed(name, change), "value")
        return field

    def _typed(self, name: str, change: Any) -> None:
        if not self._is_showing:
            self._session.limit_one(name, change["new"])


def _spelt(name: str, value: float | None, typed: str) -> str:
    """A limit as text: as it was typed, where that means the same; else so that it reads back exactly."""
    if value is None:
        return ""
    if _is(name, typed, value):
        return typed
    written = LIMITED[name]("").unit.write(value)
    return written if _is(name, written, value) else f"{value:.12g}"


def _is(name: str, text: str, value: float) -> bool:
    try:
        return meant(name, text) == value
    except ValueError:
        return False


def _tooltip(name: str, help_: str, unit: str) -> str:
    note = f" ({SIZE_NOTE}, 1 KiB = 1,024)" if unit == "bytes" else ""
    return f"{words(name)[0].upper()}{words(name)[1:]}: {help_}{note}; empty for no limit"
