"""The left side: the steps, adding one, the recipe as one line of code that can be copied and edited."""

from __future__ import annotations

from typing import Any

from workbench.panels.parts import lean
from workbench.panels.parts.advice_rows import AdviceRows
from workbench.panels.parts.copy_button import CopyButton
from workbench.panels.state.session import Session
from workbench.panels.views.step_box import StepBox
from workbench.technique import techniques

_ADD = ("+ add a step", "")


class RecipeBox:
    """Shows the draft of a session and its recipe."""

    topics = ("recipe", "advice")

    def __init__(self, session: Session) -> None:
        self._session = session
        self._boxes: dict[int, StepBox] = {}
        self._steps = lean.VBox()
        self._empty = lean.HTML("Add a step below: each one makes the model smaller, or trains it on.")
        self._empty.add_class("wb-hint")
        self._add = lean.Dropdown(options=_choices(), value="", tooltip="Add a step to the recipe")
        self._add.add_class("wb-add")
        self._add.observe(self._added, "value")
        self._text = lean.Textarea(
            continuous_update=False,
            rows=2,
            placeholder="PruneWeights(sparsity=0.9) | FineTune(epochs=2)",
            tooltip="The recipe as Python; edit it, and the controls follow",
        )
        self._text.add_class("wb-code")
        self._text.observe(self._written, "value")
        self._copy = CopyButton()
        line = lean.HBox([self._text, self._copy])
        line.add_class("wb-line")
        self._advice = AdviceRows(session)
        self.widget = lean.VBox([self._steps, self._empty, self._advice.widget, self._add, line])
        self.widget.add_class("wb-recipe")
        self.refresh()

    def refresh(self) -> None:
        """Show the steps as they are; the boxes of steps that stay are kept."""
        draft = self._session.draft
        gone = [self._boxes.pop(id) for id in set(self._boxes) - {step.id for step in draft.steps}]
        last = len(draft.steps) - 1
        for place, step in enumerate(draft.steps):
            if step.id not in self._boxes:
                self._boxes[step.id] = StepBox(self._session, step)
            self._boxes[step.id].show(step, draft.number(step.id), place == 0, place == last)
        children = tuple(self._boxes[step.id].widget for step in draft.steps)
        if children != self._steps.children:
            self._steps.children = children
        for box in gone:
            box.close()
        lean.show(self._empty, not draft.steps)
        text = str(draft.recipe)
        if self._text.value != text:
            self._text.value = text
        self._copy.text = text
        self._advice.refresh()

    def close(self) -> None:
        """Let go of the steps, which share layouts of their own."""
        for box in self._boxes.values():
            box.close()

    def _added(self, change: Any) -> None:
        if change["new"]:
            self._add.value = ""
            self._session.add(change["new"])

    def _written(self, change: Any) -> None:
        if change["new"] != str(self._session.recipe):
            self._session.write(change["new"])


def _choices() -> list[tuple[str, str]]:
    """Every technique of the registry, by family."""
    named = [(f"{cls.family}: {name}", name) for name, cls in techniques().items()]
    return [_ADD, *named]
