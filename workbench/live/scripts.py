"""A file's text as a trait that travels to the page with its widget."""

from __future__ import annotations

from pathlib import Path

import traitlets


def text_of(path: Path) -> traitlets.Unicode:
    """The trait for `_esm` or `_css` of an anywidget.

    anywidget takes a `Path` too, and then listens for changes of the file through its class, which keeps
    every widget that was ever made, and with it its panel, models and previews, in memory.
    """
    return traitlets.Unicode(path.read_text(encoding="utf-8")).tag(sync=True)
