"""The Vega libraries as one module, brought to the page once per kernel.

vl-convert carries the libraries, so that charts work offline and in the version Altair writes for. Bundling
them takes vl-convert two seconds during which Python stands still: a child process does it, and the result is
kept in the user's cache folder.
"""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
import threading
from importlib.metadata import version
from pathlib import Path

import anywidget
import traitlets

# the page's registry, made by whichever script comes first; board.js and place.js hold the same line
_SNIPPET = """
const page = (globalThis[Symbol.for("workbench.live.1")] ??= { waiting: new Map() });
page.embed = vegaEmbed;
for (const arrived of page.waiting.get("vega") ?? []) arrived(vegaEmbed);
page.waiting.delete("vega");
export default {};
"""
_CHILD = """
import sys, vl_convert
made = vl_convert.javascript_bundle(sys.argv[1], vl_version=sys.argv[2])
sys.stdout.buffer.write(made.encode())
"""
_EMPTY = "export default {};"

_lock = threading.Lock()
_on_page: VegaBundle | None = None


class VegaBundle(anywidget.AnyWidget):
    """Carries the libraries to the page; it is never shown."""

    _esm = traitlets.Unicode(_EMPTY).tag(sync=True)


def bring_to_page() -> VegaBundle:
    """The one bundle widget of this kernel; its text follows from a thread where it must be made first."""
    global _on_page
    with _lock:
        if _on_page is None or _on_page.comm is None:
            _on_page = VegaBundle()
            path = cached_at()
            if path.exists():
                _on_page._esm = path.read_text(encoding="utf-8")
            else:
                threading.Thread(target=_make_and_send, args=(_on_page,), daemon=True).start()
        return _on_page


def vega_lite_version() -> str:
    """The version of Vega-Lite that Altair writes specs for, as vl-convert names it: `6.4`."""
    import altair

    return ".".join(altair.SCHEMA_VERSION.lstrip("v").split(".")[:2])


def cached_at() -> Path:
    """Where the bundle of the installed versions is kept."""
    folder = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    name = f"vega-{version('vl-convert-python')}-{version('altair')}-1.js"
    return Path(folder) / "workbench" / name


def text() -> str:
    """The bundle's JavaScript, about 0.9 MB; from the cache, or made and put there."""
    path = cached_at()
    if path.exists():
        return path.read_text(encoding="utf-8")
    command = [sys.executable, "-c", _CHILD, _SNIPPET, vega_lite_version()]
    made = subprocess.run(command, check=True, capture_output=True).stdout
    _keep(path, made)
    return made.decode("utf-8")


def _make_and_send(widget: VegaBundle) -> None:
    widget._esm = text()


def _keep(path: Path, made: bytes) -> None:
    """Write under a temporary name and rename, so that two kernels never read half a file."""
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.NamedTemporaryFile(dir=path.parent, delete=False) as file:
            file.write(made)
        Path(file.name).replace(path)
    except OSError:
        return  # a home that cannot be written: the bundle is made again next time
