"""Where latency is measured: one runtime per file. Adding a runtime adds a file to this folder."""

from __future__ import annotations

import functools
import importlib
import pkgutil

from workbench.errors import RuntimeUnavailable, listed, nearest
from workbench.runtimes.base import Prepared, Runtime

__all__ = ["Prepared", "Runtime", "find", "runtimes", "title"]


@functools.cache
def runtimes() -> dict[str, Runtime]:
    """Every runtime by name, installed or not; `check()` tells which."""
    found: list[Runtime] = []
    for info in pkgutil.iter_modules(__path__):
        module = importlib.import_module(f"{__name__}.{info.name}")
        for value in vars(module).values():
            is_runtime = isinstance(value, type) and issubclass(value, Runtime) and value is not Runtime
            if is_runtime and value.__module__ == module.__name__:
                found.append(value())
    return {each.name: each for each in sorted(found, key=lambda each: (each.order, each.name))}


def find(name: str) -> Runtime:
    """The runtime called `name`.

    Raises:
        RuntimeUnavailable: there is none; the line names the nearest.
    """
    known = runtimes()
    if name not in known:
        raise RuntimeUnavailable(
            f"no runtime named {name!r}{nearest(name, known)} (there are: {listed(known)})"
        )
    return known[name]


def title(name: str) -> str:
    """A runtime's name as people write it; the name itself where there is no such runtime any more."""
    known = runtimes()
    return known[name].title if name in known else name
