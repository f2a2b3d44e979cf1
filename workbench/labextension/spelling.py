"""How a name is written in a line of `%compress`, so that it is read back as the same name.

A notebook's variable may be called like a verb, and `globals()["my net"]` needs quotes. What is written here
is parsed again before it is offered; a name that cannot be written is None.
"""

from __future__ import annotations

from workbench.errors import WorkbenchError
from workbench.magics import arguments, words

_QUOTES = ("", '"', "'")


def word(name: str) -> str | None:
    """The name as one word of a line: `net`, `"my net"`; None where no quotes hold it together."""
    for quote in _QUOTES if name else ():
        text = f"{quote}{name}{quote}"
        try:
            found = words.split(f"x {text} x")
        except WorkbenchError:
            continue
        is_one_word = [each.value for each in found] == ["x", name, "x"] and not found[1].is_flag
        if is_one_word and "\n" not in name:
            return text
    return None


def line(name: str) -> str | None:
    """The line that opens the studio on a model: `%compress net`, or `%compress --model save`."""
    text = word(name)
    for written in (text, f"--model {text}") if text is not None else ():
        try:
            request = arguments.parse(written)
        except WorkbenchError:
            continue
        if not request.verb and request.model == name and not request.parts:
            return f"%compress {written}"
    return None
