"""How students and terms are spelt in a recipe, checked without torch."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass

from workbench.algorithms.distillation.losses import KINDS, LABELS, labels_weight
from workbench.errors import OptionError, listed, nearest, shown
from workbench.options import Reference

ITSELF = "itself"
FRESH = "fresh"
SHALLOWER = "shallower"
DEPTHWISE = "depthwise"
ORIGINAL = "original"
_WIDTHS = {"half-width": 0.5, "quarter-width": 0.25}
_WIDTH = re.compile(r"width\s*=?\s*([0-9]*\.?[0-9]+)")
_WIDEST = 4.0
OFFERED = (ITSELF, "half-width", "quarter-width", SHALLOWER, DEPTHWISE, FRESH)
_SPELLINGS = (*OFFERED, "width 0.3")


@dataclass(frozen=True)
class Made:
    """A student made from the teacher: `kind` is "width", "shallower", "depthwise" or "fresh"."""

    kind: str
    width: float = 1.0


def student(value: str | Reference) -> Made | Reference | None:
    """What the option `student` asks for; None for the candidate itself.

    Raises:
        OptionError: a text that is no spelling; the line lists them and the nearest.
    """
    if isinstance(value, Reference):
        return value
    text = value.strip().lower()
    if text == ITSELF:
        return None
    if text in (SHALLOWER, DEPTHWISE, FRESH):
        return Made(text)
    if text in _WIDTHS:
        return Made("width", _WIDTHS[text])
    if found := _WIDTH.fullmatch(text):
        width = float(found[1])
        if not 0 < width <= _WIDEST:
            hint = f"; for {width:g} % write 'width {width / 100:g}'" if width > _WIDEST else ""
            raise OptionError(f"student: a width lies above 0 and at most {_WIDEST:g}, got {width:g}{hint}")
        return Made("width", width)
    near = nearest(text, _SPELLINGS)
    hint = (
        "" if near or not value.isidentifier() else f"; for a net of yours write student={value}, no quotes"
    )
    raise OptionError(
        f"student must be one of {listed(map(repr, _SPELLINGS))}, or the name of a variable; "
        f"got {shown(value)}{near}{hint}"
    )


def check_teacher(value: str | Reference) -> None:
    """Refuse a text that is not the original.

    Raises:
        OptionError: it is another text.
    """
    if not isinstance(value, Reference) and value != ORIGINAL:
        hint = f"; for a net of yours write teacher={value}, no quotes" if value.isidentifier() else ""
        raise OptionError(f"teacher must be {ORIGINAL!r} or the name of a variable, got {shown(value)}{hint}")


def terms(loss: str, weights: Mapping[str, float]) -> dict[str, float]:
    """Every term with its weight: the loss, what `weights` adds, and the labels."""
    named = {loss, *(name for name, weight in weights.items() if weight and name != LABELS)}
    found = {name: weights.get(name, KINDS[name].weight) for name in KINDS if name in named}
    found[LABELS] = weights.get(LABELS, labels_weight({name for name in found if found[name]}))
    return found
