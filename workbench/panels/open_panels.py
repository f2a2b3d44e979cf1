"""The panels that are open, so that running a cell again does not leave the old one's widgets behind."""

from __future__ import annotations

import threading
from typing import Any, Protocol

import ipywidgets

MOST = 12  # panels; a page with more has forgotten the first


class Panel(Protocol):
    """What is kept here."""

    comm: Any

    def close(self) -> None: ...


_lock = threading.RLock()
_open: dict[int, tuple[Panel, tuple[str, str]]] = {}


def opened(panel: ipywidgets.Widget) -> None:
    """A panel was made: close those of an earlier run of the same cell, and the oldest of too many."""
    cell, run = _place(panel)
    with _lock:
        old = [each for each, (c, r) in list(_open.values()) if cell and c == cell and r != run]
        old += [each for each, _ in list(_open.values())[: max(0, len(_open) + 1 - MOST)] if each not in old]
        _open[id(panel)] = (panel, (cell, run))
    for each in old:
        each.close()


def closed(panel: ipywidgets.Widget) -> None:
    """A panel was closed."""
    with _lock:
        _open.pop(id(panel), None)


def close_of(cell: str) -> int:
    """Close the panels that were made in a cell; how many they were."""
    with _lock:
        found = [each for each, (place, _) in list(_open.values()) if cell and place == cell]
    for each in found:
        each.close()
    return len(found)


def _place(panel: ipywidgets.Widget) -> tuple[str, str]:
    """The cell a panel was made in and the run of that cell, as the front end names them; empty elsewhere."""
    try:
        parent = panel.comm.kernel.get_parent("shell")
        return parent["metadata"].get("cellId", ""), parent["header"]["msg_id"]
    except (AttributeError, KeyError, TypeError):
        return "", ""
