"""Reading JSON that a stranger wrote: every access says what it expects, and nothing else gets through."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

from workbench.errors import StorageError

_SHOWN = 40
_LARGEST = 2**53  # what every JSON reader keeps exactly


def parse(text: str | bytes, what: str) -> Any:
    """The JSON value of a text; `what` names the text in the error."""
    try:
        return json.loads(text, object_pairs_hook=_unrepeated)
    except RecursionError:
        raise StorageError(f"{what} is nested too deeply") from None
    except (ValueError, UnicodeDecodeError) as error:
        reason = str(error).split("\n")[0][:120]
        raise StorageError(f"{what} is not valid JSON ({reason})") from None


class Fields:
    """One JSON object of a file, read field by field.

    Args:
        given: what the file holds there; anything but an object is refused.
        where: what the object is, for error texts.
    """

    def __init__(self, given: Any, where: str) -> None:
        self.where = where
        self.given: dict[str, Any] = given if isinstance(given, dict) else self._refuse("an object", given)

    def __contains__(self, key: str) -> bool:
        return key in self.given

    def __iter__(self) -> Iterator[str]:
        return iter(self.given)

    def text(self, key: str, default: str | None = None, longest: int = 1000) -> str:
        """A text of at most `longest` characters."""
        value = self.given.get(key, default)
        if not isinstance(value, str) or len(value) > longest:
            self._refuse(f"{key!r} as a text", value)
        return value

    def integer(self, key: str, default: int | None = None, low: int = 0, high: int = _LARGEST) -> int:
        """A whole number from `low` to `high`."""
        return whole(self.given.get(key, default), f"{self.where}: {key!r}", low, high)

    def flag(self, key: str) -> bool:
        """A truth value, false where it is not given."""
        value = self.given.get(key, False)
        if value not in (True, False):
            self._refuse(f"{key!r} as true or false", value)
        return bool(value)

    def items(self, key: str, longest: int = 100_000) -> list[Any]:
        """A list, empty where it is not given."""
        value = self.given.get(key, [])
        if not isinstance(value, list) or len(value) > longest:
            self._refuse(f"{key!r} as a list", value)
        return value

    def integers(self, key: str, longest: int = 16) -> list[int]:
        """A list of whole numbers, none below zero."""
        return [whole(each, f"{self.where}: {key!r}") for each in self.items(key, longest)]

    def texts(self, key: str) -> list[str]:
        """A list of texts."""
        values = self.items(key)
        if not all(isinstance(each, str) for each in values):
            self._refuse(f"{key!r} as a list of texts", values)
        return values

    def object(self, key: str) -> Fields:
        """An object inside this one, empty where it is not given."""
        return Fields(self.given.get(key, {}), f"{self.where}: {key!r}")

    def _refuse(self, expected: str, value: Any) -> Any:
        raise StorageError(f"{self.where}: expected {expected}, got {shown(value)}")


def whole(value: Any, what: str, low: int = 0, high: int = _LARGEST) -> int:
    """A whole number from `low` to `high`, or an error that names it."""
    if type(value) is not int or not low <= value <= high:
        raise StorageError(f"{what} must be a whole number from {low:,} to {high:,}, got {shown(value)}")
    return value


def shown(value: Any) -> str:
    """A stranger's value in an error text: short, on one line, never its whole self."""
    if isinstance(value, (dict, list)):
        return f"a {'list' if isinstance(value, list) else 'mapping'} of {len(value):,}"
    if type(value) is int and value.bit_length() > 128:
        return "a huge number"
    text = repr(value[: _SHOWN + 1] if isinstance(value, str) else value)
    return text if len(text) <= _SHOWN else text[:_SHOWN] + "..."


def _unrepeated(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    made = dict(pairs)
    if len(made) != len(pairs):
        raise ValueError("a name appears twice")
    return made
