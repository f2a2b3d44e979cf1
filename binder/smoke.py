"""What has to hold in a Binder image before it is used; the exit code of `python binder/smoke.py` says so."""

from __future__ import annotations

import importlib.metadata
import re
import resource
import shutil
import sys
import sysconfig
import tempfile
from collections.abc import Iterator
from pathlib import Path

QUICKSTART = Path(__file__).resolve().parent.parent / "notebooks" / "00-quickstart.ipynb"
CUDA = re.compile(r"nvidia[-_]|cuda|triton$", re.IGNORECASE)
MOST = 1_000  # MB that the kernel of one lesson may hold; Binder has 2,000 for all
TIMEOUT = 300  # seconds for a cell


def problems() -> Iterator[str]:
    """Each thing that does not hold, in one line."""
    import torch

    names = {each.metadata["Name"] or "" for each in importlib.metadata.distributions()}
    if cuda := sorted(name for name in names if CUDA.match(name)):
        yield f"packages for graphics cards: {', '.join(cuda)}"
    if torch.version.cuda is not None:
        yield f"torch is built for CUDA {torch.version.cuda}"
    place = Path(sysconfig.get_path("data")) / "share/jupyter/labextensions/compression-workbench"
    if not (place / "package.json").exists():
        yield f"the front end is not in {place}"
    if not (place / "lessons/index.json").exists():
        yield "the lessons are not listed in JupyterLab"
    yield from _quickstart()


def _quickstart() -> Iterator[str]:
    """Run the quickstart from top to bottom, in a folder of its own."""
    import nbformat
    from nbclient import NotebookClient
    from nbclient.exceptions import CellExecutionError, CellTimeoutError, DeadKernelError

    notebook = nbformat.read(QUICKSTART, as_version=4)
    with tempfile.TemporaryDirectory() as folder:
        shutil.copy(QUICKSTART, folder)
        client = NotebookClient(notebook, timeout=TIMEOUT, resources={"metadata": {"path": folder}})
        try:
            client.execute()
        except (CellExecutionError, CellTimeoutError, DeadKernelError) as error:
            yield f"the quickstart does not run: {error}"
    kernel = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss / 1000  # MB, on Linux
    if kernel > MOST:
        yield f"the kernel of the quickstart held {kernel:.0f} MB, {MOST} are allowed"
    print(f"the quickstart ran; its kernel held at most {kernel:.0f} MB")


def main() -> int:
    found = list(problems())
    for each in found:
        print(each, file=sys.stderr)
    return int(bool(found))


if __name__ == "__main__":
    sys.exit(main())
