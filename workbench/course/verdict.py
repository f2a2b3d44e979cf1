"""What a check says of an answer: a state, and one or two sentences, as text and as HTML."""

from __future__ import annotations

import re
from dataclasses import dataclass
from html import escape
from typing import Literal

State = Literal["right", "off", "open", "unreadable", "unknown"]

_CODE = re.compile(r"`([^`]+)`")

# sign, words and the colour of the edge; the words alone say everything
_LOOKS: dict[State, tuple[str, str, str]] = {
    "right": ("✓", "right", "var(--jp-success-color1, #2e7d32)"),
    "off": ("✗", "not yet", "var(--jp-warn-color1, #b26a00)"),
    "open": ("○", "not answered yet", "var(--jp-border-color1, #9e9e9e)"),
    "unreadable": ("?", "not understood", "var(--jp-warn-color1, #b26a00)"),
    "unknown": ("?", "no such exercise", "var(--jp-error-color1, #c62828)"),
}


@dataclass(frozen=True)
class Verdict:
    """What a check says of one answer.

    Attributes:
        name: of the exercise, as it was asked for.
        state: "right", "off" (an answer that does not hold), "open" (none given yet), "unreadable" (not the
            kind of answer that is asked for) or "unknown" (no such exercise).
        words: why, in one or two sentences; may be empty where the answer is right.
    """

    name: str
    state: State
    words: str = ""

    @property
    def is_right(self) -> bool:
        return self.state == "right"

    def __str__(self) -> str:
        sign, headline, _ = _LOOKS[self.state]
        return f"{sign} {self.name}: {headline}. {self.words}".rstrip()

    __repr__ = __str__

    def _repr_html_(self) -> str:
        sign, headline, colour = _LOOKS[self.state]
        style = f"border-left:4px solid {colour};padding:.2em .8em;margin:.2em 0"
        first = f'<strong><span aria-hidden="true">{sign}</span> {escape(self.name)}: {headline}.</strong>'
        words = _CODE.sub(r"<code>\1</code>", escape(self.words))
        return f'<div role="status" style="{style}">{first} {words}</div>'
