"""How panels look: one style sheet per part, brought to the page by a hidden widget."""

from __future__ import annotations

import functools
from pathlib import Path

import ipywidgets

from workbench.panels.parts import lean
from workbench.panels.parts.names import Names

_HERE = Path(__file__).parent
_FIRST, _LAST = "base", "narrow"  # what the others build on; what a narrow page changes in them


def widget() -> ipywidgets.Box:
    """A widget that shows nothing, styles every panel of the page and names the controls of its own."""
    hidden = lean.Box([lean.HTML(f"<style>{sheet()}</style>"), Names()])
    lean.show(hidden, False)
    return hidden


@functools.cache
def sheet() -> str:
    """All style sheets of this folder as one text."""
    names = sorted({path.stem for path in _HERE.glob("*.css")} - {_FIRST, _LAST})
    return "\n".join((_HERE / f"{name}.css").read_text(encoding="utf-8") for name in (_FIRST, *names, _LAST))
