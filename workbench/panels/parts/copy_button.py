"""A button that copies a text to the clipboard, which only the browser can do."""

from __future__ import annotations

from pathlib import Path

import anywidget
import traitlets

from workbench.live.scripts import text_of


class CopyButton(anywidget.AnyWidget):
    """Copies `text`."""

    _esm = text_of(Path(__file__).with_name("copy_button.js"))

    text = traitlets.Unicode().tag(sync=True)
