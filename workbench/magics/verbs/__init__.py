"""One verb per file: `%compress measure` is `measure.py`. To add one, add a file that defines `VERB`."""

from __future__ import annotations

import importlib
import pkgutil
from functools import cache
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from workbench.magics.grammar import Verb

_ORDER = (
    "measure",
    "compare",
    "sensitivity",
    "mixed",
    "save",
    "load",
    "export",
    "history",
    "report",
    "undo",
    "redo",
    "delete",
    "help",
)


@cache
def names() -> tuple[str, ...]:
    """The verbs there are, in the order a person meets them."""
    found = [module.name for module in pkgutil.iter_modules(__path__)]
    return tuple(sorted(found, key=lambda name: (_ORDER.index(name) if name in _ORDER else -1, name)))


def find(name: str) -> Verb:
    """What the verb called `name` says about itself."""
    return importlib.import_module(f"{__name__}.{name}").VERB
