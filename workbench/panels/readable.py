"""What every panel can do beside being a widget: leave a still form, write a report, and end lightly."""

from __future__ import annotations

import uuid
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

import ipywidgets

from workbench.errors import WorkbenchError
from workbench.live.board import ChartBoard
from workbench.panels import open_panels
from workbench.panels.closing import below, close
from workbench.panels.paper import still, told
from workbench.panels.paper.blocks import Block

if TYPE_CHECKING:
    from workbench.panels.state.session import Session

_WORDS = "the panel as tables and pictures"


class ClosedPanel(WorkbenchError, AttributeError):
    """A closed panel was asked for what it has let go of."""

    def __init__(self) -> None:
        super().__init__("the panel is closed; run its cell again")


class Readable(ipywidgets.VBox):
    """A panel that readers without a kernel can read: it is displayed as a widget and as its still form.

    Class attributes:
        lets_go: attributes that a closed panel has no more; a notebook's `Out` holds the panel itself, with
            all that it refers to, once for every time its cell was run.
    """

    lets_go: ClassVar[tuple[str, ...]] = ("session",)

    session: Session
    _is_closed = True  # until there is something to close
    _keeper: still.Keeper | None = None
    _displayed = ""  # the id of the display that is kept up to date

    def still(self) -> still.Still:
        """The panel as it is now, as tables and pictures; also brings what the notebook shows up to date.

        >>> panel.still()                                     # doctest: +SKIP
        """
        if self._keeper is not None:
            return self._keeper.refresh()
        return still.made(self.told())

    def told(self) -> list[Block]:
        """What the panel says, as blocks to read."""
        return [*told.of_session(self.session, self._boards()), *self._of_views()]

    @property
    def views(self) -> Sequence[Any]:
        """The parts of the panel; one with a method `told()` adds its blocks to the still form."""
        return ()

    def report(self, path: str | Path = "report.html") -> Path:
        """Write one self-contained HTML file: versions, pictures, recipes, and where it was measured.

        Raises:
            StorageError: it cannot be written; one line, and a file that was there is as it was.
        """
        from workbench.panels.paper.report import write

        session = self.session
        return write(path, session.work, session.tree, session.estimates.known, self._of_views())

    def _of_views(self) -> list[Block]:
        return [each for view in self.views if (tell := getattr(view, "told", None)) for each in tell()]

    def close(self) -> None:
        """Stop what runs, free every widget of the panel, and let go of what it knows."""
        if self._is_closed:
            return
        self._is_closed = True
        self._end_the_still_form()
        for view in self.views:
            if (end := getattr(view, "close", None)) is not None:
                end()  # what it does in a thread of its own
        self.session.close()
        open_panels.closed(self)
        self._let_go()

    def _let_go(self) -> None:
        close(self)
        for name in self.lets_go:
            vars(self).pop(name, None)

    def __getattr__(self, name: str) -> Any:
        if name in self.lets_go:
            raise ClosedPanel
        return object.__getattribute__(self, name)  # raises what was raised, of a property, too

    def _opened(self) -> None:
        """The panel is whole; one that an earlier run of its cell made is closed."""
        self._is_closed = False
        open_panels.opened(self)

    def _ipython_display_(self) -> None:
        """Display the widget, and below it an output for the still form, filled when the panel rests.

        Raises:
            NotImplementedError: there is no kernel; IPython then shows the one line of `repr`.
        """
        publisher = _publisher(self)
        if publisher is None or self._view_name is None:
            raise NotImplementedError
        publisher.publish(data=self._repr_mimebundle_(), metadata={})
        self._displayed = self._displayed or uuid.uuid4().hex
        publisher.publish(data=_bundle(still.EMPTY), metadata={}, transient={"display_id": self._displayed})
        if self._keeper is None:
            self._keeper = still.Keeper(self.told, self._is_busy, self._say, self.session.fail)
            self.session.observe(self._noticed)
            for board in self._boards():  # some views draw what no topic of the session tells
                board.observe(self._noticed, "latest")

    def _noticed(self, _: object) -> None:
        if (keeper := self._keeper) is not None:
            keeper.change()

    def _is_busy(self) -> bool:
        return self.session.is_running or self.session.estimates.is_busy

    def _say(self, html: str) -> None:
        publisher = _publisher(self)
        if publisher is not None:
            named = {"display_id": self._displayed}
            publisher.publish(data=_bundle(html), metadata={}, transient=named, update=True)

    def _end_the_still_form(self) -> None:
        """End its thread; what it said last stays."""
        if self._keeper is not None:
            self._keeper.close()
            self._keeper = None

    def _boards(self) -> list[ChartBoard]:
        """The boards of the panel and of the views that were added to it, in order."""
        return [each for each in below(self) if isinstance(each, ChartBoard)]


def _bundle(html: str) -> dict[str, str]:
    return {"text/html": html, "text/plain": _WORDS}


def _publisher(panel: ipywidgets.Widget) -> Any:
    """What displays things in the kernel this panel lives in; None where there is no kernel."""
    kernel = getattr(panel.comm, "kernel", None)
    return getattr(getattr(kernel, "shell", None), "display_pub", None)
