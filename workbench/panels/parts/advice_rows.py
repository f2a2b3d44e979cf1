"""Where steps fight: what it costs, and a button that puts them in the other order. Nothing where none do."""

from __future__ import annotations

from html import escape

from workbench.ordering import Advice
from workbench.panels.parts import lean
from workbench.panels.state.session import Session

_MOST = 3  # the worst; once they are followed there is new advice


class AdviceRows:
    """Shows what a session's estimates have to say on the order of its steps."""

    def __init__(self, session: Session) -> None:
        self._session = session
        self._rows = [_Row(session, place) for place in range(_MOST)]
        self.widget = lean.VBox([each.widget for each in self._rows])
        self.widget.add_class("wb-advice")
        self.refresh()

    def refresh(self) -> None:
        """Show the advice as it is."""
        advice = self._session.estimates.advice[:_MOST]
        for place, row in enumerate(self._rows):
            row.show(advice[place] if place < len(advice) else None)
        lean.show(self.widget, advice)


class _Row:
    """One piece of advice: widgets made once, shown and hidden."""

    def __init__(self, session: Session, place: int) -> None:
        self._text = lean.HTML()
        self._button = lean.Button(icon="exchange", tooltip="Put the steps in this order")
        self._button.on_click(lambda _: session.take_advice(place))
        self.widget = lean.VBox([self._text, self._button])

    def show(self, advice: Advice | None) -> None:
        """Show one, or nothing."""
        lean.show(self.widget, advice is not None)
        if advice is None:
            return
        gain = f" {advice.gain}" if advice.gain else ""
        text = escape(f"{advice.reason}{gain}").replace("≈ ", "≈&nbsp;")  # a line does not end there
        self._text.value = f'<span role="note">{text}</span>'
        self._button.description = advice.move
        lean.show(self._button, advice.recipe is not None)
