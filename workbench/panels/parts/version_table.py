"""A table of versions that one walks through with the keyboard: sorted, named, noted and pinned in place.

The widget shows rows and tells what a person wants; it decides nothing. What travels is small: all rows once,
then only those that changed.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import anywidget
import traitlets

from workbench.live.scripts import text_of

_HERE = Path(__file__).parent

Row = dict[str, Any]


class VersionTable(anywidget.AnyWidget):
    """Rows with `id`, `name`, `depth`, `note`, `pinned` and `cells`: `(what to sort by, text)` by column.

    Args:
        wants: `wants(kind, id, value)` hears what a person does: `select`, `rename`, `note`, `pin`, `begin`.

    Attributes:
        selected: the id of the row one works from. begins: of the one a run begins from.
        marked: ids of at most two rows that are to be compared.
    """

    _esm = text_of(_HERE / "version_table.js")

    columns = traitlets.List().tag(sync=True)
    # for a page that loads (again); a page that listens gets what changed as messages instead
    rows = traitlets.List().tag(sync=True)
    selected = traitlets.Unicode("").tag(sync=True)
    begins = traitlets.Unicode("").tag(sync=True)
    marked = traitlets.List(traitlets.Unicode()).tag(sync=True)

    def __init__(self, columns: Sequence[Mapping[str, str]], wants: Callable[[str, str, Any], None]) -> None:
        self._is_heard = False
        self._wants = wants
        self._sending = threading.RLock()
        super().__init__(columns=[dict(each) for each in columns])
        self.on_msg(self._hear)

    def show(self, rows: Sequence[Row]) -> int:
        """Show these rows in this order; those that are shown already do not travel again. How many did."""
        with self._sending:
            before = {each["id"]: each for each in self.rows}
            changed = [each for each in rows if before.get(each["id"]) != each]
            order = [each["id"] for each in rows]
            is_same_order = order == [each["id"] for each in self.rows]
            if not changed and is_same_order:
                return 0
            self.rows = list(rows)
            if self._is_heard:
                told: dict[str, Any] = {"kind": "rows", "changed": changed}
                self.send(told if is_same_order else {**told, "order": order})
            return len(changed)

    def _hear(self, _: Any, content: Mapping[str, Any], __: Any) -> None:
        kind = content.get("kind")
        if (
            kind == "ready"
        ):  # it has the rows of its state; what was changed since it asked for them comes now
            with self._sending:
                self._is_heard = True
                order = [each["id"] for each in self.rows]
                self.send({"kind": "rows", "changed": list(self.rows), "order": order})
        elif isinstance(kind, str) and isinstance(content.get("id"), str):
            self._wants(kind, content["id"], content.get("value"))

    def _should_send_property(self, key: str, value: Any) -> bool:
        if key == "rows" and self._is_heard:
            return False
        return super()._should_send_property(key, value)
