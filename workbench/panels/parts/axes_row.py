"""The two lists that choose what the trade-off is drawn of."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import ipywidgets

from workbench.measurement.quantities import Quantity
from workbench.panels.parts import lean


class AxesRow:
    """Two lists of quantities, for upward and across.

    Args:
        chosen: `chosen()` hears that a person has chosen another quantity.
    """

    def __init__(self, known: Sequence[Quantity], x: str, y: str, chosen: Callable[[], None]) -> None:
        self._is_showing = False
        self._chosen = chosen
        self._y = self._list("up", y, known, "What is drawn upward")
        self._x = self._list("against", x, known, "What is drawn across")
        self.widget = lean.HBox([self._y, self._x])
        self.widget.add_class("wb-axes")

    @property
    def x(self) -> str:
        """The name of the quantity across."""
        return self._x.value

    @property
    def y(self) -> str:
        """The name of the quantity upward."""
        return self._y.value

    def offer(self, known: Sequence[Quantity]) -> None:
        """List these quantities; what is chosen stays."""
        options = _options(known)
        self._is_showing = True
        try:
            for each in (self._x, self._y):
                if list(each.options) != options:
                    value = each.value
                    each.options = options
                    if value in dict(map(reversed, options)):
                        each.value = value
        finally:
            self._is_showing = False

    def show(self, x: str, y: str) -> None:
        """Choose two quantities as a person would."""
        self._is_showing = True
        try:
            self._x.value, self._y.value = x, y
        finally:
            self._is_showing = False
        self._chosen()

    def _list(self, told: str, value: str, known: Sequence[Quantity], tooltip: str) -> ipywidgets.Dropdown:
        made = lean.Dropdown(
            options=_options(known),
            value=value,
            description=told,
            style={"description_width": "auto"},
            tooltip=tooltip,
        )
        made.add_class("wb-axis")
        made.observe(self._turned, "value")
        return made

    def _turned(self, _: object) -> None:
        if not self._is_showing:
            self._chosen()


def _options(known: Sequence[Quantity]) -> list[tuple[str, str]]:
    return [(each.title, each.name) for each in known]
