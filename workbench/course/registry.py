"""The exercises there are, found by listing the folder `lessons/`, a module for each lesson."""

from __future__ import annotations

import importlib
import pkgutil
import re

from workbench.course import lessons as folder
from workbench.course.exercise import REGISTERED, Exercise
from workbench.errors import WorkbenchError, listed, nearest


class UnknownExercise(WorkbenchError):
    """There is no exercise of that name."""


def families() -> tuple[str, ...]:
    """The families of exercises, one per lesson, sorted; imports none of them."""
    return tuple(sorted(module.name.replace("_", "-") for module in pkgutil.iter_modules(folder.__path__)))


def exercises(family: str | None = None) -> tuple[Exercise, ...]:
    """Every exercise, or those of one family, in order."""
    for each in families() if family is None else (family,):
        importlib.import_module(f"{folder.__name__}.{each.replace('-', '_')}")
    found = (each for each in REGISTERED.values() if family in (None, _family(each.name)))
    return tuple(sorted(found, key=lambda each: (_family(each.name), _number(each.name))))


def find(name: str) -> Exercise:
    """The exercise of a name; only the module of its family is loaded.

    Raises:
        UnknownExercise: one line that names the nearest.
    """
    if not isinstance(name, str):
        raise UnknownExercise(
            f"an exercise is asked for by its name, like check('pruning-1', answer); got {name!r}"
        )
    asked = name.strip().lower().replace("_", "-").replace(" ", "-")
    if _family(asked) in families():
        known = exercises(_family(asked))
        for each in known:
            if each.name == asked:
                return each
        raise UnknownExercise(f"there is no {name!r}; this lesson has {listed(each.name for each in known)}")
    near = nearest(_family(asked), families())
    raise UnknownExercise(f"there is no {name!r}{near}; exercises are named like {_like(families())}")


def _like(names: tuple[str, ...]) -> str:
    return f"'NAME-1', with NAME one of {listed(names, 20)}"


def _family(name: str) -> str:
    return re.sub(r"-\d+$", "", name)


def _number(name: str) -> int:
    found = re.search(r"-(\d+)$", name)
    return int(found[1]) if found else 0
