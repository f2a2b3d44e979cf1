"""The rows of the table of versions: what stands in each cell, and what a column is sorted by."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from workbench.measurement.quantities import STORED, Quantity, latency, quantities
from workbench.panels.state.picking import found_of
from workbench.versions.outline import outline

if TYPE_CHECKING:
    from workbench.measurement.found import Found
    from workbench.versions import Version
    from workbench.workload import Workload

ORIGINAL = ""  # the id of the original among the rows

Cell = tuple[float | str | None, str]


def columns(work: Workload, runtime: str) -> list[dict[str, str]]:
    """The columns right of the name, from left to right. `more` is what a column's head says of itself."""
    return [
        *(
            {"key": each.name, "title": _title(each), "more": _more(each), "kind": "number"}
            for each in shown(work, runtime)
        ),
        {
            "key": "recipe",
            "title": "recipe",
            "more": "what was done, from the version above it on",
            "kind": "recipe",
        },
        {
            "key": "note",
            "title": "note",
            "more": "double-click a note, or press N, to write one",
            "kind": "note",
        },
    ]


def shown(work: Workload, runtime: str) -> tuple[Quantity, ...]:
    """The quantities of the table: what is judged by first, the size, the latency on the chosen runtime."""
    first = next(iter(quantities(work, ()).values()))
    return tuple(dict.fromkeys((first, STORED, latency(runtime))))


class VersionRows:
    """Makes rows, and makes none again that it made before: a thousand versions change one by one."""

    def __init__(self) -> None:
        self._made: dict[tuple[str, str], tuple[Version, dict[str, Any]]] = {}

    def rows(
        self,
        work: Workload,
        listed: Sequence[Version],
        versions: Sequence[Version],
        runtime: str,
        known: Found,
    ) -> list[dict[str, Any]]:
        """The original, of which so much is `known`, then the listed versions as an outline."""
        columns = shown(work, runtime)
        found = [_original(columns, known)]
        for line in outline(listed, versions):
            found.append({**self._row(line.version, runtime, columns), "depth": line.depth})
        return found

    def _row(self, version: Version, runtime: str, columns: tuple[Quantity, ...]) -> dict[str, Any]:
        key = (version.id, runtime)
        kept = self._made.get(key)
        if kept is None or kept[0] is not version:
            kept = self._made[key] = (version, row(version, columns))
        return kept[1]


def row(version: Version, columns: Sequence[Quantity]) -> dict[str, Any]:
    """One version's row, but for its place."""
    recipe = str(version.recipe)
    stopped = " (stopped)" if version.is_stopped else ""
    return {
        "id": version.id,
        "name": version.name,
        "note": version.note,
        "pinned": version.is_pinned,
        "created": version.created,
        "cells": {**_cells(columns, found_of(version)), "recipe": (recipe, recipe + stopped)},
    }


def _original(columns: Sequence[Quantity], known: Found) -> dict[str, Any]:
    cells = {**_cells(columns, known), "recipe": ("", "")}
    return {"id": ORIGINAL, "name": "original", "note": "", "pinned": False, "cells": cells, "depth": 0}


def _cells(columns: Sequence[Quantity], found: Found) -> dict[str, Cell]:
    return {each.name: _cell(each, found) for each in columns}


def _cell(quantity: Quantity, found: Found) -> Cell:
    value = quantity.value(found)
    if value is None and quantity.why_not(found).startswith("simulated"):
        return None, "simulated"
    return value, quantity.unit.write(value)


def _title(quantity: Quantity) -> str:
    return quantity.title.partition(",")[0].removesuffix(" size")


def _more(quantity: Quantity) -> str:
    return f"{quantity.title}, {quantity.kind}: {quantity.help}"
