"""Every test runs alone, offline and on one thread, however pytest is started."""

from __future__ import annotations

import shutil
import tempfile
from pathlib import Path

import pytest
import surroundings

_own_folder = Path(tempfile.mkdtemp(prefix="workbench-tests-"))
surroundings.enter(_own_folder)  # here, not in a fixture: torch reads the number of threads at import


def pytest_unconfigure(config: pytest.Config) -> None:
    """Leave nothing behind."""
    shutil.rmtree(_own_folder, ignore_errors=True)
