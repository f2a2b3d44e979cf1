"""Which two are compared: two choices, and the other way round."""

from __future__ import annotations

from typing import TYPE_CHECKING

import ipywidgets

from workbench.errors import VersionError
from workbench.panels.parts import lean
from workbench.panels.parts.traits import set_changed
from workbench.panels.state.comparisons import ORIGINAL
from workbench.panels.state.session import Session

if TYPE_CHECKING:
    from workbench.versions import Version

_MOST = 60  # versions of a list; the table of versions has them all


class PairBox:
    """Shows the pair of a session; a choice is the session's."""

    def __init__(self, session: Session) -> None:
        self._session = session
        self._is_showing = False
        self._before = _choice("before", "What it is compared with")
        self._after = _choice("after", "What is looked at")
        for each in (self._before, self._after):
            each.observe(lambda _: self._chosen(), "value")
        self._swap = lean.Button(icon="exchange", tooltip="Compare the other way round")
        self._swap.add_class("wb-icon")
        self._swap.on_click(lambda _: session.comparisons.swap())
        self._follow = lean.Button(
            description="follow the selected", tooltip="Compare the original with what is selected, always"
        )
        self._follow.on_click(lambda _: session.comparisons.follow())
        self.widget = lean.HBox([self._before, self._swap, self._after, self._follow])
        self.widget.add_class("wb-choices")
        self.widget.add_class("wb-pair")

    def refresh(self) -> None:
        """Show the pair as it is."""
        comparisons = self._session.comparisons
        before, after = comparisons.ids
        self._is_showing = True
        try:
            options = self._options((before, after))
            for box, id in ((self._before, before), (self._after, after)):
                if list(box.options) != options:
                    box.options = options
                set_changed(box, value=id)
            set_changed(self._follow, disabled=comparisons.is_following)
        finally:
            self._is_showing = False

    def _options(self, chosen: tuple[str, str]) -> list[tuple[str, str]]:
        """The original, pinned versions and those chosen, and the newest."""
        versions = self._session.tree.versions
        newest = {each.id for each in versions[-_MOST:]}
        shown = [each for each in versions if each.id in newest or each.is_pinned or each.id in chosen]
        return [("original", ORIGINAL), *((_title(each), each.id) for each in reversed(shown))]

    def _chosen(self) -> None:
        if self._is_showing or self._before.value is None or self._after.value is None:
            return
        try:
            self._session.comparisons.choose(self._before.value, self._after.value)
        except VersionError as error:  # it was deleted meanwhile
            self._session.fail(error)
            self.refresh()


def _title(version: Version) -> str:
    pinned = "★ " if version.is_pinned else ""
    recipe = str(version.recipe)
    return f"{pinned}{version.name}: {recipe[:60]}{'…' * (len(recipe) > 60)}"


def _choice(description: str, tooltip: str) -> ipywidgets.Dropdown:
    return lean.Dropdown(
        options=[("original", ORIGINAL)],
        value=ORIGINAL,
        description=description,
        tooltip=tooltip,
        style={"description_width": "auto"},
    )
