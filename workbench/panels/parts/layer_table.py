"""A table of layers in the page: sorted by any column, one of them chosen, cells changed in place."""

from __future__ import annotations

import math
import threading
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import anywidget
import traitlets

from workbench.charts.layer_measures import MEASURES, Measure
from workbench.charts.layers import HINT, weighted
from workbench.live.scripts import text_of

if TYPE_CHECKING:
    from workbench.charts.layers import Layer

MODELS_ORDER = {"key": "", "direction": "none"}


class LayerTable(anywidget.AnyWidget):
    """Shows layers, a column for each figure there is; only cells that have changed travel to the page.

    Attributes:
        selected: the layer that is chosen; the empty text where none is.
        order: the column that is sorted by, and its direction; `MODELS_ORDER` at first.
    """

    _esm = text_of(Path(__file__).with_name("layer_table.js"))

    columns = traitlets.List().tag(sync=True)
    hint = traitlets.Unicode(f"{HINT}.").tag(sync=True)
    # all rows, for a page that loads (again); a page that listens gets messages of what has changed
    latest = traitlets.Dict().tag(sync=True)
    selected = traitlets.Unicode().tag(sync=True)
    order = traitlets.Dict(MODELS_ORDER).tag(sync=True)

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._is_heard = False
        columns = [
            {"key": each.key, "title": each.title, "kind": each.kind, "help": each.help}
            for each in MEASURES.values()
        ]
        super().__init__(columns=columns, latest={"revision": 0, "names": [], "rows": {}})
        self.on_msg(self._hear)

    def show(self, layers: Sequence[Layer]) -> None:
        """Show these layers, in this order where none is asked for; what is shown already does not travel."""
        found = weighted(layers)
        tops = {each.key: _top(each, found) for each in MEASURES.values()}
        rows = {each.name: _row(each, tops) for each in found}
        names = list(rows)
        with self._lock:
            before = self.latest["rows"]
            fresh = {n: _changed(before.get(n), row) for n, row in rows.items() if before.get(n) != row}
            if not fresh and names == self.latest["names"]:
                return
            revision = self.latest["revision"] + 1
            self.latest = {"revision": revision, "names": names, "rows": rows}
            if self._is_heard:
                self.send({"kind": "rows", "revision": revision, "names": names, "rows": fresh})

    def _hear(self, _: Any, content: Mapping[str, Any], __: Any) -> None:
        """A page says that it listens from now on: it gets what it may have missed, then messages."""
        if content.get("kind") == "ready":
            with self._lock:
                self._is_heard = True
                self.send({"kind": "rows", **self.latest})

    def _should_send_property(self, key: str, value: Any) -> bool:
        if key == "latest" and self._is_heard:
            return False
        return super()._should_send_property(key, value)


def _row(layer: Layer, tops: Mapping[str, float]) -> dict[str, Any]:
    cells = [_cell(layer, each, tops[each.key]) for each in MEASURES.values()]
    return {"name": layer.name, "what": layer.what, "note": layer.setting, "cells": cells}


def _changed(before: Mapping[str, Any] | None, row: Mapping[str, Any]) -> dict[str, Any]:
    """A row with those cells alone that are not as they were, by their number."""
    old = before["cells"] if before is not None else [None] * len(row["cells"])
    pairs = enumerate(zip(old, row["cells"], strict=True))
    return {**row, "cells": {number: cell for number, (was, cell) in pairs if was != cell}}


def _cell(layer: Layer, measure: Measure, top: float) -> list[Any]:
    """The text, the number to sort by, the two bars as shares, and what has changed."""
    now, before = measure.now(layer), measure.before(layer)
    if now is not None and not math.isfinite(now):  # JSON has no word for it
        now = None
    shares = [round(max(0.0, each or 0.0) / top, 3) for each in (now, before)]
    return [measure.text(layer), now, *shares, measure.change(layer)]


def _top(measure: Measure, layers: Sequence[Layer]) -> float:
    """The longest bar of a column; as long as the original's is longest, bars rest while a slider moves."""
    values = [each for layer in layers for each in (measure.before(layer), measure.now(layer)) if each]
    return max((each for each in values if math.isfinite(each)), default=0.0) or 1.0
