"""The layer that a session looks at, chosen in the list of a view too, where that has it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from workbench.panels.state.session import Session


class Follower:
    """Chooses the session's layer in a list, once each time it is another one: a person may go on from there.

    Args:
        chooser: a widget with `options` and a `value`.
        layer_of: the layer that an option's value means.
    """

    def __init__(self, session: Session, chooser: Any, layer_of: Callable[[Any], str] = str) -> None:
        self._session, self._chooser, self._layer_of = session, chooser, layer_of
        self._followed = ""

    def follow(self) -> None:
        """Choose it, where it is there and another one than the last time."""
        layer = self._session.layer
        if layer == self._followed:
            return
        values = [each[1] if isinstance(each, tuple) else each for each in self._chooser.options]
        found = next((value for value in values if self._layer_of(value) == layer), None)
        if found is not None:
            self._followed = layer
            self._chooser.value = found
