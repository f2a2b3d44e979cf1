"""Execute a notebook and store it the way the tests want it: `python tests/notebooks/store.py FILE...`.

A lesson first takes over its exercises from `notebooks/solutions/`, see `exercises.py`. Then
it runs as it will be tested (offline, on one thread, in a copy of its folder, with this environment's
kernel), is stored without the state of its widgets, and is then put to the strict test itself, so that
an output that differs from run to run is noticed by its author. A panel is stored as it stood where its
cell has ended, whatever later cells ask of it: what stands around it on the page speaks of that.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
from pathlib import Path

import exercises
import nbformat
import strict
from nbclient import NotebookClient
from nbclient.exceptions import CellExecutionError

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))
import surroundings

PANEL = "<!--/wb-still-->"  # ends the still form of a panel
TELL = """
def tell(names):
    from workbench.panels.readable import Readable

    for panel in [each for each in names if isinstance(each, Readable)]:
        panel.wait(90)
        panel.still()


tell(list(globals().values()))
del tell
"""
KERNEL = {"display_name": "Python 3 (ipykernel)", "language": "python", "name": "python3"}


class Client(NotebookClient):
    """Runs a notebook, and lets every panel tell its still form when it rests, at its own cell.

    Left to itself a panel tells it when it rests. What comes between two cells is lost then, since the client
    listens to the running cell alone, and what comes late is another state than the page is about.
    """

    _is_telling = False

    async def async_execute_cell(self, cell, cell_index, *arguments, **options):
        made = await super().async_execute_cell(cell, cell_index, *arguments, **options)
        if any(PANEL in each.get("data", {}).get("text/html", "") for each in cell.get("outputs", [])):
            self._is_telling = True
            told = nbformat.v4.new_code_cell(TELL)
            await super().async_execute_cell(told, cell_index, store_history=False)
            self.nb.cells[cell_index] = cell  # the client puts what it runs in the cell's place
            self.code_cells_executed -= 1  # and counts it
            self._is_telling = False
        return made

    def _update_display_id(self, display_id, msg):
        if self._is_telling or PANEL not in msg["content"]["data"].get("text/html", ""):
            super()._update_display_id(display_id, msg)


def execute(path: Path, scratch: Path) -> nbformat.NotebookNode:
    """The notebook with fresh outputs, nothing of which depends on the machine or the moment."""
    notebook = nbformat.read(path, as_version=4)
    if exercises.is_lesson(path) and (source := exercises.source_of(path)).exists():
        notebook = exercises.woven(notebook, nbformat.read(source, as_version=4))
    for cell in notebook.cells:
        if cell.cell_type == "code":
            cell.execution_count, cell.outputs = None, []
    client = Client(
        notebook,
        timeout=strict.CELL_TIMEOUT,
        kernel_name="python3",
        record_timing=False,
        store_widget_state=False,  # it would store the whole chart library in the notebook
        coalesce_streams=True,
        resources={"metadata": {"path": str(strict.copy(path, scratch))}},
    )
    client.execute(env=strict.environment(scratch))
    notebook.metadata = {"kernelspec": KERNEL, "language_info": {"name": "python"}}
    return notebook


def store(path: Path) -> bool:
    """Execute, store and test one notebook; whether all of it went well. Nothing is stored on an error."""
    with tempfile.TemporaryDirectory(prefix="workbench-store-", ignore_cleanup_errors=True) as folder:
        scratch = Path(folder)
        try:
            notebook = execute(path, scratch / "stored")
        except CellExecutionError as error:
            print(f"{path} is unchanged; a cell failed:\n{error}", file=sys.stderr)
            return False
        nbformat.write(notebook, path)
        print(f"{path}: stored, {path.stat().st_size / 1000:.0f} KB; testing it")
        tested = strict.run(path, scratch / "tested", "-q")
    print(tested.stdout[-10_000:], tested.stderr, sep="")
    return tested.returncode == 0


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("notebooks", nargs="+", type=Path, metavar="FILE")
    paths = parser.parse_args().notebooks
    with tempfile.TemporaryDirectory(prefix="workbench-store-", ignore_cleanup_errors=True) as folder:
        surroundings.enter(Path(folder))
        return int(not all([store(path.resolve()) for path in paths]))


if __name__ == "__main__":
    sys.exit(main())
