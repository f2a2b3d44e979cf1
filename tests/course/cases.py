"""What the tests of exercises are made of: a right answer and wrong ones, for each exercise of a lesson."""

from __future__ import annotations

import importlib
from collections.abc import Sequence
from dataclasses import dataclass
from types import FunctionType
from typing import Any


@dataclass(frozen=True)
class Case:
    """Answers to one exercise.

    Attributes:
        right: an answer that holds; a function makes one that takes some work.
        wrong: answers that do not, each with words that the check has to say.
        is_slow: the check trains.
    """

    right: Any
    wrong: Sequence[tuple[Any, str]]
    is_slow: bool = False


def made(answer: Any) -> Any:
    """The answer itself, where a function makes it."""
    return answer() if isinstance(answer, FunctionType) else answer


def case(name: str, family: str) -> Case:
    """The answers of an exercise, from `answers/FAMILY.py`."""
    return importlib.import_module(f"answers.{family.replace('-', '_')}").CASES[name]
