"""The controls of a panel as a person meets them: found by what they are called, set to their ends."""

from __future__ import annotations

from typing import Any

import ipywidgets

from workbench.options import Option
from workbench.panels.closing import below
from workbench.panels.parts.controls import label


def values(widget: ipywidgets.ValueWidget) -> list[Any]:
    """The least, the greatest and the empty value a person can give a control."""
    if isinstance(widget, ipywidgets.FloatLogSlider):
        return [widget.base**widget.min, widget.base**widget.max]
    if hasattr(widget, "min") and hasattr(widget, "max"):
        return [widget.min, widget.max]
    if isinstance(widget, ipywidgets.Checkbox):
        return [not widget.value, widget.value]
    if isinstance(widget, ipywidgets.Dropdown):
        return [value for _, value in widget._options_full]
    if isinstance(widget, (ipywidgets.IntText, ipywidgets.FloatText)):
        return [0, -1, 10**9]
    return [
        "",
        "nowhere",
        "0",
        "-1",
        "1e400",
        "[[",
        "{'0': 0.0}",
        "{'0': 1.0, '2': 'x'}",
        "0, 2",
        "None",
        "é" * 500,
    ]


def unfold(panel: ipywidgets.Widget) -> None:
    """Show the controls that are folded away, as a person does who wants to move them."""
    for each in below(panel):
        if "wb-more" in getattr(each, "_dom_classes", ()):
            each.value = True


def control(panel: ipywidgets.Widget, option: Option) -> ipywidgets.ValueWidget:
    """The widget of one option; unfolded, where it is folded away."""
    if option.advanced:
        unfold(panel)
    found = [
        each
        for each in below(panel)
        if "wb-control" in getattr(each, "_dom_classes", ()) and each.description == label(option)
    ]
    assert len(found) == 1, option.name
    return found[0]
