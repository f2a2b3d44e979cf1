"""Exercises and solutions have one source, and the cells of an exercise stand on their own."""

from __future__ import annotations

import builtins

import exercises
import nbformat
import pytest
import repository
from nbformat.v4 import new_code_cell, new_markdown_cell, new_notebook

from workbench.course import judge


@pytest.fixture(params=repository.lessons(), ids=lambda path: path.name)
def path(request):
    return request.param


@pytest.fixture
def lesson(path):
    return nbformat.read(path, as_version=4)


@pytest.fixture
def source(path):
    return nbformat.read(exercises.source_of(path), as_version=4)


def sources(cells) -> list[tuple[str, str]]:
    return [(cell.cell_type, cell.source) for cell in cells]


def asking(lesson) -> list[str]:
    """The code of the cells that ask for an answer."""
    return [cell.source for cell in lesson.cells if cell.cell_type == "code" and "\ncheck(" in cell.source]


def test_every_lesson_has_solutions_and_no_others_are_there():
    assert [path.name for path in repository.lessons()] == [path.name for path in repository.solutions()]


def test_the_lesson_has_its_exercises_from_the_solutions(lesson, source):
    assert sources(exercises.woven(lesson, source).cells) == sources(lesson.cells)


def test_the_lesson_holds_no_solution(lesson):
    assert asking(lesson)
    for code in asking(lesson):
        assert exercises.BEGIN not in code
        assert len(code.splitlines()) == 2 and code.splitlines()[0].endswith(" = ...")


def test_every_exercise_has_a_solution(source):
    solved = [cell.source for cell in source.cells if cell.cell_type == "code" and "check(" in cell.source]
    for code in solved:
        if "\ncheck(" in code:
            assert exercises.BEGIN in code.splitlines(), code


def said(cells: list[str], capsys) -> list[str]:
    """What cells print, run one after the other by themselves: only `check` is imported."""
    names: dict = {"__builtins__": builtins}
    exec("from workbench.course import check", names)
    for code in cells:
        exec(code, names)
    return capsys.readouterr().out.splitlines()


def test_cells_can_be_copied_split_moved_and_deleted(lesson, capsys):
    cells = asking(lesson)
    once = said(cells, capsys)
    assert len(once) == len(cells) and all("not answered yet" in line for line in once)
    assert said([cell for cell in cells for _ in range(2)], capsys) == [
        line for line in once for _ in range(2)
    ]
    assert said([line for cell in cells for line in cell.splitlines()], capsys) == once
    assert said(cells[::-1], capsys) == once[::-1]
    assert said(cells[1:], capsys) == once[1:]


def test_a_solution_that_does_not_end_is_an_error():
    with pytest.raises(exercises.ExerciseError, match="no '# end of solution'"):
        exercises.without_solution("x = ...\n# solution\nx = 1")
    with pytest.raises(exercises.ExerciseError, match="does not belong"):
        exercises.without_solution("x = ...\n# end of solution")


def test_only_what_lies_below_the_heading_is_copied_without_explanations():
    explained = new_markdown_cell("Since.")
    explained.metadata["tags"] = ["solution"]
    source = new_notebook(
        cells=[
            new_code_cell("import torch"),
            new_markdown_cell("## Exercises\n\nAnswer."),
            new_code_cell("x = ...\n# solution\nx = 1\n# end of solution\ncheck('a-1', x)"),
            explained,
        ]
    )
    old = [new_markdown_cell("# L"), new_markdown_cell("## Exercises"), new_code_cell("old")]
    made = exercises.woven(new_notebook(cells=[*old, new_markdown_cell("## End")]), source)
    assert [cell.source for cell in made.cells] == [
        "# L",
        "## Exercises\n\nAnswer.",
        "x = ...\ncheck('a-1', x)",
        "## End",
    ]


def test_a_lesson_without_a_place_for_exercises_is_an_error():
    with pytest.raises(exercises.ExerciseError, match="found 0"):
        exercises.woven(new_notebook(cells=[new_markdown_cell("# L")]), new_notebook())


def test_unknown_names_are_answered_with_the_nearest():
    assert "did you mean" in judge("prunning-1", 3).words
    assert "pruning-1" in judge("pruning-99", 3).words
    assert judge(3, 4).state == judge(None, None).state == "unknown"
