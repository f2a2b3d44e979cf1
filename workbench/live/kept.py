"""Texts that take seconds to make and never change for the same versions, kept in the user's cache folder."""

from __future__ import annotations

import functools
import hashlib
import json
import os
import tempfile
from collections.abc import Callable, Sequence
from importlib.metadata import version
from pathlib import Path
from typing import Any

_CHARTS = Path(__file__).parent.parent / "charts"


def place(name: str, made_of: Sequence[str]) -> Path:
    """Where a text is kept; `made_of` is everything it depends on, so that nothing old is ever found."""
    digest = hashlib.blake2b("\0".join(made_of).encode(), digest_size=8).hexdigest()
    folder = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    stem, dot, suffix = name.rpartition(".")
    return Path(folder) / "workbench" / f"{stem}-{digest}{dot}{suffix}"


def read(path: Path) -> str | None:
    """The kept text, or None."""
    try:
        return path.read_text(encoding="utf-8")
    except OSError:
        return None


def keep(path: Path, text: str) -> str:
    """Keep a text, under a temporary name first: two kernels never read half a file. Returns the text."""
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.NamedTemporaryFile("w", encoding="utf-8", dir=path.parent, delete=False) as file:
            file.write(text)
        Path(file.name).replace(path)
    except OSError:
        pass  # a home that cannot be written: it is made again next time
    return text


def spec(name: str, make: Callable[[], Any]) -> dict[str, Any]:
    """The spec of a chart, made by Altair once for these sources of the charts and this Altair.

    Importing Altair and making the charts of a studio takes it 2 to 3 s; reading them back a millisecond.

    Args:
        name: tells this chart from others.
        make: gives the Altair chart.
    """
    found = known(name)
    return found if found is not None else json.loads(keep(_of(name), json.dumps(make().to_dict())))


def known(name: str) -> dict[str, Any] | None:
    """The spec of a chart that was made before; None where it was not."""
    text = read(_of(name))
    return None if text is None else json.loads(text)


def _of(name: str) -> Path:
    return place(f"{name}.json", [_altair(), _sources()])


@functools.cache
def _altair() -> str:
    """The version of Altair that is installed; asking takes 8 ms."""
    return version("altair")


@functools.cache
def _sources() -> str:
    return "".join(path.read_text(encoding="utf-8") for path in sorted(_CHARTS.glob("*.py")))
