"""The widgets of ipywidgets, sharing layouts and styles: half of a panel's models were empty layouts.

Each widget of ipywidgets brings a `Layout` and mostly a style of its own, models that travel to the page.
Here those that say the same are one, for all panels of a kernel; they are never closed, and refuse to be
changed. What is shown or hidden gets another layout: see `show`.
"""

from __future__ import annotations

import threading
from typing import Any, TypeVar

import ipywidgets

W = TypeVar("W", bound=ipywidgets.DOMWidget)

_lock = threading.RLock()
_shared: dict[tuple[type, tuple[tuple[str, Any], ...]], ipywidgets.Widget] = {}


def layout(**fields: str) -> ipywidgets.Layout:
    """The one layout of these fields."""
    return _one(ipywidgets.Layout, fields)


def show(widget: ipywidgets.DOMWidget, is_shown: object) -> None:
    """Show a widget whose layout says nothing else, or take it off the page."""
    _lay(widget, layout() if is_shown else layout(display="none"))


def veil(widget: ipywidgets.DOMWidget, is_seen: object) -> None:
    """Show a widget, or leave its place empty."""
    _lay(widget, layout() if is_seen else layout(visibility="hidden"))


def is_shared(widget: ipywidgets.Widget) -> bool:
    """Whether others look as this model says, too."""
    return isinstance(widget, _Fixed)


def _lay(widget: ipywidgets.DOMWidget, wanted: ipywidgets.Layout) -> None:
    if (before := widget.layout) is not wanted:
        widget.layout = wanted
        if not is_shared(before):
            before.close()  # its own, which nobody needs any more


class _Fixed:
    """What is shared is not changed by one of those that share it."""

    _is_fixed = False

    def __setattr__(self, name: str, value: Any) -> None:
        if self._is_fixed and name in self.keys:
            raise AttributeError(f"this {type(self).__name__} is shared: give the widget another one")
        super().__setattr__(name, value)


def _one(kind: type[W], fields: dict[str, Any]) -> W:
    key = kind, tuple(sorted(fields.items()))
    with _lock:
        found = _shared.get(key)
        if found is None or found.comm is None:  # somebody has closed all widgets
            fixed = type(kind.__name__, (_Fixed, kind), {})
            found = _shared[key] = fixed(**fields)
            found._is_fixed = True
        return found


def _lean(kind: type[W]) -> type[W]:
    """The same class of widgets, which takes shared models where it is given none of its own."""
    styles = kind.class_traits().get("style")

    def __init__(self: W, *args: Any, **options: Any) -> None:
        options.setdefault("layout", layout())
        if styles is not None and isinstance(given := options.get("style", {}), dict):
            options["style"] = _one(styles.klass, given)
        super(made, self).__init__(*args, **options)

    made = type(kind.__name__, (kind,), {"__init__": __init__, "__doc__": kind.__doc__})
    return made


Box = _lean(ipywidgets.Box)
Button = _lean(ipywidgets.Button)
Checkbox = _lean(ipywidgets.Checkbox)
Dropdown = _lean(ipywidgets.Dropdown)
FloatLogSlider = _lean(ipywidgets.FloatLogSlider)
FloatProgress = _lean(ipywidgets.FloatProgress)
FloatSlider = _lean(ipywidgets.FloatSlider)
FloatText = _lean(ipywidgets.FloatText)
HBox = _lean(ipywidgets.HBox)
HTML = _lean(ipywidgets.HTML)
IntSlider = _lean(ipywidgets.IntSlider)
IntText = _lean(ipywidgets.IntText)
Select = _lean(ipywidgets.Select)
SelectMultiple = _lean(ipywidgets.SelectMultiple)
Tab = _lean(ipywidgets.Tab)
Text = _lean(ipywidgets.Text)
Textarea = _lean(ipywidgets.Textarea)
ToggleButton = _lean(ipywidgets.ToggleButton)
VBox = _lean(ipywidgets.VBox)
