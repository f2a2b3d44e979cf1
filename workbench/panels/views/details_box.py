"""The tabs below the trade-off: each is made when it is first looked at, so nobody waits for the others."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from workbench.errors import WorkbenchError, listed, nearest
from workbench.live.board import ChartBoard
from workbench.panels.parts import lean
from workbench.panels.state.session import Session


class DetailsBox:
    """Shows one of several views at a time.

    Args:
        tabs: classes of views with a `title`, each made from session and board.
        shown: `shown(view)` draws the one that is looked at from now on; the first, at once.
    """

    def __init__(
        self, session: Session, board: ChartBoard, tabs: Sequence[Any], shown: Callable[[Any], None]
    ) -> None:
        self._session, self._board = session, board
        self._tabs, self._shown = tabs, shown
        self._views: dict[int, Any] = {}
        places = [lean.VBox() for _ in tabs]
        self.widget = lean.Tab(places, titles=[each.title for each in tabs], selected_index=0)
        self.widget.observe(lambda change: self._turned(change["new"]), "selected_index")
        self._turned(0)

    @property
    def views(self) -> list[Any]:
        """Those that have been looked at, in the order of the tabs; the others are not made yet."""
        return [self._views[place] for place in sorted(self._views)]

    @property
    def hidden(self) -> list[Any]:
        """Those that have been looked at, and are not now: drawn again when they are."""
        return [each for each in self.views if each is not self._views.get(self.widget.selected_index)]

    @property
    def title(self) -> str:
        """Of the tab that is open; the empty text where none is."""
        index = self.widget.selected_index
        return self._tabs[index].title if index is not None else ""

    def open(self, title: str) -> None:
        """Open the tab of a title.

        Raises:
            WorkbenchError: there is none; one line.
        """
        titles = list(self.widget.titles)
        if title not in titles:
            raise WorkbenchError(
                f"there is no tab {title!r}{nearest(title, titles)}; there are {listed(titles)}"
            )
        self.widget.selected_index = titles.index(title)

    def _turned(self, index: int | None) -> None:
        """Make what is looked at, where it is not there; tell all that ask for it whether they are seen."""
        if index is not None and index not in self._views:
            view = self._views[index] = self._tabs[index](self._session, self._board)
            self.widget.children[index].children = (view.widget,)
        if index is not None:
            self._shown(self._views[index])
        for place, each in self._views.items():
            if (opened := getattr(each, "opened", None)) is not None:
                opened(place == index)
