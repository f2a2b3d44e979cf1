"""The project's own files, for the tests that look at all of them."""

from __future__ import annotations

import subprocess
from functools import cache
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent


@cache
def files() -> tuple[Path, ...]:
    """Every file that is in the repository or about to be (new, not ignored), sorted."""
    command = ["git", "-C", str(ROOT), "ls-files", "-z", "--cached", "--others", "--exclude-standard"]
    names = subprocess.run(command, check=True, capture_output=True, text=True).stdout.split("\0")
    return tuple(sorted(path for name in names if name and (path := ROOT / name).is_file()))


def modules() -> list[Path]:
    """The Python files of the package."""
    return [path for path in files() if path.suffix == ".py" and path.is_relative_to(ROOT / "workbench")]


def notebooks() -> list[Path]:
    """The notebooks people read: lessons and solutions."""
    return [path for path in files() if path.suffix == ".ipynb" and path.is_relative_to(ROOT / "notebooks")]


def lessons() -> list[Path]:
    """The lessons alone, in order."""
    return [path for path in notebooks() if path.parent == ROOT / "notebooks"]


def solutions() -> list[Path]:
    """The notebooks with a solution for each exercise of a lesson, in order."""
    return [path for path in notebooks() if path.parent == ROOT / "notebooks" / "solutions"]


def name_of(path: Path) -> str:
    """`workbench.techniques.quantize` for `workbench/techniques/quantize.py`."""
    parts = path.relative_to(ROOT).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)
