"""The error of a magic: the cell fails and one line is shown.

IPython's own `UsageError` prints a line too, but the cell counts as a success and Run All goes on.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from workbench.errors import WorkbenchError
from workbench.job import Stopped


class CompressError(WorkbenchError):
    """What a line of `%compress` got wrong, in one line."""

    def _render_traceback_(self) -> list[str]:
        return [str(self)]


@contextmanager
def in_one_line() -> Iterator[None]:
    """Show the workbench's own errors as one line; any other error keeps its traceback.

    Raises:
        CompressError: the same words, from the error that was raised.
    """
    try:
        yield
    except CompressError:
        raise
    except (WorkbenchError, Stopped) as error:
        raise CompressError(" ".join(str(error).split())) from error
