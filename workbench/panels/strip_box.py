"""The top: what the panel is about, undo and redo, and the truth strip."""

from __future__ import annotations

from html import escape

import ipywidgets

from workbench.panels import figures
from workbench.panels.figures import Figure, Strip
from workbench.panels.session import Session
from workbench.runtimes import title

_MARKS = {"baseline": "■", "preview": "○", "version": "●"}


class StripBox:
    """Shows the figures of what a session shows: a version, a preview, or the original."""

    topics = ("figures", "recipe", "versions")

    def __init__(self, session: Session) -> None:
        self._session = session
        self._title = ipywidgets.HTML()
        self._title.add_class("wb-title")
        self._undo = ipywidgets.Button(description="undo", icon="undo", tooltip="Take the last move back")
        self._redo = ipywidgets.Button(description="redo", icon="repeat", tooltip="Do it again")
        self._undo.on_click(lambda _: session.undo())
        self._redo.on_click(lambda _: session.redo())
        top = ipywidgets.HBox([self._title, self._undo, self._redo])
        top.add_class("wb-top")
        self._cells = ipywidgets.HTML()
        self._cells.add_class("wb-cells")
        self.widget = ipywidgets.VBox([top, self._cells])
        self.widget.add_class("wb-strip")
        self.refresh()

    def refresh(self) -> None:
        """Show the figures as they are."""
        session = self._session
        strip = strip_of(session)
        self._undo.disabled, self._redo.disabled = not session.can_undo, not session.can_redo
        self._title.value = (
            f'<span class="wb-what">{escape(session.work.name)}</span>'
            f'<span class="wb-mark wb-{strip.kind}">{_MARKS[strip.kind]} {escape(strip.title)}</span>'
        )
        cells = "".join(_cell(figure) for figure in strip.figures)
        said = f'<p class="wb-said">{escape(strip.sentence)}</p>'
        self._cells.value = f'<div class="wb-figures wb-{strip.kind}">{cells}</div>{said}'


def strip_of(session: Session) -> Strip:
    """The figures of what a session shows."""
    estimates, runtime = session.estimates, session.runtime
    version = session.version
    if version is not None and version.report is not None:
        return figures.of_version(version.name, version.report, estimates.known, runtime, title(runtime))
    if estimates.preview is not None and len(session.recipe):
        return figures.of_preview(estimates.preview, estimates.known)
    return figures.of_baseline(estimates.known, runtime, title(runtime))


def _cell(figure: Figure) -> str:
    kind = f' <span class="wb-kind">{escape(figure.kind)}</span>' if figure.kind else ""
    lines = {"name": escape(figure.title) + kind, "value": escape(figure.value)}
    lines |= {"change": escape(figure.change), "detail": escape(figure.detail)}
    # an empty line keeps its height: nothing below it jumps
    told = "".join(
        f'<div class="wb-{name}" title="{text if name == "detail" else ""}">{text or "&nbsp;"}</div>'
        for name, text in lines.items()
    )
    return f'<div role="group" aria-label="{escape(figure.title)}">{told}</div>'
