"""The Vega libraries as one module, brought to the page once per kernel.

vl-convert carries the libraries, so that charts work offline and in the version Altair writes for. Bundling
them takes vl-convert two seconds during which Python stands still: a child process does it, and the result is
kept in the user's cache folder.
"""

from __future__ import annotations

import subprocess
import sys
import threading
from collections.abc import Mapping
from importlib.metadata import version
from pathlib import Path
from typing import Any

import anywidget
import traitlets

from workbench.live import kept

# the page's registry is made by whichever script comes first: board.js and place.js hold the same line
_SNIPPET = Path(__file__).with_name("vega.js").read_text(encoding="utf-8")
_CHILD = """
import sys, vl_convert
made = vl_convert.javascript_bundle(sys.argv[1], vl_version=sys.argv[2])
sys.stdout.buffer.write(made.encode())
"""
_EMPTY = "export default {};"

_lock = threading.Lock()
_on_page: VegaBundle | None = None


class VegaBundle(anywidget.AnyWidget):
    """Carries the libraries to the page, and a chart that is drawn for nobody there; it is never shown."""

    _esm = traitlets.Unicode(_EMPTY).tag(sync=True)
    first = traitlets.Dict().tag(sync=True)


def bring_to_page(first: Mapping[str, Any] | None = None) -> VegaBundle:
    """The one bundle widget of this kernel; its text follows from a thread where it must be made first.

    Args:
        first: the spec of the chart that will be drawn first, so that the page has done it once by then.
    """
    global _on_page
    with _lock:
        if _on_page is None or _on_page.comm is None:
            found = kept.read(cached_at())
            _on_page = VegaBundle(first=dict(first or {}), **({} if found is None else {"_esm": found}))
            if found is None:
                threading.Thread(target=_make_and_send, args=(_on_page,), daemon=True).start()
        return _on_page


def vega_lite_version() -> str:
    """The version of Vega-Lite that Altair writes specs for, as vl-convert names it: `6.4`."""
    import altair

    return ".".join(altair.SCHEMA_VERSION.lstrip("v").split(".")[:2])


def cached_at() -> Path:
    """Where the bundle of the installed versions is kept."""
    return kept.place("vega.js", [version("vl-convert-python"), version("altair"), _SNIPPET])


def text() -> str:
    """The bundle's JavaScript, about 0.9 MB; from the cache, or made and put there."""
    path = cached_at()
    found = kept.read(path)
    if found is not None:
        return found
    command = [sys.executable, "-c", _CHILD, _SNIPPET, vega_lite_version()]
    made = subprocess.run(command, check=True, capture_output=True).stdout
    return kept.keep(path, made.decode("utf-8"))


def _make_and_send(widget: VegaBundle) -> None:
    widget._esm = text()
