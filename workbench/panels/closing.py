"""Close a widget with everything below it: closing the root alone frees one of a hundred models."""

from __future__ import annotations

from collections.abc import Iterator

import ipywidgets

from workbench.panels.parts import lean


def close(root: ipywidgets.Box) -> None:
    """Close `root`, what it refers to, and layouts and styles that are its own; it lets go of what was below.

    A notebook's `Out` holds every panel a cell ever ended with: what is closed must be light.
    """
    for widget in below(root):
        ipywidgets.Widget.close(widget)  # not what a class has made of it, which may end up here again
        widget.unobserve_all()
    root.children = ()


def below(root: ipywidgets.Widget) -> list[ipywidgets.Widget]:
    """Every widget that `root` refers to, each once, children first, `root` last."""
    return [*_below(root, set())]


def _below(widget: ipywidgets.Widget, seen: set[int]) -> Iterator[ipywidgets.Widget]:
    """Every widget that `widget` refers to, children first."""
    if id(widget) in seen:
        return
    seen.add(id(widget))
    for name in widget.keys:
        value = getattr(widget, name, None)
        for each in value if isinstance(value, (tuple, list)) else (value,):
            if isinstance(each, ipywidgets.Widget) and not lean.is_shared(each):
                yield from _below(each, seen)
    yield widget
