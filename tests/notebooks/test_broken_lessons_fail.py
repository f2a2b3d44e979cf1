"""A lesson that no longer holds fails the test of notebooks: real lessons, broken in one place each."""

from __future__ import annotations

import re

import nbformat
import pytest
import repository
import strict
from nbformat import NotebookNode

pytestmark = pytest.mark.slow

SHORT = 3  # code cells of the quickstart: up to the first figures


def quickstart() -> NotebookNode:
    """The first cells of the quickstart, as they are stored."""
    notebook = nbformat.read(repository.lessons()[0], as_version=4)
    ends = [number for number, cell in enumerate(notebook.cells) if cell.cell_type == "code"]
    notebook.cells = notebook.cells[: ends[SHORT - 1] + 1]
    return notebook


def solutions() -> NotebookNode:
    """The solutions that take the shortest."""
    (path,) = (each for each in repository.solutions() if "distillation" in each.name)
    return nbformat.read(path, as_version=4)


def broken(notebook: NotebookNode, before: str, after: str) -> NotebookNode:
    """The notebook with one text of its code replaced; its stored outputs as they were."""
    (cell,) = (each for each in notebook.cells if each.cell_type == "code" and before in each.source)
    cell.source = cell.source.replace(before, after)
    return notebook


def without(notebook: NotebookNode, text: str) -> NotebookNode:
    """The notebook without the code cell that has this text."""
    kept = [each for each in notebook.cells if each.cell_type != "code" or text not in each.source]
    assert len(kept) == len(notebook.cells) - 1
    notebook.cells = kept
    return notebook


LOADED = 'digits = wb.examples.load("digits")'
UNTRAINED = (
    "digits = wb.Workload(type(digits.model)(), train=digits.train, validation=digits.validation, "
    "test=digits.test, name=digits.name)"
)
CASES = {
    "whole": quickstart,
    "the net is worse than the page says": lambda: broken(quickstart(), LOADED, f"{LOADED}\n{UNTRAINED}"),
    "a cell is gone that others need": lambda: without(quickstart(), LOADED),
    "whole solutions": solutions,
    "a solution is wrong": lambda: broken(solutions(), "my_temperature = 4 - 2", "my_temperature = 4 - 3"),
    "an exercise is called by another name": lambda: broken(solutions(), "distillation-2", "distillation-20"),
}


@pytest.fixture(scope="module")
def failed(tmp_path_factory) -> dict[str, bool]:
    """For each notebook whether any of its cells failed."""
    folder = tmp_path_factory.mktemp("broken")
    for name, make in CASES.items():
        nbformat.write(make(), folder / f"{name}.ipynb")
    ran = strict.run(folder, tmp_path_factory.mktemp("scratch"), "-rA")
    said = re.findall(r"^(PASSED|FAILED|ERROR) (.+)\.ipynb::Cell \d+", ran.stdout, flags=re.MULTILINE)
    outcomes = {name: {outcome for outcome, each in said if each == name} for name in CASES}
    assert all(outcomes.values()), ran.stdout + ran.stderr
    return {name: found != {"PASSED"} for name, found in outcomes.items()}


@pytest.mark.parametrize("name", CASES)
def test_a_broken_lesson_fails_and_a_whole_one_passes(failed, name):
    assert failed[name] is (not name.startswith("whole"))
