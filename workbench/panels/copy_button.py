"""A button that copies a text to the clipboard, which only the browser can do."""

from __future__ import annotations

from pathlib import Path

import anywidget
import traitlets


class CopyButton(anywidget.AnyWidget):
    """Copies `text`."""

    _esm = Path(__file__).parent / "copy_button.js"

    text = traitlets.Unicode().tag(sync=True)
