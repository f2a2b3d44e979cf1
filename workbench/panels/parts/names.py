"""Gives every control of a panel a name for screen readers, and its arrow keys; in the page only."""

from __future__ import annotations

from pathlib import Path

import anywidget

from workbench.live.scripts import text_of


class Names(anywidget.AnyWidget):
    """Shows nothing; names the controls of the panel it stands in, those that come later too."""

    _esm = text_of(Path(__file__).with_name("names.js"))
