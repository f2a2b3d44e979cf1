"""The chosen layer's own setting, step by step: leave it alone, or give it a value of its own."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import ipywidgets

from workbench.panels.closing import close
from workbench.panels.parts import lean
from workbench.panels.parts.controls import Control, label
from workbench.panels.state import layer_settings
from workbench.panels.state.layer_settings import Setting
from workbench.panels.state.session import Session
from workbench.technique import Technique

_EMPTY = "Add a step to the recipe: here it can leave this layer alone, or treat it in its own way."


class LayerSettingsBox:
    """Shows what each step of a session's recipe says of one layer; controls write it into the recipe.

    Attributes:
        shown: a record for each step.
    """

    def __init__(self, session: Session) -> None:
        self._session = session
        self.shown: tuple[Setting, ...] = ()
        self._layer = ""
        self._rows: list[_Row] = []
        self._empty = lean.HTML(f'<p class="wb-hint">{_EMPTY}</p>')
        self._lines = lean.VBox()
        self.widget = lean.VBox([self._empty, self._lines])
        self.widget.add_class("wb-layer-settings")

    def show(self, layer: str, found: Sequence[Setting]) -> None:
        """Show these; the controls of a step that stays are kept."""
        is_same = layer == self._layer and [_frame(each) for each in found] == list(map(_frame, self.shown))
        self._layer, self.shown = layer, tuple(found)
        if is_same:
            for row, setting in zip(self._rows, found, strict=True):
                row.show(setting)
            return
        old = self._lines.children
        self._rows = [_Row(self._session, layer, setting) for setting in found]
        self._lines.children = tuple(row.widget for row in self._rows)
        lean.show(self._empty, not found)
        for widget in old:
            close(widget)

    def leave_alone(self, step: int, is_left: bool = True) -> None:
        """What the check box of the step of an id does."""
        self._row(step).leave(is_left)

    def set_own(self, step: int, value: float | None) -> None:
        """What the slider of the step of an id does; with None, the layer has what all have."""
        self._row(step).set_own(value)

    def _row(self, step: int) -> _Row:
        return next(row for row in self._rows if row.setting.step == step)


class _Row:
    """One step: its name, `leave alone`, `own`, and the slider of that."""

    def __init__(self, session: Session, layer: str, setting: Setting) -> None:
        self._session, self._layer = session, layer
        self.setting = setting
        self._is_showing = False
        name = lean.HTML(f"<b>{setting.technique}</b>")
        name.add_class("wb-layer-step")
        self._leave = self._own = None
        self._control: Control | None = None
        children: list[ipywidgets.Widget] = [name]
        if setting.reason:
            children.append(lean.HTML(f'<span class="wb-hint">{setting.reason}</span>'))
        if setting.can_leave:
            tooltip = f"{setting.technique} leaves {layer} as it is"
            self._leave = self._box("leave alone", tooltip, self.leave)
            children.append(self._leave)
        if (own := setting.own) is not None:
            tooltip = f"{layer} gets a value of its own from {setting.technique}"
            self._own = self._box(f"own {label(own)}", tooltip, self._own_or_not)
            self._control = Control(own, _value(setting), self.set_own)
            children += [self._own, self._control.widget]
        self.widget = lean.Box(children)
        self.widget.add_class("wb-layer-setting")
        self.widget.add_class(f"wb-{setting.family}")
        self.show(setting)

    def show(self, setting: Setting) -> None:
        """Show what holds now, without telling anybody."""
        self.setting = setting
        self._is_showing = True
        try:
            if self._leave is not None:
                self._leave.value = setting.is_left
            if self._own is not None and self._control is not None:
                self._own.value = setting.value is not None
                self._control.widget.disabled = setting.value is None
                self._control.show(_value(setting))
        finally:
            self._is_showing = False

    def leave(self, is_left: bool) -> None:
        """Leave the layer alone, or not."""
        self._write(lambda technique: layer_settings.left_alone(technique, self.setting, is_left), "leave")

    def set_own(self, value: float | None) -> None:
        """Give the layer a value of its own; with None that of all."""
        self._write(lambda technique: layer_settings.with_own(technique, self.setting, value), "own")

    def _own_or_not(self, is_own: bool) -> None:
        self.set_own(self.setting.usual if is_own else None)

    def _write(self, changes: Callable[[Technique], dict[str, Any]], what: str) -> None:
        session, id = self._session, self.setting.step
        step = next((each for each in session.draft.steps if each.id == id), None)
        if step is not None:  # else it was taken away while the hand was on its way
            session.change_all(id, changes(step.technique), mark=(id, what, self._layer))

    def _box(self, words: str, tooltip: str, action: Callable[[bool], None]) -> ipywidgets.Checkbox:
        box = lean.Checkbox(description=words, tooltip=tooltip, indent=False)
        box.observe(lambda change: None if self._is_showing else action(change["new"]), "value")
        return box


def _value(setting: Setting) -> Any:
    return setting.value if setting.value is not None else setting.usual


def _frame(setting: Setting) -> tuple[Any, ...]:
    """What the controls of a setting are made from; the rest only moves them."""
    own = setting.own
    bounds = (own.name, own.low, own.high, own.step) if own is not None else None
    return setting.step, setting.technique, setting.can_leave, bounds, setting.reason
