"""Each notebook is stored the way readers and the strict test need it: executed, clean, its own kernel."""

from __future__ import annotations

import json
import re

import pytest
import repository

# what makes nbval look away, as a tag of a cell or as a comment in it
LOOKS_AWAY = re.compile(r"nbval[-_](ignore[-_]output|skip)|pytest_validate_ignore_output", re.IGNORECASE)
SEVERAL_KB = 200_000  # one output larger than this makes the page slow to open and the repository heavy


@pytest.fixture(params=repository.notebooks(), ids=lambda path: "/".join(path.parts[-2:]))
def notebook(request) -> dict:
    return json.loads(request.param.read_text(encoding="utf-8"))


def code_cells(notebook: dict) -> list[dict]:
    return [
        cell for cell in notebook["cells"] if cell["cell_type"] == "code" and "".join(cell["source"]).strip()
    ]


def test_there_are_notebooks():
    assert repository.notebooks()


def test_every_cell_ran_from_top_to_bottom(notebook):
    counts = [cell["execution_count"] for cell in code_cells(notebook)]
    assert counts and counts == list(range(1, len(counts) + 1))


def test_outputs_are_stored(notebook):
    assert any(cell["outputs"] for cell in code_cells(notebook))


def test_no_error_is_stored_as_the_expected_output(notebook):
    # strict nbval compares with what is stored: a stored error would make the same error a success
    wrong = [
        output
        for cell in code_cells(notebook)
        for output in cell["outputs"]
        if output["output_type"] == "error" or output.get("name") == "stderr"
    ]
    assert not wrong


def test_nothing_makes_the_test_look_away(notebook):
    texts = [
        "".join(cell["source"]) + " ".join(cell["metadata"].get("tags", [])) for cell in notebook["cells"]
    ]
    assert not [text for text in texts if LOOKS_AWAY.search(text)]


def test_no_state_of_widgets_is_stored(notebook):
    assert "widgets" not in notebook["metadata"]  # each would bring the whole chart library along


def test_outputs_are_small(notebook):
    sizes = [len(json.dumps(output)) for cell in code_cells(notebook) for output in cell["outputs"]]
    assert max(sizes, default=0) < SEVERAL_KB


def test_kernel_is_that_of_any_environment(notebook):
    assert notebook["metadata"]["kernelspec"]["name"] == "python3"
