"""An option becomes a control: sliders for ranges, lists for choices, text for the rest.

The control shows an option's value and tells what a person made of it; whether that is allowed is decided by
the option itself.
"""

from __future__ import annotations

import ast
import math
from collections.abc import Callable
from dataclasses import dataclass
from keyword import iskeyword
from typing import Any

import ipywidgets

from workbench.options import Option, Reference
from workbench.panels.parts import lean

_MOST_NOTCHES = 300  # a slider with more whole numbers than pixels cannot be set by hand
_LABEL = "112px"
_DECADES = 4  # how far below its default a logarithmic slider reaches: no lower end, and no step


@dataclass(frozen=True)
class _Made:
    """A widget, and how its value and the option's turn into each other."""

    widget: ipywidgets.ValueWidget
    to_widget: Callable[[Any], Any] = lambda value: value
    to_option: Callable[[Any], Any] = lambda value: value


class Control:
    """The control of one option.

    Args:
        changed: `changed(value)` hears of a person's move, as often as the browser tells.
    """

    def __init__(self, option: Option, value: Any, changed: Callable[[Any], None]) -> None:
        self.option = option
        self._changed = changed
        self._is_showing = False
        self._made = _make(option, value)
        self.widget = self._made.widget
        self.widget.add_class("wb-control")
        self.widget.observe(self._moved, "value")

    def show(self, value: Any) -> None:
        """Show a value without telling anybody."""
        shown = self._made.to_widget(value)
        if shown == self.widget.value:
            return
        self._is_showing = True
        try:
            self.widget.value = shown
        finally:
            self._is_showing = False

    def _moved(self, change: Any) -> None:
        if self._is_showing:
            return
        meant = self._made.to_option(change["new"])
        self._changed(meant)
        if isinstance(self.widget, ipywidgets.FloatLogSlider):
            self.show(meant)  # several places of the handle may mean one value: it stands at that


def label(option: Option) -> str:
    """`learning rate`, or `weights, bits` with its unit."""
    words = option.name.replace("_", " ")
    return words if not option.unit or option.unit == words else f"{words}, {option.unit}"


def _make(option: Option, value: Any) -> _Made:
    common = {
        "description": label(option),
        "tooltip": f"{option.help} ({option.range})",
        "style": {"description_width": _LABEL},
        "layout": lean.layout(width="auto"),
    }
    if option.optional:
        return _written(option, value, common)
    return _MAKERS.get(option.kind, _written)(option, value, common)


def _number(option: Option, value: float, common: dict[str, Any]) -> _Made:
    low = option.low if option.low is not None else option.above
    if option.log and option.high is not None:
        return _logarithmic(option, value, common)
    if low is None or option.high is None or option.step is None:
        return _Made(lean.FloatText(value=value, **common))
    if option.low is None:
        low += option.step  # `above` itself is not allowed
    places = _places(option.step)
    slider = lean.FloatSlider(
        value, min=low, max=option.high, step=option.step, readout_format=f".{places}f", **common
    )
    # the browser counts in steps: 0.30000000000000004 is 0.3
    return _Made(slider, to_option=lambda moved: round(moved, places + 2))


def _places(step: float) -> int:
    """How many decimals a number of whole steps has."""
    return max(0, -math.floor(math.log10(step) + 1e-9))


def _logarithmic(option: Option, value: float, common: dict[str, Any]) -> _Made:
    low, step = option.low or option.step or option.default / 10**_DECADES, option.step
    places = _places(step) if step else None
    slider = lean.FloatLogSlider(
        value,
        base=10,
        min=math.log10(low),
        max=math.log10(option.high),
        step=0.05,
        readout_format=".2g" if places is None else f".{places}f",
        **common,
    )
    if step is None or places is None:
        return _Made(slider, to_option=lambda moved: float(f"{moved:.3g}"))
    return _Made(slider, to_option=lambda moved: round(round(moved / step) * step, places + 2))


def _whole(option: Option, value: int, common: dict[str, Any]) -> _Made:
    low, high = option.low, option.high
    if low is None or high is None or high - low > _MOST_NOTCHES:
        return _Made(lean.IntText(value=value, **common))
    if option.log and low > 0:
        ends = {"base": 2, "min": math.log2(low), "max": math.log2(high), "step": 1 / 16}
        return _Made(lean.FloatLogSlider(value, readout_format=".0f", **ends, **common), to_option=round)
    step = int(option.step or 1)
    return _Made(lean.IntSlider(value, min=int(low), max=int(high), step=step, **common))


def _truth(option: Option, value: bool, common: dict[str, Any]) -> _Made:
    return _Made(lean.Checkbox(value=value, indent=True, **common))


def _choice(option: Option, value: Any, common: dict[str, Any]) -> _Made:
    options = [(str(choice), choice) for choice in option.choices or ()]
    return _Made(lean.Dropdown(options=options, value=value, **common))


def _written(option: Option, value: Any, common: dict[str, Any]) -> _Made:
    text = lean.Text(value=_spelt(value), placeholder=_placeholder(option), continuous_update=False, **common)
    return _Made(text, _spelt, lambda typed: _meant(option, typed))


def _spelt(value: Any) -> str:
    """A value as a person types it: names with commas between, nothing for None or an empty mapping."""
    if value is None or value in ((), {}):
        return ""
    if isinstance(value, (tuple, list)):
        return ", ".join(map(str, value))
    return str(value)


def _meant(option: Option, typed: str) -> Any:
    """What a person means by a text; the option itself refuses what it is not."""
    typed = typed.strip()
    if not typed:
        return None if option.optional else type(option.default)() if option.kind != "text" else ""
    if option.kind == "names":
        return tuple(name.strip() for name in typed.split(",") if name.strip())
    if option.kind == "reference" and typed.isidentifier():
        is_text = typed in option.choices if option.choices else not isinstance(option.default, Reference)
        return typed if is_text or iskeyword(typed) else Reference(typed)
    if option.kind == "text":
        return typed
    try:
        return ast.literal_eval(typed)
    except (ValueError, SyntaxError, MemoryError, RecursionError):
        return typed


_MAKERS: dict[str, Callable[[Option, Any, dict[str, Any]], _Made]] = {
    "float": _number,
    "int": _whole,
    "bool": _truth,
    "choice": _choice,
}


def _placeholder(option: Option) -> str:
    """What an empty field may hold."""
    if option.kind == "layers" and option.choices:
        return f"{{{option.choices[0]!r}: 0.5}}"
    return _PLACEHOLDERS.get(option.kind, "")


_PLACEHOLDERS = {"names": "layer names: conv1, fc2", "layers": "{'fc1': 0.5}"}
