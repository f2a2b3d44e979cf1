"""Set traits of a widget only where they differ: a trait that is set again travels again."""

from __future__ import annotations

import ipywidgets


def set_changed(widget: ipywidgets.Widget, **values: object) -> None:
    """Set what differs."""
    for name, value in values.items():
        if getattr(widget, name) != value:
            setattr(widget, name, value)
