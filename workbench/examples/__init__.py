"""Small trained nets with the real data they were trained on; everything here works offline.

One example per file: `lenet_5.py` is `load("lenet-5")`. To add one, add a file that defines `EXAMPLE`
and train its checkpoint with `python -m workbench.examples.training NAME`.
"""

from __future__ import annotations

import importlib
import pkgutil
import re
from typing import TYPE_CHECKING

from workbench.errors import WorkloadError, listed, nearest

if TYPE_CHECKING:
    from workbench.examples.parts.example import Example
    from workbench.workload import Workload

__all__ = ["find", "load", "names"]


def names() -> tuple[str, ...]:
    """The examples that `load` knows, sorted by name, numbers by value. Imports none of them."""
    modules = (module.name for module in pkgutil.iter_modules(__path__) if not module.ispkg)
    return tuple(sorted((name.replace("_", "-") for name in modules), key=_natural))


def find(name: str) -> Example:
    """The record of one example: its net, its data, how it was trained.

    Raises:
        WorkloadError: when there is no such example; the line names the nearest.
    """
    known = names()
    if name not in known:
        raise WorkloadError(f"no example named {name!r} among {listed(known)}{nearest(name, known)}")
    return importlib.import_module(f"{__name__}.{name.replace('-', '_')}").EXAMPLE


def load(name: str, *, data: str = "auto") -> Workload:
    """A trained net with its train, validation and test data, as a `Workload`.

    `data` chooses how much of MNIST: "subset" is what the package ships, "full" is the official 60,000 +
    10,000 (from the folder that WORKBENCH_DATA names, else the cache, else downloaded), and "auto" is the
    full set where it is on disk and the subset elsewhere. The workload's name says which it is. `digits`
    is shipped whole, so that all three mean the same.

    Raises:
        WorkloadError: unknown name, or a full set that is neither on disk nor to be had by the network.
    """
    return find(name).load(data)


def _natural(name: str) -> list[tuple[int, str]]:
    return [(int(part or 0), "") if part.isdigit() else (0, part) for part in re.split(r"(\d+)", name)]
