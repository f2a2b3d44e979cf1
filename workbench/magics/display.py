"""How results and progress are shown: a line that is updated and goes away, then what stays.

In a notebook the line lives under the header in one output, which ends as it began, so that a stored notebook
and a run of it by a test agree. In a terminal it is one line that is overwritten and wiped out.
"""

from __future__ import annotations

import shutil
import sys
from html import escape
from typing import TYPE_CHECKING, Any

from workbench.measurement import units

if TYPE_CHECKING:
    from IPython.core.interactiveshell import InteractiveShell

    from workbench.job import Job


def is_notebook(shell: InteractiveShell) -> bool:
    """Whether a front end shows what this shell displays (a kernel), and not a terminal."""
    return getattr(shell, "kernel", None) is not None


def show(value: Any) -> None:
    """Display a page, a report or a version as text and HTML, and a panel as it displays itself."""
    from IPython.display import display

    html = getattr(value, "_repr_html_", None)
    if html is None:
        display(value)
    else:
        display({"text/plain": as_text(value), "text/html": html()}, raw=True)


def as_text(value: Any) -> str:
    """What a terminal shows of a page, a report or a version."""
    # a version's line says nothing of what it keeps and of what was measured
    more = (getattr(value, name, None) for name in ("standing", "report"))
    return "\n".join(str(each) for each in (value, *more) if each)


def run(shell: InteractiveShell, job: Job[Any], header: Any = None) -> Any:
    """Run a job here and return its result, with its progress under `header`."""
    line = _NotebookLine(header) if is_notebook(shell) else _TerminalLine(header)
    job.observe(line.update)
    try:
        return job.run()
    finally:
        line.clear()


def words(job: Job[Any]) -> str:
    """The progress of a job in words: `42 % · step 1 of 2, FineTune: epoch 0.5 of 2 · 0:12 left`."""
    progress = job.progress
    parts = [
        f"{progress.fraction:.0%}".replace("%", " %") if progress.fraction is not None else "",
        progress.message,
        f"{units.seconds(job.remaining)} left" if job.remaining and job.elapsed > 1 else "",
        "stopping" if job.state == "stopping" else "",
    ]
    return " · ".join(part for part in parts if part)


class _NotebookLine:
    """A bar and a line of words under the header."""

    def __init__(self, header: Any) -> None:
        from IPython.display import DisplayHandle

        self._text = str(header) if header is not None else ""
        self._html = header._repr_html_() if header is not None else ""
        self._handle = DisplayHandle()
        self._handle.display(self._bundle(), raw=True)

    def update(self, job: Job[Any]) -> None:
        """Show where the job is."""
        if not job.is_running:
            return
        fraction = job.progress.fraction
        value = f' value="{fraction:.3f}"' if fraction is not None else ""
        bar = f'<progress style="vertical-align:middle;width:16em" max="1"{value}></progress>'
        html = f'<div style="font-variant-numeric:tabular-nums">{bar} {escape(words(job))}</div>'
        self._handle.update(self._bundle(words(job), html), raw=True)

    def clear(self) -> None:
        """Leave the header alone."""
        self._handle.update(self._bundle(), raw=True)

    def _bundle(self, text: str = "", html: str = "") -> dict[str, str]:
        lines = [each for each in (self._text, text) if each]
        return {"text/plain": "\n".join(lines), "text/html": self._html + html}


class _TerminalLine:
    """One line that is overwritten; nothing where the output is not a terminal."""

    def __init__(self, header: Any) -> None:
        self._is_shown = sys.stdout.isatty()
        if header is not None:
            print(header)

    def update(self, job: Job[Any]) -> None:
        """Show where the job is."""
        if self._is_shown and job.is_running:
            width = shutil.get_terminal_size().columns - 1
            print(f"\r{words(job)[:width].ljust(width)}", end="", flush=True)

    def clear(self) -> None:
        """Wipe the line out."""
        if self._is_shown:
            print(f"\r{' ' * (shutil.get_terminal_size().columns - 1)}\r", end="", flush=True)
