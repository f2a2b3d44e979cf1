"""The notebook test can fail: small broken notebooks, run by the very command that tests ours."""

from __future__ import annotations

import re
from pathlib import Path
from typing import NamedTuple

import nbformat
import pytest
import strict
from nbformat.v4 import new_code_cell, new_notebook, new_output

pytestmark = pytest.mark.slow


class Cell(NamedTuple):
    """A cell as it is stored: its code and what it printed when it was stored."""

    source: str
    printed: str = ""


LOAD = Cell("%load_ext workbench")
GOOD = [
    Cell("import os, time\nx = 1 + 1"),
    Cell("print(x)\nprint(object())", "2\n<object object at 0x7f5d1cdb4a30>\n"),
]
ELSEWHERE = "import socket\nsocket.socket(type=socket.SOCK_DGRAM).connect(('192.0.2.1', 9))"
RAW_THREAD = """import threading
def work(): raise ValueError("lost in a thread")
thread = threading.Thread(target=work)
thread.start()
thread.join()"""
JOB = """from workbench.job import Job
def work():
    raise ValueError("lost in a job")
    yield
Job(work).start().wait(10)"""
BROKEN = {
    "unknown magic": [LOAD, Cell("%no_such_magic")],
    "our magic raises": [LOAD, Cell("no_such_model = None\n%compress no_such_model")],
    "unknown technique": [LOAD, Cell("%compress help NoSuchTechnique")],
    "error in a thread": [Cell(RAW_THREAD)],
    "error in a job": [Cell(JOB)],
    "changed output": [Cell("print(1 + 1)", "3\n")],
    "missing output": [Cell("x = 1", "2\n")],
    "network": [Cell(ELSEWHERE)],
}


def store(path: Path, cells: list[Cell]) -> None:
    """Write a notebook as if every cell had run without trouble."""
    notebook = new_notebook(metadata={"kernelspec": {"name": "python3", "display_name": "Python 3"}})
    for count, cell in enumerate(cells, 1):
        outputs = [new_output("stream", name="stdout", text=cell.printed)] if cell.printed else []
        notebook.cells.append(new_code_cell(cell.source, execution_count=count, outputs=outputs))
    nbformat.write(notebook, path)


@pytest.fixture(scope="module")
def outcomes(tmp_path_factory) -> dict[str, str]:
    """What the command says of each cell: `{"changed output.ipynb::Cell 0": "FAILED", ...}`."""
    folder = tmp_path_factory.mktemp("trial")
    for name, cells in {"good": GOOD, **BROKEN}.items():
        store(folder / f"{name}.ipynb", cells)
    ran = strict.run(folder, tmp_path_factory.mktemp("scratch"), "-rA")
    assert ran.returncode == 1, ran.stdout + ran.stderr
    said = re.findall(r"^(PASSED|FAILED|ERROR|SKIPPED|XFAIL) (.+::Cell \d+)", ran.stdout, flags=re.MULTILINE)
    return {cell: outcome for outcome, cell in said}


@pytest.mark.parametrize("what", BROKEN)
def test_a_broken_notebook_fails_in_its_last_cell(outcomes, what):
    *before, last = [outcomes[f"{what}.ipynb::Cell {number}"] for number in range(len(BROKEN[what]))]
    assert set(before) <= {"PASSED"}
    assert last == "FAILED"


def test_a_good_notebook_passes(outcomes, tmp_path):
    assert {outcomes[f"good.ipynb::Cell {number}"] for number in range(len(GOOD))} == {"PASSED"}
    store(tmp_path / "good.ipynb", GOOD[:1])
    assert strict.run(tmp_path / "good.ipynb", tmp_path / "scratch").returncode == 0


def test_a_folder_without_notebooks_fails(tmp_path):
    (tmp_path / "trial").mkdir()
    assert strict.run(tmp_path / "trial", tmp_path / "scratch").returncode != 0
