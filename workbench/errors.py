"""The errors a person meets: each is one line that says what was given, what was expected, what to do."""

from __future__ import annotations

import reprlib
from collections.abc import Iterable
from difflib import get_close_matches
from typing import Any

# bounds before `repr` is made: a YAML file of a few lines can hold a list of a million million items
_REPR = reprlib.Repr()
_REPR.maxstring = _REPR.maxother = _REPR.maxlong = 400
_REPR.maxlist = _REPR.maxtuple = _REPR.maxdict = _REPR.maxset = 8
_REPR.maxlevel = 4


class WorkbenchError(Exception):
    """What every error of the workbench is; `str(error)` is one line that helps."""


class OptionError(WorkbenchError, ValueError):
    """An option's value lies outside what the option allows."""


class RecipeError(WorkbenchError, ValueError):
    """A text, YAML or JSON that is not a recipe, or names something that does not exist."""


class WorkloadError(WorkbenchError):
    """The model or its data cannot be used as given."""


class ModelChanged(WorkloadError):
    """The user's model is no longer the one the workload was made from."""


class StorageError(WorkbenchError):
    """A file that cannot be read as a packed model, or cannot be written."""


class RuntimeUnavailable(WorkbenchError):
    """A runtime that is not installed, or cannot take this model."""


class VersionError(WorkbenchError):
    """A version that does not exist, or an operation the version tree refuses."""


_OUT_OF_MEMORY = ("out of memory", "can't allocate memory", "cannot allocate memory")


def told(error: BaseException) -> str:
    """What went wrong in one line, for a person: an error of ours as it is, another with its class."""
    line = str(error).strip().split("\n")[0]
    if isinstance(error, WorkbenchError):
        return line
    if isinstance(error, MemoryError) or any(each in str(error).lower() for each in _OUT_OF_MEMORY):
        return "the memory ran out; a smaller batch or fewer open notebooks leave more of it"
    if isinstance(error, OSError) and error.strerror:
        named = f": {error.filename}" if error.filename else ""
        return f"{error.strerror}{named}"
    return f"{type(error).__name__}: {line}" if line else type(error).__name__


def nearest(name: str, known: Iterable[str]) -> str:
    """`"; did you mean 'Quantize'?"` for a name close to a known one, else an empty text."""
    known = list(known)
    by_lower = {each.lower(): each for each in known}
    close = get_close_matches(str(name)[:100].lower(), list(by_lower), n=1, cutoff=0.6)
    return f"; did you mean {by_lower[close[0]]!r}?" if close else ""


def listed(names: Iterable[str], most: int = 12) -> str:
    """`"a, b, c"`, cut after `most` names; `"none"` where there are none."""
    names = list(names)
    shown = ", ".join(names[:most])
    return (f"{shown} and {len(names) - most} more" if len(names) > most else shown) or "none"


def shown(value: Any, most: int = 60) -> str:
    """A value as it would be written, on one line and cut after `most` characters."""
    try:
        text = " ".join(_REPR.repr(value).split())
    except Exception:  # a whole number of thousands of digits, or somebody's class
        return f"<{type(value).__name__}>"
    if len(text) <= most:
        return text
    quote = text[0] if text[0] in "'\"" else ""
    return f"{text[: most - 3 - len(quote)]}...{quote}"
