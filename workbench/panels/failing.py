"""What went wrong, in one line for a person."""

from __future__ import annotations

from workbench.errors import WorkbenchError

_NO_MEMORY = ("can't allocate memory", "out of memory", "not enough memory")


def line(error: BaseException) -> str:
    """One line that says what happened; our own errors say it themselves."""
    first = str(error).strip().split("\n")[0]
    if isinstance(error, WorkbenchError):
        return first
    if isinstance(error, MemoryError) or any(each in str(error).lower() for each in _NO_MEMORY):
        return "memory ran out; take smaller batches, close other notebooks, or restart the kernel"
    return f"{type(error).__name__}: {first}" if first else type(error).__name__
