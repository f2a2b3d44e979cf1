"""One widget that owns all Vega views of a panel: specs once, rows as one message a tick."""

from __future__ import annotations

import threading
import uuid
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import anywidget
import ipywidgets
import traitlets

from workbench.live import bundle, rows, selections
from workbench.live.scripts import text_of

_HERE = Path(__file__).parent


class ChartBoard(anywidget.AnyWidget):
    """Charts by name, and the rows last sent to each.

    `board = ChartBoard({"trade-off": chart})` compiles nothing in Python: the page builds each view once, and
    `board.update({"trade-off": rows})` replaces the rows of its data source named `rows`. Other sources of a
    chart have rows of their own (`"trade-off:versions"`), so that what rests does not travel when the rest
    moves. Updates may come from any thread and as often as they like: the page draws the latest on its next
    frame, and only charts that can be seen. Zoom and selections stay over updates and over a change of theme.
    """

    _esm = text_of(_HERE / "board.js")
    _css = text_of(_HERE / "board.css")

    board = traitlets.Unicode().tag(sync=True)
    specs = traitlets.Dict().tag(sync=True)
    # the latest rows, for a page that loads (again); a page that listens gets messages instead
    latest = traitlets.Dict().tag(sync=True)
    selections = traitlets.Dict().tag(sync=True)

    def __init__(self, charts: Mapping[str, Any], initial: Mapping[str, rows.Rows] | None = None) -> None:
        """
        Args:
            charts: an Altair chart, or its spec, by name.
            initial: rows by chart name, there before the first paint.
        """
        self._lock = threading.Lock()
        self._is_heard = False
        self._revision = 0
        self._shown: dict[str, rows.Rows] = {}  # as they were given
        self._listeners: list[Callable[[selections.Selection], None]] = []
        bundle.bring_to_page()
        specs = {name: _spec(chart) for name, chart in charts.items()}
        latest = {name: {"revision": 0, "rows": rows.plain(each)} for name, each in (initial or {}).items()}
        super().__init__(board=uuid.uuid4().hex, specs=specs, latest=latest)
        self.on_msg(self._hear)

    def update(self, charts: Mapping[str, rows.Rows], texts: Mapping[str, str] | None = None) -> int:
        """Show these rows in these charts; the others keep theirs.

        Args:
            charts: rows by chart name, or by `chart:source`.
            texts: what a chart shows in words, by chart name, for a screen reader.

        Returns:
            the number of this update; the page writes it to a chart's `data-revision` once it is painted.

        Raises:
            KeyError: a name this board has no chart for.
        """
        for name in charts:
            if name.partition(":")[0] not in self.specs:
                raise KeyError(f"this board has no chart {name!r}; it has: {', '.join(self.specs)}")
        cleaned = {name: rows.plain(each) for name, each in charts.items()}
        with self._lock:
            self._revision += 1
            told = {name: self._told(name, each, texts) for name, each in cleaned.items()}
            self.latest = {**self.latest, **told}
            if self._is_heard:
                self._send_rows(told)
            return self._revision

    def show(self, charts: Mapping[str, rows.Rows], texts: Mapping[str, str] | None = None) -> None:
        """Show these rows in these charts; what a chart shows already does not travel again."""
        fresh = {name: each for name, each in charts.items() if self._shown.get(name) != each}
        if fresh:
            self.update(fresh, texts)
            self._shown.update(fresh)

    def replace(
        self, name: str, chart: Any, shown: rows.Rows | Mapping[str, rows.Rows], text: str | None = None
    ) -> None:
        """Put another chart in the place of `name`, with its rows (by `chart:source` where it has more)."""
        named = shown if isinstance(shown, Mapping) else {name: shown}
        self.update(named, None if text is None else {name: text})
        self._shown.update(named)
        self.specs = {**self.specs, name: _spec(chart)}

    def clear(self, chart: str, name: str) -> None:
        """Take away a rectangle that was drawn in a chart; nobody is told."""
        self.send({"kind": "clear", "chart": chart, "name": name})

    def shown(self, name: str) -> list[dict[str, Any]]:
        """The rows last sent to a chart, of all its sources; of one source with `chart:source`."""
        parts = [part for key, part in self.latest.items() if key == name or key.startswith(f"{name}:")]
        return [row for part in parts for row in part["rows"]]

    def selection(self, chart: str, name: str) -> selections.Selection | None:
        """What is selected in a chart now, or None where nothing ever was."""
        told = self.selections.get(chart, {}).get(name)
        return None if told is None else selections.from_front_end(chart, name, told)

    def on_selection(self, listener: Callable[[selections.Selection], None]) -> None:
        """Call `listener(selection)` when a person selects something."""
        self._listeners.append(listener)

    def forget(self) -> None:
        """Let go of rows, specs and listeners: the board is closed, and may be held for long."""
        self._listeners.clear()
        self._shown.clear()
        self.specs, self.latest = {}, {}

    def place(self, name: str) -> ChartPlace:
        """A widget that shows one chart of this board, to be put anywhere on the page."""
        return ChartPlace(owner=self, board=self.board, chart=name)

    def _told(
        self, name: str, shown: list[dict[str, Any]], texts: Mapping[str, str] | None
    ) -> dict[str, Any]:
        text = (texts or {}).get(name, self.latest.get(name, {}).get("text", ""))
        # the revision comes first: traitlets compares old and new, and stops there
        return {"revision": self._revision, "rows": shown, "text": text}

    def _send_rows(self, told: Mapping[str, dict[str, Any]]) -> None:
        parts, buffers = rows.packed({name: each["rows"] for name, each in told.items()})
        for name, part in parts.items():
            part.update(revision=told[name]["revision"], text=told[name].get("text", ""))
        self.send({"kind": "rows", "charts": parts}, buffers)

    def _hear(self, _: Any, content: Mapping[str, Any], __: Any) -> None:
        """A page says that it listens from now on: it gets what it may have missed, then messages."""
        if content.get("kind") == "ready":
            with self._lock:
                self._is_heard = True
                self._send_rows(self.latest)

    def _should_send_property(self, key: str, value: Any) -> bool:
        if key == "latest" and self._is_heard:
            return False
        return super()._should_send_property(key, value)

    @traitlets.observe("selections")
    def _tell_listeners(self, change: Any) -> None:
        before = change["old"] or {}
        for chart, named in change["new"].items():
            for name, told in named.items():
                if told != before.get(chart, {}).get(name):
                    self._tell(selections.from_front_end(chart, name, told))

    def _tell(self, selection: selections.Selection) -> None:
        for listener in self._listeners:
            listener(selection)


class ChartPlace(anywidget.AnyWidget):
    """Where one chart of a board is shown."""

    _esm = text_of(_HERE / "place.js")

    # who keeps or closes a place keeps or closes its board too
    owner = traitlets.Instance(ChartBoard).tag(sync=True, **ipywidgets.widget_serialization)
    board = traitlets.Unicode().tag(sync=True)
    chart = traitlets.Unicode().tag(sync=True)


def _spec(chart: Any) -> dict[str, Any]:
    return dict(chart) if isinstance(chart, Mapping) else chart.to_dict()
