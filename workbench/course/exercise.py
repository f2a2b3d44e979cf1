"""What an exercise is: a name, a question, the kind of answer it takes, and a check of what must be true.

A check is a function decorated with `@exercise`. It says with `expect` what a right answer has to satisfy,
and what is off where it does not; it never holds the answer. The first line of its docstring is the question
in short.
"""

from __future__ import annotations

import inspect
import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from workbench.course.answers import Kind

_NAME = re.compile(r"[a-z][a-z-]*[a-z](-[1-9]\d?)?")

REGISTERED: dict[str, Exercise] = {}  # filled as the modules of `lessons/` are imported


class NotYet(Exception):
    """Raised by `expect`: the answer does not hold; the text says what is off."""


@dataclass(frozen=True)
class Exercise:
    """One exercise.

    Attributes:
        name: `pruning-1`; the part before the number is the name of its module.
        question: what is asked, in one line.
        takes: the kind of answer, which reads it or says in one line what was expected.
        judge: raises `NotYet` where the answer is off; may return a sentence for a right one.
    """

    name: str
    question: str
    takes: Kind
    judge: Callable[[Any], str | None]


def exercise(name: str, takes: Kind) -> Callable[[Callable[[Any], str | None]], Callable[[Any], str | None]]:
    """Register the decorated function as the check of an exercise.

    Args:
        name: `pruning-1`, in the module `pruning`.
        takes: what the answer must be, see `answers`.

    Raises:
        ValueError: the name is taken, or is not of this form.
    """

    def register(judge: Callable[[Any], str | None]) -> Callable[[Any], str | None]:
        question = (inspect.getdoc(judge) or "").partition("\n")[0]
        if not question:
            raise ValueError(f"exercise {name!r} has no question: the first line of its docstring")
        if not _NAME.fullmatch(name):
            raise ValueError(f"an exercise is named like 'pruning-1', got {name!r}")
        known = REGISTERED.get(name)
        # a module that is loaded again, as authors do, may say the same name again
        if known is not None and known.judge.__code__.co_filename != judge.__code__.co_filename:
            raise ValueError(f"there is an exercise {name!r} already")
        REGISTERED[name] = Exercise(name, question, takes, judge)
        return judge

    return register


def expect(is_so: Any, otherwise: str) -> None:
    """Go on where something holds; else the answer is off, and `otherwise` says what is.

    Raises:
        NotYet: it does not hold.
    """
    if not is_so:
        raise NotYet(otherwise)
