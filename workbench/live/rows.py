"""Rows as one message: small sets as they are, larger ones as columns, numbers in binary."""

from __future__ import annotations

import math
from array import array
from collections.abc import Mapping, Sequence
from typing import Any

Row = Mapping[str, Any]
Rows = Sequence[Row]

MAIN = "rows"  # the source of a chart that has one
COLUMNS_FROM = 100  # rows; below, column buffers cost more than they save


def packed(charts: Mapping[str, Rows]) -> tuple[dict[str, Any], list[bytes]]:
    """The `charts` part of a message, and the buffers it refers to by their index."""
    buffers: list[bytes] = []
    parts = {}
    for name, rows in charts.items():
        parts[name] = {"rows": list(rows)} if len(rows) < COLUMNS_FROM else _columns(rows, buffers)
    return parts, buffers


def plain(rows: Rows) -> list[dict[str, Any]]:
    """Rows as JSON can hold them: NaN and infinity become None, NumPy's numbers Python's."""
    return [{key: _plain(value) for key, value in row.items()} for row in rows]


def sources(spec: Any) -> list[str]:
    """The names of the data sources a spec draws, the main one first."""
    if isinstance(spec, list):
        return [*dict.fromkeys([MAIN, *(name for each in spec for name in sources(each))])]
    if not isinstance(spec, Mapping):
        return [MAIN]
    own = [data["name"]] if isinstance(data := spec.get("data"), Mapping) and "name" in data else []
    return [*dict.fromkeys([MAIN, *own, *(name for each in spec.values() for name in sources(each))])]


def _plain(value: Any) -> Any:
    if value is None or isinstance(value, (str, bool, int)):
        return value
    if isinstance(value, (list, tuple)):
        return [_plain(each) for each in value]
    if isinstance(value, Mapping):
        return {key: _plain(each) for key, each in value.items()}
    if hasattr(value, "item"):
        return _plain(value.item())
    return float(value) if math.isfinite(value) else None


def _columns(rows: Rows, buffers: list[bytes]) -> dict[str, Any]:
    numbers, others = {}, {}
    for name in dict.fromkeys(key for row in rows for key in row):
        values = [row.get(name) for row in rows]
        if all(value is None or _is_number(value) for value in values):
            numbers[name] = len(buffers)
            # float64: exact for every whole number of bytes; NaN stands for None
            buffers.append(array("d", (math.nan if value is None else value for value in values)).tobytes())
        else:
            others[name] = values
    return {"length": len(rows), "numbers": numbers, "others": others}


def _is_number(value: Any) -> bool:
    return isinstance(value, (int, float)) and not isinstance(value, bool)
