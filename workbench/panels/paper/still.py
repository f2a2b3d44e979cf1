"""The still form: what a panel leaves in the notebook for readers without a kernel.

A widget is nothing on GitHub, in a saved notebook and on paper. So a panel is displayed as two outputs: the
widget, and its still form, tables and pictures that say what the panel says. On a page where the widget lives
the second is hidden (`styles/still.css`). It is empty at first, filled in a thread once the panel rests, and
replaced when the panel says something else, by the display's id: what is saved is what was seen last.
"""

from __future__ import annotations

import math
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from html import escape

from workbench.live.still import Drawing, drawn
from workbench.panels.paper import blocks
from workbench.panels.paper.blocks import Block, Picture, Table, Words

FIRST = 2.0  # seconds; by then the widget is on its page, and hides what comes here
REST = 4.0  # seconds without a change before pictures are drawn
LARGEST = 60_000  # characters; notebooks are kept in git
MOST_PICTURES = 4
MOST_ROWS = 40  # of a table
BEGIN, END = '<div class="wb-still">', "</div><!--/wb-still-->"  # tests/notebooks/sanitize.cfg knows them
EMPTY = BEGIN + END
_MORE = Words("There is more in panel.report().")
_MARGIN = 500  # characters, for a line that says what could not be drawn


@dataclass(frozen=True)
class Still:
    """A still form; shows itself in a notebook."""

    html: str

    def _repr_html_(self) -> str:
        return self.html

    def __repr__(self) -> str:
        return "the panel as tables and pictures"


def made(told: Sequence[Block], with_pictures: bool = True) -> Still:
    """The still form of blocks, not larger than `LARGEST`: what does not fit is left to its words."""
    told = _short(told)
    found = [each for each in told if isinstance(each, Picture)]
    shown: dict[int, str] = {}
    said = ""
    if with_pictures:
        try:
            shown = _drawn(found, LARGEST - len(blocks.html(told)) - _MARGIN)
        except OSError as error:
            said = f"<p>The pictures could not be drawn: {escape(str(error))}</p>"
    return Still(f"{BEGIN}\n{blocks.html(told, lambda each: shown.get(id(each), ''))}\n{said}{END}")


def _short(told: Sequence[Block]) -> list[Block]:
    """The blocks without the later rows of long tables, and as many of them as there is room for."""
    kept: list[Block] = []
    room = LARGEST - len(BEGIN) - len(END) - len(_MORE.html(blocks.undrawn)) - _MARGIN
    for block in map(_cut, told):
        room -= len(block.html(blocks.undrawn)) + 1
        if room < 0:
            return [*kept, _MORE]
        kept.append(block)
    return kept


def _cut(block: Block) -> Block:
    if not isinstance(block, Table) or len(block.rows) <= MOST_ROWS:
        return block
    caption = f"{block.caption}: the first {MOST_ROWS} of {len(block.rows):,} rows"
    return replace(block, caption=caption, rows=block.rows[:MOST_ROWS])


def _drawn(found: Sequence[Picture], room: int) -> dict[int, str]:
    """The first pictures as HTML, as many as there is room for."""
    chosen = found[:MOST_PICTURES]
    images = drawn([Drawing(each.spec, each.rows) for each in chosen])
    shown: dict[int, str] = {}
    for picture, image in zip(chosen, images, strict=True):
        written = blocks.image(picture, image)
        if len(written) <= room:
            room -= len(written)
            shown[id(picture)] = written
    return shown


class Keeper:
    """Keeps the displayed still form of one panel up to date, in a thread of its own.

    Args:
        told: gives the blocks of the panel as it is now.
        is_busy: whether the processor has better things to do than to draw.
        publish: `publish(html)` replaces what was displayed.
        failed: `failed(error)` hears what went wrong; the next change tries again.
    """

    def __init__(
        self,
        told: Callable[[], Sequence[Block]],
        is_busy: Callable[[], bool],
        publish: Callable[[str], None],
        failed: Callable[[Exception], None],
    ) -> None:
        self._told, self._is_busy, self._publish, self._failed = told, is_busy, publish, failed
        self._changed = threading.Condition()
        self._saying = threading.RLock()  # one at a time, so that words do not take the place of pictures
        self._due = time.monotonic() + FIRST
        self._is_closed = False
        self._last: tuple[bool, Sequence[Block]] | None = None
        self._thread = threading.Thread(target=self._keep, name="workbench-still", daemon=True)
        self._thread.start()

    def change(self) -> None:
        """The panel has changed: say it again once it rests."""
        with self._changed:
            if self._last is not None:  # the first words do not wait for rest
                self._due = time.monotonic() + REST
                self._changed.notify_all()

    def refresh(self) -> Still:
        """Say it now, whoever waits; what was said."""
        with self._saying:
            told = self._told()
            still = made(told)
            self._last = True, told
            self._publish(still.html)
            return still

    def close(self) -> None:
        """Nobody displays it any more."""
        with self._changed:
            self._is_closed = True
            self._changed.notify_all()

    def join(self, timeout: float) -> None:
        """Wait for the end of the thread, at most so many seconds."""
        self._thread.join(timeout)

    def _keep(self) -> None:
        """Tables soon, pictures when the panel rests, both again after a change."""
        with_pictures = False
        while self._wait():
            if with_pictures and self._is_busy():
                self.change()
                continue
            with self._changed:
                self._due = math.inf
            try:
                self._say(with_pictures)
            except Exception as error:
                self._last = with_pictures, ()
                self._failed(error)
            if not with_pictures:
                with_pictures = True
                self.change()

    def _wait(self) -> bool:
        """Wait until something is due; False when the panel is closed."""
        with self._changed:
            while not self._is_closed and (left := self._due - time.monotonic()) > 0:
                self._changed.wait(min(left, threading.TIMEOUT_MAX))
            return not self._is_closed

    def _say(self, with_pictures: bool) -> None:
        with self._saying:
            told = self._told()
            if self._last not in ((with_pictures, told), (True, told)):
                self._last = with_pictures, told
                self._publish(made(told, with_pictures).html)
