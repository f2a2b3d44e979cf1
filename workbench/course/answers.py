"""The kinds of answers an exercise takes: each reads what was given, or says in one line what was expected.

Numbers may come as Python, numpy or torch numbers, lists as lists, tuples, arrays or tensors. Nothing here
needs torch.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

from workbench.errors import listed, nearest, shown

_LONGEST = 100_000  # items of a list; more is no answer


class Unreadable(Exception):
    """The answer is not of the kind that is asked for; the text says what was expected and what to do."""


class Kind(Protocol):
    """A kind of answer."""

    @property
    def words(self) -> str:
        """What the answer is, to be read after "the answer is": `a whole number`."""
        ...

    def read(self, given: Any) -> Any:
        """The answer as a check gets it.

        Raises:
            Unreadable: it is of another kind.
        """
        ...


@dataclass(frozen=True)
class Number:
    """A number, with bounds where there are any; read as a float, or as an int where it is whole."""

    low: float = -math.inf
    high: float = math.inf
    is_whole: bool = False
    unit: str = ""

    @property
    def words(self) -> str:
        kind = "a whole number" if self.is_whole else "a number"
        return f"{kind}{f' of {self.unit}' if self.unit else ''}{self._bounds}"

    @property
    def _bounds(self) -> str:
        if math.isfinite(self.low) and math.isfinite(self.high):
            return f" from {self.low:g} to {self.high:g}"
        return f", at least {self.low:g}" if math.isfinite(self.low) else ""

    def read(self, given: Any) -> float:
        number = _number(given)
        if number is None:
            hint = "; write it without quotes" if isinstance(given, str) and _is_numeric(given) else ""
            raise Unreadable(f"expected {self.words}, got {_given(given)}{hint}")
        if self.is_whole and number != int(number):
            raise Unreadable(f"expected {self.words}, got {number:g}")
        if not self.low <= number <= self.high:
            percent = "; a share is written like 0.8" if self.high == 1 < number <= 100 else ""
            raise Unreadable(f"expected {self.words}, got {number:g}{percent}")
        return int(number) if self.is_whole else number


def whole(low: int = 0, high: float = math.inf, unit: str = "") -> Number:
    """A whole number."""
    return Number(low, high, is_whole=True, unit=unit)


def share() -> Number:
    """A share from 0 to 1."""
    return Number(0, 1)


@dataclass(frozen=True)
class Numbers:
    """A list of `count` numbers, read as floats."""

    count: int

    @property
    def words(self) -> str:
        return f"a list of {self.count} numbers"

    def read(self, given: Any) -> list[float]:
        items = _items(given)
        if items is None:
            raise Unreadable(f"expected {self.words}, got {_given(given)}")
        numbers = [_number(each) for each in items]
        if None in numbers:
            raise Unreadable(f"expected {self.words}; {_given(items[numbers.index(None)])} is no number")
        if len(numbers) != self.count:
            raise Unreadable(f"expected {self.words}, got {len(numbers)}")
        return [each for each in numbers if each is not None]


@dataclass(frozen=True)
class Choice:
    """One of some texts; case and surrounding space do not matter."""

    options: tuple[str, ...]

    @property
    def words(self) -> str:
        return f"one of {listed(map(repr, self.options))}"

    def read(self, given: Any) -> str:
        if not isinstance(given, str):
            raise Unreadable(f"expected {self.words}, got {_given(given)}")
        return _one_of(given, self.options, self.words)


@dataclass(frozen=True)
class Names:
    """Some of several texts, in any order or, with `is_ordered`, all of them in the right one."""

    options: tuple[str, ...]
    is_ordered: bool = False

    @property
    def words(self) -> str:
        names = listed(map(repr, self.options))
        return f"a list of {names} in order" if self.is_ordered else f"a list of names among {names}"

    def read(self, given: Any) -> list[str]:
        items = _items(given)
        if items is None or not all(isinstance(each, str) for each in items):
            raise Unreadable(f"expected {self.words}, got {_given(given)}")
        names = [_one_of(each, self.options, self.words) for each in items]
        if self.is_ordered and sorted(names) != sorted(self.options):
            raise Unreadable(f"expected {self.words}, each once; got {len(names)}")
        return names


@dataclass(frozen=True)
class Table:
    """A dictionary from each of some names to a number."""

    keys: tuple[str, ...]

    @property
    def words(self) -> str:
        return f"a dictionary with a number for each of {listed(map(repr, self.keys))}"

    def read(self, given: Any) -> dict[str, float]:
        if not isinstance(given, Mapping):
            raise Unreadable(f"expected {self.words}, got {_given(given)}")
        if unknown := [key for key in given if key not in self.keys]:
            raise Unreadable(f"expected {self.words}; {_given(unknown[0])} is none of them")
        if missing := [key for key in self.keys if key not in given]:
            raise Unreadable(f"expected {self.words}; {listed(map(repr, missing))} missing")
        numbers = {key: _number(given[key]) for key in self.keys}
        for key, number in numbers.items():
            if number is None:
                raise Unreadable(f"expected a number for {key!r}, got {_given(given[key])}")
        return {key: number for key, number in numbers.items() if number is not None}


@dataclass(frozen=True)
class ARecipe:
    """A recipe, a technique, or their text; read as a `Recipe`."""

    words: str = "a recipe, like 'PruneWeights(0.5) | FineTune(epochs=2)'"

    def read(self, given: Any) -> Any:
        from workbench.errors import WorkbenchError
        from workbench.recipe import Recipe

        if hasattr(given, "recipe") and hasattr(given, "packed"):  # a version; its recipe is meant
            given = given.recipe
        try:
            recipe = Recipe.of(given)
        except WorkbenchError as error:
            raise Unreadable(str(error)) from None
        if not recipe.steps:
            raise Unreadable(f"expected {self.words}, got an empty one")
        return recipe


@dataclass(frozen=True)
class AVersion:
    """A version, as `wb.compress` and `wb.load` give it, or a panel keeps it."""

    words: str = "a version, as wb.compress gives it"

    def read(self, given: Any) -> Any:
        if not (hasattr(given, "packed") and hasattr(given, "candidate") and hasattr(given, "recipe")):
            raise Unreadable(f"expected {self.words}, got {_given(given)}")
        return given


@dataclass(frozen=True)
class AFile:
    """The name of a file that is there."""

    suffix: str

    @property
    def words(self) -> str:
        return f"the name of a file that ends in {self.suffix}"

    def read(self, given: Any) -> Path:
        if not isinstance(given, (str, Path)):
            raise Unreadable(f"expected {self.words}, got {_given(given)}")
        path = Path(given)
        if not path.name.endswith(self.suffix):
            raise Unreadable(f"expected {self.words}, got {shown(path.name)}")
        if not path.is_file():
            raise Unreadable(
                f"there is no file {shown(str(given))} here; write it first, in the folder of the notebook"
            )
        return path


def _one_of(given: str, options: tuple[str, ...], words: str) -> str:
    by_lower = {each.lower(): each for each in options}
    found = by_lower.get(given.strip().lower())
    if found is None:
        raise Unreadable(f"expected {words}, got {_given(given)}{nearest(given, options)}")
    return found


def _number(given: Any) -> float | None:
    """A finite number of any library; None of anything else."""
    if isinstance(given, (bool, str, bytes, Mapping)):
        return None
    if getattr(given, "ndim", 0) or getattr(given, "dtype", None).__class__.__name__ == "BoolDType":
        return None
    try:
        number = float(given)
    except (TypeError, ValueError, OverflowError, RuntimeError):
        return None
    return number if math.isfinite(number) else None


def _items(given: Any) -> list[Any] | None:
    """The items of a list, a tuple, a set, or an array or tensor of one dimension."""
    if hasattr(given, "tolist") and getattr(given, "ndim", 0) == 1:
        given = given.tolist()
    if isinstance(given, (list, tuple, set, frozenset)) and len(given) <= _LONGEST:
        return list(given)
    return None


def _is_numeric(text: str) -> bool:
    try:
        return math.isfinite(float(text.strip().rstrip("%")))
    except ValueError:
        return False


def _given(value: Any) -> str:
    """What was given, for an error: a short value as it is written, else what it is."""
    if isinstance(value, str):
        return f"the text {shown(value)}"
    if value is None or isinstance(value, (bool, int, float, complex)):
        return shown(value)
    return f"{'an' if type(value).__name__[:1].lower() in 'aeiou' else 'a'} {type(value).__name__}"
