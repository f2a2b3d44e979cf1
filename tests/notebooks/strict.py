"""The one command that tests notebooks, for the test run, for its own proof and for authors.

Strict: outputs are compared with the stored ones, so an error that only prints (an unknown magic, a
thread that died) is a difference. Notebooks run in a copy of their folder: what a notebook writes, the
versions kept beside it above all, neither litters the checkout nor changes the next run.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

SANITIZE = Path(__file__).with_name("sanitize.cfg")
CELL_TIMEOUT = 120  # seconds
LEFT_OUT = shutil.ignore_patterns(".workbench", ".ipynb_checkpoints", "__pycache__")


def command(folder: Path, *more: str) -> list[str]:
    """pytest over the notebooks of `folder`, untouched by any other pytest configuration."""
    return [
        *(
            sys.executable,
            "-m",
            "pytest",
            "-c",
            os.devnull,
            "--rootdir",
            str(folder),
            "-p",
            "no:cacheprovider",
        ),
        *("--nbval", "--nbval-current-env", "--nbval-sanitize-with", str(SANITIZE)),
        *(f"--nbval-cell-timeout={CELL_TIMEOUT}", *more, str(folder)),
    ]


def environment(scratch: Path) -> dict[str, str]:
    """As for a reader without the full data sets, which only tests and benchmarks use where they are."""
    kept = {name: value for name, value in os.environ.items() if name != "WORKBENCH_DATA"}
    return {**kept, "XDG_CACHE_HOME": str(scratch / "cache")}


def run(notebooks: Path, scratch: Path, *more: str) -> subprocess.CompletedProcess[str]:
    """Test a folder of notebooks, or one notebook, in a copy under `scratch`; output is captured."""
    copied = copy(notebooks, scratch)
    arguments = command(copied, "--color=no", *more)
    return subprocess.run(arguments, cwd=copied, env=environment(scratch), capture_output=True, text=True)


def copy(notebooks: Path, scratch: Path) -> Path:
    """A copy of a folder of notebooks (or of the folder with just that notebook) under `scratch`."""
    folder = notebooks.parent if notebooks.is_file() else notebooks
    copied = scratch / "notebooks"
    shutil.copytree(folder, copied, ignore=LEFT_OUT)
    if notebooks.is_file():
        for other in copied.rglob("*.ipynb"):
            if other.relative_to(copied) != notebooks.relative_to(folder):
                other.unlink()
    return copied
