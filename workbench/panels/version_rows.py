"""The rows of the table of versions: what stands in each cell, and what a column is sorted by."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from workbench.measurement import units
from workbench.runtimes import title
from workbench.versions.outline import outline

if TYPE_CHECKING:
    from workbench.panels.figures import Known
    from workbench.versions import Version

ORIGINAL = ""  # the id of the original among the rows

Cell = tuple[float | str | None, str]


def columns(runtime: str) -> list[dict[str, str]]:
    """The columns right of the name, from left to right. `more` is what a column's head says of itself."""
    return [
        {"key": "accuracy", "title": "accuracy", "more": "measured, on the validation data"},
        {"key": "stored", "title": "stored", "more": "bytes of its file"},
        {"key": "latency", "title": "latency", "more": f"measured on {title(runtime)}, one sample"},
        {"key": "recipe", "title": "recipe", "more": "what was done, from the version above it on"},
        {"key": "note", "title": "note", "more": "double-click a note, or press N, to write one"},
    ]


class VersionRows:
    """Makes rows, and makes none again that it made before: a thousand versions change one by one."""

    def __init__(self) -> None:
        self._made: dict[tuple[str, str], tuple[Version, dict[str, Any]]] = {}

    def rows(
        self, listed: Sequence[Version], versions: Sequence[Version], runtime: str, known: Known
    ) -> list[dict[str, Any]]:
        """The original, then the listed versions as an outline."""
        found = [self._original(runtime, known)]
        for line in outline(listed, versions):
            found.append({**self._row(line.version, runtime), "depth": line.depth, "more": line.has_more})
        return found

    def _row(self, version: Version, runtime: str) -> dict[str, Any]:
        key = (version.id, runtime)
        kept = self._made.get(key)
        if kept is None or kept[0] is not version:
            kept = self._made[key] = (version, row(version, runtime))
        return kept[1]

    def _original(self, runtime: str, known: Known) -> dict[str, Any]:
        accuracy = known.accuracy.value if known.accuracy is not None else None
        milliseconds = known.median_ms(runtime)
        cells: dict[str, Cell] = {
            "accuracy": (accuracy, units.share(accuracy)),
            "stored": (known.stored, units.size(known.stored)),
            "latency": (milliseconds, units.milliseconds(milliseconds)),
            "recipe": ("", ""),
        }
        return {"id": ORIGINAL, "name": "original", "note": "", "pinned": False, "cells": cells, "depth": 0}


def row(version: Version, runtime: str) -> dict[str, Any]:
    """One version's row, but for its place."""
    report = version.report
    accuracy = report.accuracy if report is not None else None
    latency = report.latency.get(runtime) if report is not None else None
    stopped = " (stopped)" if version.is_stopped else ""
    recipe = str(version.recipe)
    cells: dict[str, Cell] = {
        "accuracy": (accuracy.value, units.share(accuracy.value)) if accuracy else (None, units.UNKNOWN),
        "stored": (version.packed_bytes, units.size(version.packed_bytes)),
        "latency": _latency(latency),
        "recipe": (recipe, recipe + stopped),
    }
    return {
        "id": version.id,
        "name": version.name,
        "note": version.note,
        "pinned": version.is_pinned,
        "created": version.created,
        "cells": cells,
    }


def _latency(latency: Any) -> Cell:
    if latency is None:
        return None, units.UNKNOWN
    if latency.is_simulated:
        return None, "simulated"
    return latency.median_ms, units.milliseconds(latency.median_ms)
