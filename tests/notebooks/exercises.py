"""One source for exercise and solution: the notebook in `notebooks/solutions/` of the lesson's name.

What stands there from the heading `## Exercises` on is copied into the lesson, without its solutions: the
lines between `# solution` and `# end of solution`, and cells with the tag `solution`. `store.py` does so
before it runs a lesson, and a test compares the two.
"""

from __future__ import annotations

import re
from pathlib import Path

import nbformat
from nbformat import NotebookNode
from nbformat.v4 import new_code_cell, new_markdown_cell

BEGIN, END = "# solution", "# end of solution"
TAG = "solution"
FOLDER = "solutions"
HEADING = "## Exercises"
_SECTION = re.compile(r"## \S")


class ExerciseError(ValueError):
    """A solution that does not end, or a lesson without a place for its exercises; one line."""


def source_of(lesson: Path) -> Path:
    """Where a lesson's exercises and their solutions are written."""
    return lesson.parent / FOLDER / lesson.name


def is_lesson(path: Path) -> bool:
    """Whether a notebook is a lesson, and not the solutions of one."""
    return path.parent.name != FOLDER


def for_students(source: NotebookNode) -> list[NotebookNode]:
    """The exercises of a notebook of solutions as the lesson has them, none of them run yet.

    Raises:
        ExerciseError: it has no exercises, or a solution does not end.
    """
    start, end = _place(source, "the solutions")
    kept = [cell for cell in source.cells[start:end] if TAG not in cell.metadata.get("tags", [])]
    return [_copied(cell, number) for number, cell in enumerate(kept)]


def woven(lesson: NotebookNode, source: NotebookNode) -> NotebookNode:
    """The lesson with its exercises as the source has them; all other cells are as they were."""
    start, end = _place(lesson, "the lesson")
    made = nbformat.from_dict({**lesson})
    made.cells = [*lesson.cells[:start], *for_students(source), *lesson.cells[end:]]
    return made


def without_solution(code: str) -> str:
    """The lines of a cell that a student is given."""
    kept, is_inside = [], False
    for line in code.splitlines():
        mark = line.strip()
        if mark in (BEGIN, END):
            if (mark == BEGIN) is is_inside:
                raise ExerciseError(f"{mark!r} stands where it does not belong, in the cell {code[:60]!r}")
            is_inside = not is_inside
        elif not is_inside:
            kept.append(line)
    if is_inside:
        raise ExerciseError(f"a solution has no {END!r}, in the cell {code[:60]!r}")
    return "\n".join(kept)


def _place(notebook: NotebookNode, what: str) -> tuple[int, int]:
    """From the heading of the exercises to the next heading of its level."""
    heads = [cell.cell_type == "markdown" and cell.source.lstrip() for cell in notebook.cells]
    starts = [number for number, text in enumerate(heads) if text and text.startswith(HEADING)]
    if len(starts) != 1:
        raise ExerciseError(f"{what} need one cell that begins with {HEADING!r}, found {len(starts)}")
    ends = (
        number
        for number in range(starts[0] + 1, len(heads))
        if heads[number] and _SECTION.match(heads[number])
    )
    return starts[0], next(ends, len(heads))


def _copied(cell: NotebookNode, number: int) -> NotebookNode:
    make = new_markdown_cell if cell.cell_type == "markdown" else new_code_cell
    return make(without_solution(cell.source), id=f"exercises-{number:02}")
