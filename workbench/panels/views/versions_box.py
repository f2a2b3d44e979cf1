"""The versions as a tree one walks through: named, noted, pinned, chosen in place; and saved to a file."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from html import escape
from typing import Any, ClassVar

import ipywidgets

from workbench.errors import VersionError
from workbench.live.board import ChartBoard
from workbench.panels.parts import lean
from workbench.panels.parts.traits import set_changed
from workbench.panels.parts.version_table import VersionTable
from workbench.panels.state import points
from workbench.panels.state.session import Session
from workbench.panels.state.version_rows import ORIGINAL, VersionRows, columns


class VersionsBox:
    """Shows the versions of a session; the one worked from is selected.

    Attributes:
        table: what a hand does in it, `hear(kind, id, value)` does too.
    """

    title = "Versions"
    topics = ("versions", "selection", "figures", "recipe", "compare")
    charts: ClassVar[Mapping[str, Callable[[], Any]]] = {}

    def __init__(self, session: Session, board: ChartBoard) -> None:
        self._session = session
        self._rows = VersionRows()
        self._runtime = session.runtime
        self._told = lean.HTML()
        self._told.add_class("wb-hint")
        self.table = VersionTable(columns(session.work, session.runtime), self.hear)
        self.table.observe(lambda _: self.refresh_buttons(), "marked")
        self._begin = _button(
            "Go on from it", "code-branch", "Let Run begin from the selected version", self._go_on
        )
        self._compare = _button("Compare", "columns", "Compare the two that are marked", self._compare_marked)
        self._again = _button(
            "", "refresh", "Look for versions that another notebook has added", session.read_again
        )
        self._name = lean.Text(placeholder="small.safetensors", tooltip="The file to write")
        self._save = _button(
            "Save", "save", "Write the version to this file (.safetensors or .onnx)", self._save_it
        )
        row = lean.HBox([self._begin, self._compare, self._again, self._name, self._save])
        row.add_class("wb-save")
        self.widget = lean.VBox([self._told, self.table, row])
        self.widget.add_class("wb-versions")
        self.refresh()

    def refresh(self) -> None:
        """Show the versions as they are."""
        session = self._session
        versions, listed, head = session.tree.versions, session.listed, session.tree.head
        if session.runtime != self._runtime:
            self._runtime = session.runtime
            self.table.columns = columns(session.work, session.runtime)
        known = points.of_baseline(session.estimates.known, versions).found
        self.table.show(self._rows.rows(session.work, listed, versions, session.runtime, known))
        set_changed(self.table, selected=head.id if head is not None else ORIGINAL)
        set_changed(self.table, begins=session.start.id if session.start is not None else ORIGINAL)
        set_changed(self._told, value=self._summary(len(listed), len(versions)))
        self.refresh_buttons()

    def refresh_buttons(self) -> None:
        """Let only those be pressed that can do something."""
        session = self._session
        head, start = session.tree.head, session.start
        is_begun = head is not None and start is not None and head.id == start.id
        set_changed(self._begin, disabled=head is None)
        set_changed(self._begin, description="From the original" if is_begun else "Go on from it")
        set_changed(self._compare, disabled=head is None and len(self.table.marked) < 2)
        set_changed(self._save, disabled=head is None)

    def hear(self, kind: str, id: str, value: Any = None) -> None:
        """What a person wants of a row: `select`, `rename`, `note`, `pin` or `begin`."""
        session = self._session
        if kind == "select":
            session.select(id or None)
        elif kind == "begin":
            session.begin_from(id or None)
        elif id and kind == "rename":
            session.rename(id, str(value))
        elif id and kind == "note":
            session.annotate(id, str(value))
        elif id and kind == "pin":
            session.pin(id, bool(value))

    def _go_on(self) -> None:
        """Let a run begin from the selected version; pressed again, from the original."""
        session = self._session
        head, start = session.tree.head, session.start
        is_begun = head is not None and start is not None and head.id == start.id
        session.begin_from(None if is_begun else head)

    def _compare_marked(self) -> None:
        """The two that are marked; one with the selected one; the selected one with the original."""
        session = self._session
        head = session.tree.head
        marked = [each for each in self.table.marked if each == ORIGINAL or each in session.tree]
        selected = head.id if head is not None else ORIGINAL
        if len(marked) < 2:
            marked = [*(marked or [ORIGINAL]), selected]
        try:
            session.comparisons.choose(marked[0] or None, marked[1] or None)
        except VersionError as error:
            session.fail(error)
            return
        session.comparisons.ask_to_look()

    def _save_it(self) -> None:
        self._session.save(self._name.value)

    def _summary(self, listed: int, there: int) -> str:
        head = self._session.tree.head
        standing = head.standing if head is not None else ""
        told = [
            _count(listed, there),
            *([f"{head.name} {standing}"] if standing and head is not None else []),
        ]
        return "<br>".join(map(escape, told))


def _count(listed: int, there: int) -> str:
    if not there:
        return "No version yet. Press Run: it makes one of this recipe, measured and kept."
    if listed < there:
        return f"{listed:,} of {there:,} versions: those selected (double-click the chart for all)"
    return f"{there:,} version{'s' * (there != 1)}; nothing is deleted by undo"


def _button(description: str, icon: str, tooltip: str, press: Callable[[], None]) -> ipywidgets.Button:
    button = lean.Button(description=description, icon=icon, tooltip=tooltip)
    button.on_click(lambda _: press())
    return button
