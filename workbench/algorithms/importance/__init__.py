"""What makes a weight unimportant: one criterion per file; their names need no torch."""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from workbench.algorithms.importance.base import Criterion

CRITERIA = ("magnitude", "taylor", "movement", "wanda", "random")
NEED_DATA = ("taylor", "movement", "wanda")


def find(name: str) -> Criterion:
    """The criterion called `name`, one of `CRITERIA`."""
    return importlib.import_module(f"{__name__}.{name}").CRITERION
