"""Every test runs alone, offline and on one thread, however pytest is started."""

from __future__ import annotations

import atexit
import shutil
import tempfile
from pathlib import Path

import surroundings

if not surroundings.are_entered():  # now, not in a fixture: torch reads the number of threads at import
    _folder = tempfile.mkdtemp(prefix="workbench-tests-")
    atexit.register(shutil.rmtree, _folder, ignore_errors=True)
    surroundings.enter(Path(_folder))
