"""The widgets of ipywidgets, sharing layouts and styles: half of a panel's models were empty layouts.

Each widget of ipywidgets brings a `Layout` and mostly a style of its own, models that travel to the page.
Those that are made `with sharing()` and say the same share one, which is closed with their panel and refuses
to be changed. Only what stays as long as its panel is made so: the page keeps a view of a layout until the
layout is closed, so that widgets that come and go have their own.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any, TypeVar

import ipywidgets

W = TypeVar("W", bound=ipywidgets.DOMWidget)

GONE, VEILED = "wb-gone", "wb-veiled"  # classes; see styles/base.css


class Pool:
    """The layouts and styles that the widgets of one panel share."""

    def __init__(self) -> None:
        self._made: dict[tuple[type, tuple[tuple[str, Any], ...]], ipywidgets.Widget] = {}

    def one(self, kind: type[W], fields: dict[str, Any]) -> W:
        """The one of these fields."""
        key = kind, tuple(sorted(fields.items()))
        if key not in self._made:
            fixed = type(kind.__name__, (_Fixed, kind), {})(**fields)
            fixed._is_fixed = True
            self._made[key] = fixed
        return self._made[key]

    def close(self) -> None:
        """Close them all; the widgets that share them are closed already."""
        for each in self._made.values():
            each.close()
        self._made.clear()


_pool: ContextVar[Pool | None] = ContextVar("_pool", default=None)


@contextmanager
def sharing() -> Iterator[Pool]:
    """Widgets that are made here share what looks the same, until the pool is closed."""
    pool = Pool()
    before = _pool.set(pool)
    try:
        yield pool
    finally:
        _pool.reset(before)


def layout(**fields: str) -> ipywidgets.Layout:
    """A layout of these fields, shared where layouts are."""
    return _one(ipywidgets.Layout, fields)


def show(widget: ipywidgets.DOMWidget, is_shown: object) -> None:
    """Show a widget, or take it off the page; by a class, since its layout may be others' too."""
    widget.remove_class(GONE) if is_shown else widget.add_class(GONE)


def is_shown(widget: ipywidgets.DOMWidget) -> bool:
    """Whether `show` shows it."""
    return GONE not in widget._dom_classes


def veil(widget: ipywidgets.DOMWidget, is_seen: object) -> None:
    """Show a widget, or leave its place empty."""
    widget.remove_class(VEILED) if is_seen else widget.add_class(VEILED)


def is_shared(widget: ipywidgets.Widget) -> bool:
    """Whether others look as this model says, too; it is closed by its pool."""
    return isinstance(widget, _Fixed)


class _Fixed:
    """What is shared is not changed by one of those that share it."""

    _is_fixed = False

    def __setattr__(self, name: str, value: Any) -> None:
        if self._is_fixed and name in self.keys:
            raise AttributeError(f"this {type(self).__name__} is shared: give the widget another one")
        super().__setattr__(name, value)


def _one(kind: type[W], fields: dict[str, Any]) -> W:
    pool = _pool.get()
    return pool.one(kind, fields) if pool is not None else kind(**fields)


def _lean(kind: type[W]) -> type[W]:
    """The same class of widgets, which shares what it is not given."""
    styles = kind.class_traits().get("style")

    def __init__(self: W, *args: Any, **options: Any) -> None:
        if _pool.get() is not None:
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
