"""Where tests run: alone (no settings of the developer's), offline, on one thread.

Used by `tests/run.py` for the whole run, by `tests/conftest.py` when pytest is started directly, and
by the scripts in `tests/notebooks/`, so that a notebook is stored the way it will be tested.
"""

from __future__ import annotations

import os
import sys
from pathlib import Path

TESTS = Path(__file__).resolve().parent
ROOT = TESTS.parent
MARK = "WORKBENCH_TEST_SURROUNDINGS"  # names the folder in use, and tells child processes that it is


def surroundings(folder: Path) -> dict[str, str]:
    """The environment variables of a test run that keeps its files in `folder`."""
    jupyter = folder / "jupyter"
    path = [str(TESTS / "offline"), *filter(None, [os.environ.get("PYTHONPATH")])]
    return {
        MARK: str(folder),
        "PYTHONPATH": os.pathsep.join(path),
        "PATH": os.pathsep.join([str(Path(sys.executable).parent), os.environ.get("PATH", os.defpath)]),
        "JUPYTER_CONFIG_DIR": str(jupyter / "config"),
        "JUPYTER_DATA_DIR": str(jupyter / "data"),
        "JUPYTER_RUNTIME_DIR": str(jupyter / "runtime"),
        "JUPYTERLAB_SETTINGS_DIR": str(jupyter / "settings"),
        "JUPYTERLAB_WORKSPACES_DIR": str(jupyter / "workspaces"),
        "IPYTHONDIR": str(folder / "ipython"),
        "PYDEVD_DISABLE_FILE_VALIDATION": "1",  # else each kernel warns about frozen modules
        # torch is up to ten times slower with two threads as soon as anything else runs
        "OMP_NUM_THREADS": "1",
        "MKL_NUM_THREADS": "1",
        "OPENBLAS_NUM_THREADS": "1",
    }


def enter(folder: Path) -> None:
    """Give this process and its children the surroundings."""
    os.environ.update(surroundings(folder))
    sys.path.insert(0, str(TESTS / "offline"))
    sys.modules.pop("sitecustomize", None)  # some systems have their own, which is loaded by now
    import sitecustomize  # noqa: F401  (installs the audit hook in this process)


def are_entered() -> bool:
    """Whether a parent process has given us the surroundings."""
    return MARK in os.environ
