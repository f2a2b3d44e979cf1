"""One step of the recipe: switch, name, moves, its controls; the seldom used are made when unfolded."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import ipywidgets

from workbench.options import Option, describe
from workbench.panels.closing import close
from workbench.panels.parts import lean
from workbench.panels.parts.controls import Control, label
from workbench.panels.state.session import Session
from workbench.panels.state.steps import Step


class StepBox:
    """Shows one step of a session; its controls call the session by the step's id."""

    def __init__(self, session: Session, step: Step) -> None:
        self._session = session
        self._step = step
        self._id = step.id
        self._technique = type(step.technique)
        with lean.sharing() as self._pool:
            self._build()
        self.show(step)

    def close(self) -> None:
        """The step is gone, or the panel is."""
        close(self.widget)
        self._pool.close()

    def show(
        self, step: Step, number: int | None = None, is_first: bool = False, is_last: bool = False
    ) -> None:
        """Show the step as it is now, with its number among those that are on."""
        self._step = step
        said = f"{number} {self._technique.__name__}" if number else self._technique.__name__
        if self._switch.description != said:
            self._switch.description = said
        for button, is_at_the_end in ((self._earlier, is_first), (self._later, is_last)):
            if button.disabled != is_at_the_end:
                button.disabled = is_at_the_end
        if self._switch.value != step.is_on:
            self._switch.value = step.is_on
        (self.widget.remove_class if step.is_on else self.widget.add_class)("wb-off")
        for name, control in list(self._controls.items()):
            control.show(getattr(step.technique, name))

    def _build(self) -> None:
        step = self._step
        self._switch = lean.Checkbox(
            value=step.is_on,
            indent=False,
            description=self._technique.__name__,
            tooltip=f"{self._technique.summary()}. Unticked, the step is left out.",
        )
        self._switch.observe(self._switched, "value")
        options = describe(self._technique)
        self._controls: dict[str, Control] = {}
        shown = self._made([option for option in options if not option.advanced])
        folded = [option for option in options if option.advanced]
        self._options = lean.VBox([*shown, *self._fold(folded)])
        self._options.add_class("wb-options")
        self.widget = lean.VBox([self._head(), self._options])
        self.widget.add_class("wb-step")
        self.widget.add_class(f"wb-{self._technique.family}")

    def _head(self) -> ipywidgets.Widget:
        session, id = self._session, self._id
        name = self._technique.__name__
        self._earlier = _button("arrow-up", f"Do {name} one step earlier", lambda: session.move(id, -1))
        self._later = _button("arrow-down", f"Do {name} one step later", lambda: session.move(id, 1))
        away = _button("times", f"Take {name} out of the recipe", lambda: session.remove(id))
        head = lean.HBox([self._switch, self._earlier, self._later, away])
        head.add_class("wb-head")
        return head

    def _made(self, options: Sequence[Option]) -> list[ipywidgets.Widget]:
        """Controls of these options, with the values of the step as it is now."""
        for each in options:
            value = getattr(self._step.technique, each.name)
            self._controls[each.name] = Control(each, value, self._changer(each.name))
        return [self._controls[each.name].widget for each in options]

    def _fold(self, folded: Sequence[Option]) -> list[ipywidgets.Widget]:
        if not folded:
            return []
        rest = lean.VBox()
        lean.show(rest, False)
        names = " · ".join(map(label, folded))
        more = lean.ToggleButton(description=f"more: {names}", tooltip="Show or hide the other options")
        more.add_class("wb-more")
        more.observe(lambda change: self._unfold(rest, folded, change["new"]), "value")
        return [more, rest]

    def _unfold(self, rest: ipywidgets.Box, folded: Sequence[Option], is_shown: bool) -> None:
        if not rest.children:
            rest.children = self._made(folded)
        lean.show(rest, is_shown)

    def _changer(self, name: str) -> Callable[[Any], None]:
        return lambda value: self._session.change(self._id, name, value)

    def _switched(self, change: Any) -> None:
        self._session.switch(self._id, change["new"])


def _button(icon: str, tooltip: str, action: Callable[[], None]) -> ipywidgets.Button:
    button = lean.Button(icon=icon, tooltip=tooltip)
    button.add_class("wb-icon")
    button.on_click(lambda _: action())
    return button
