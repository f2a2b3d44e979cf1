"""What stays true until it is mended: versions that are kept in memory only, or cannot be read."""

from __future__ import annotations

from html import escape

from workbench.panels.parts import lean
from workbench.panels.state.session import Session


class WarningsBox:
    """Shows what is wrong with the file of the versions; nothing where nothing is."""

    topics = ("versions", "work")

    def __init__(self, session: Session) -> None:
        self._session = session
        self.widget = lean.HTML()
        self.widget.add_class("wb-warnings")
        self.refresh()

    def refresh(self) -> None:
        """Show what is wrong now."""
        tree = self._session.tree
        lines = [each for each in (tree.warning, tree.unreadable) if each]
        told = "".join(f'<p role="status">⚠ {escape(each)}</p>' for each in lines)
        if self.widget.value != told:
            self.widget.value = told
        lean.show(self.widget, lines)
