"""Where a run begins, in one line above the steps: at the original, or at the version one goes on from."""

from __future__ import annotations

from html import escape

from workbench.measurement import units
from workbench.panels.parts import lean
from workbench.panels.parts.traits import set_changed
from workbench.panels.state.session import Session


class BeginBox:
    """Says from what previews and runs of a session begin."""

    topics = ("recipe", "versions")

    def __init__(self, session: Session) -> None:
        self._session = session
        self._told = lean.HTML()
        self._back = lean.Button(
            description="from the original", icon="times", tooltip="Let Run begin from the original again"
        )
        self._back.add_class("wb-more")
        self._back.on_click(lambda _: session.begin_from(None))
        self.widget = lean.HBox([self._told, self._back])
        self.widget.add_class("wb-begin")
        self.refresh()

    def refresh(self) -> None:
        """Say it as it is; nothing while it is the original."""
        start = self._session.start
        lean.show(self.widget, start is not None)
        if start is not None:
            size = units.size(start.packed_bytes)
            told = f"▸ begins from <b>{escape(start.name)}</b>, {size}: the steps are added to its own"
            set_changed(
                self._told, value=f'<span role="status" title="{escape(str(start.recipe))}">{told}</span>'
            )
