"""`check("pruning-1", answer)`: whether an answer is right and what is off, shown at once.

A check depends on nothing but its arguments: not on other cells, on names in the notebook or on what ran
before. So a cell can be copied, split, moved or deleted, and the others go on working.
"""

from __future__ import annotations

from typing import Any

from workbench.course.answers import Unreadable
from workbench.course.exercise import NotYet
from workbench.course.registry import UnknownExercise, find
from workbench.course.verdict import Verdict
from workbench.errors import WorkbenchError

_NOT_GIVEN = object()


def check(name: str, answer: Any = _NOT_GIVEN) -> None:
    """Say whether an answer is right, and what is off where it is not.

    Args:
        name: of the exercise, as the lesson gives it.
        answer: yours; without one, or with `...`, the question and the kind of answer are told.
    """
    from workbench.magics import here
    from workbench.magics.display import show

    verdict = judge(name, answer)
    if here.shell() is None:
        print(verdict)
    else:
        show(verdict)


def judge(name: str, answer: Any = _NOT_GIVEN) -> Verdict:
    """The same as a record, shown nowhere: for tests and programs. Nothing is raised, whatever the answer."""
    try:
        found = find(name)
    except UnknownExercise as error:
        return Verdict(str(name)[:40], "unknown", _sentence(str(error)))
    if answer is _NOT_GIVEN or answer is None or answer is ...:
        return Verdict(found.name, "open", f"{_sentence(found.question)} The answer is {found.takes.words}.")
    try:
        praise = found.judge(found.takes.read(answer))
    except Unreadable as error:
        return Verdict(found.name, "unreadable", _sentence(str(error)))
    except NotYet as off:
        return Verdict(found.name, "off", _sentence(str(off)))
    except WorkbenchError as error:  # a recipe that cannot run, a file that cannot be loaded
        return Verdict(found.name, "off", _sentence(str(error)))
    except Exception as error:  # a stranger's object; the student is not to read our traceback
        return Verdict(
            found.name, "unreadable", f"Checking this answer failed ({type(error).__name__}: {error})."
        )
    return Verdict(found.name, "right", _sentence(praise or ""))


def _sentence(words: str) -> str:
    words = words.strip()
    if not words:
        return ""
    return (
        (words[0].upper() + words[1:])
        if words.endswith((".", "?", "!"))
        else f"{words[0].upper()}{words[1:]}."
    )
