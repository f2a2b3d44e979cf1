"""What every panel can do beside being a widget: leave a still form in the notebook, and write a report."""

from __future__ import annotations

import uuid
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import ipywidgets

from workbench.live.board import ChartBoard
from workbench.panels.closing import below
from workbench.panels.paper import still, told
from workbench.panels.paper.blocks import Block

if TYPE_CHECKING:
    from workbench.panels.state.session import Session

_WORDS = "the panel as tables and pictures"


class Readable(ipywidgets.VBox):
    """A panel that readers without a kernel can read: it is displayed as a widget and as its still form."""

    session: Session
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
        if self._keeper is not None:
            self._keeper.change()

    def _is_busy(self) -> bool:
        return self.session.is_running or self.session.estimates.is_busy

    def _say(self, html: str) -> None:
        publisher = _publisher(self)
        if publisher is not None:
            named = {"display_id": self._displayed}
            publisher.publish(data=_bundle(html), metadata={}, transient=named, update=True)

    def _forget(self) -> None:
        """End the thread of the still form; what it said last stays."""
        if self._keeper is not None:
            self._keeper.close()

    def _boards(self) -> list[ChartBoard]:
        """The boards of the panel and of the views that were added to it, in order."""
        return [each for each in below(self) if isinstance(each, ChartBoard)]


def _bundle(html: str) -> dict[str, str]:
    return {"text/html": html, "text/plain": _WORDS}


def _publisher(panel: ipywidgets.Widget) -> Any:
    """What displays things in the kernel this panel lives in; None where there is no kernel."""
    kernel = getattr(panel.comm, "kernel", None)
    return getattr(getattr(kernel, "shell", None), "display_pub", None)
