"""The versions as a list one can walk through with the keyboard, and the file one leaves with."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from html import escape
from typing import TYPE_CHECKING, Any, ClassVar

import ipywidgets

from workbench.live.board import ChartBoard
from workbench.measurement import units
from workbench.panels.session import Session

if TYPE_CHECKING:
    from workbench.versions import Version

_ORIGINAL = ""  # the id of the original in the list
_ROWS = 8


class VersionsBox:
    """Shows the versions of a session; the one worked from is selected."""

    title = "Versions"
    topics = ("versions",)
    charts: ClassVar[Mapping[str, Callable[[], Any]]] = {}

    def __init__(self, session: Session, board: ChartBoard) -> None:
        self._session = session
        self._is_showing = False
        self._told = ipywidgets.HTML()
        self._told.add_class("wb-hint")
        self._list = ipywidgets.Select(
            rows=_ROWS, tooltip="Work from a version: its recipe goes into the controls"
        )
        self._list.add_class("wb-list")
        self._list.observe(self._selected, "value")
        self._name = ipywidgets.Text(placeholder="small.safetensors", tooltip="The file to write")
        self._save = ipywidgets.Button(
            description="Save", icon="save", tooltip="Write the version to this file (.safetensors or .onnx)"
        )
        self._save.on_click(lambda _: session.save(self._name.value))
        row = ipywidgets.HBox([self._name, self._save])
        row.add_class("wb-save")
        self.widget = ipywidgets.VBox([self._told, self._list, row])
        self.widget.add_class("wb-versions")
        self.refresh()

    def refresh(self) -> None:
        """Show the versions as they are, newest first, the original last."""
        session = self._session
        versions = session.listed
        options = [*((line(each), each.id) for each in reversed(versions)), ("original", _ORIGINAL)]
        head = session.tree.head
        shown = head.id if head is not None and head in versions else _ORIGINAL if head is None else None
        self._is_showing = True
        try:
            if options != list(self._list.options):
                self._list.options = options
            if self._list.value != shown:
                self._list.value = shown
        finally:
            self._is_showing = False
        self._save.disabled = head is None
        told = _summary(len(versions), len(session.tree))
        standing = head.standing if head is not None else ""
        self._told.value = f"{told}<br>{escape(f'{head.name} {standing}')}" if standing else told

    def _selected(self, change: Any) -> None:
        if not self._is_showing and change["new"] is not None:
            self._session.select(change["new"] or None)


def line(version: Version) -> str:
    """`v3   98.2 %   6.17 KB   25×   PruneWeights(…)`, padded to columns for a fixed-width font."""
    report = version.report
    accuracy = units.share(report.accuracy.value) if report and report.accuracy else units.UNKNOWN
    before = report.baseline_size.stored if report else None
    ratio = units.times(before / version.packed_bytes) if before else ""
    columns = [
        f"{version.name[:12]:<5}",
        f"{accuracy:>8}",
        f"{units.size(version.packed_bytes):>9}",
        f"{ratio:>5}",
    ]
    stopped = "  (stopped)" if version.is_stopped else ""
    return f"{' '.join(columns)}  {version.recipe}{stopped}".replace(" ", "\u00a0")


def _summary(listed: int, there: int) -> str:
    if not there:
        return "No version yet. Press Run: it makes one of this recipe, measured and kept."
    if listed < there:
        return f"{listed} of {there} versions: those in the rectangle (double-click the chart for all)"
    return f"{there} version{'s' * (there != 1)}: name, accuracy, stored, smaller by, recipe"
