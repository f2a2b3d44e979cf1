"""Bits for each layer at the press of a button: a target in, a recipe out, and what it costs as measured."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from workbench.errors import RecipeError, WorkbenchError, shown
from workbench.job import Job
from workbench.measurement import units
from workbench.panels.parts import lean
from workbench.panels.parts.job_row import JobRow
from workbench.panels.state.session import Session
from workbench.recipe import Recipe
from workbench.techniques.quantize import Quantize

if TYPE_CHECKING:
    from workbench.exploration.mixed_precision import Mixed

HINT = "a size like 30 KB, or a loss like 0.5 points"


class MixedBox:
    """Chooses the bits of each layer for a target, and writes them into the recipe's first `Quantize`."""

    topics = ("job", "recipe")

    def __init__(self, session: Session) -> None:
        self.mixed: Mixed | None = None
        self._session = session
        self._target = lean.Text(
            value="0.5 points",
            description="bits per layer for",
            placeholder=HINT,
            style={"description_width": "auto"},
            tooltip=f"At most: {HINT}",
        )
        self.row = JobRow(
            session,
            "Choose bits",
            "Stop choosing",
            "sliders",
            "Scan every layer at every width, and write the bits that reach the target",
            self._job,
            self._ended,
            (self._target,),
        )
        self.widget = self.row.widget
        self.widget.add_class("wb-mixed")

    @property
    def target(self) -> str:
        """What the text field says; set it to change it."""
        return self._target.value

    @target.setter
    def target(self, text: str) -> None:
        self._target.value = text

    def refresh(self) -> None:
        """A run and a scan do not go on together."""
        self.row.refresh()

    def choose(self) -> None:
        """What the button does: begin to choose, in a thread of its own."""
        self.row.start()

    def stop(self) -> None:
        """What the Stop button does; the scan goes on from there when it is asked for again."""
        self.row.stop()

    def close(self) -> None:
        """The panel is closed."""
        self.row.close()

    def wait(self, timeout: float = 60.0) -> None:
        """Wait until the choice is made, however it ends.

        Raises:
            TimeoutError: it is not after `timeout` seconds.
        """
        self.row.wait(timeout)

    def _job(self) -> Job[Mixed]:
        """Bits for the recipe's first Quantize, on what the steps before it make without training."""
        from workbench.exploration import mixed_precision

        session = self._session
        steps = session.recipe.steps
        index = next((n for n, each in enumerate(steps) if isinstance(each, Quantize)), None)
        if index is None:
            raise WorkbenchError("add Quantize to the recipe first: its bits are what is chosen")
        before = Recipe(tuple(each for each in steps[:index] if not each.trains))
        start = session.estimates.previewer.candidate(before, names=session.names) if len(before) else None
        return mixed_precision.job(session.work, steps[index], start=start, **target(self._target.value))

    def _ended(self, mixed: Mixed) -> str:
        self.mixed = mixed
        self._session.write(_with(self._session.recipe, mixed))
        return mixed.summary


def target(text: str) -> dict[str, float | str]:
    """`30 KB` as a size, `0.5 points` (or `0.5 %`) as a loss of accuracy, `loss 0.1` as one of the loss.

    Raises:
        RecipeError: it is neither.
    """
    found = re.fullmatch(r"\s*([0-9]*\.?[0-9]+)\s*(points?|%|pp)\s*", text)
    if found:
        return {"max_drop": float(found[1]) / 100}
    if found := re.fullmatch(r"\s*loss\s+([0-9]*\.?[0-9]+)\s*", text):
        return {"max_drop": float(found[1])}
    if units.bytes_of(text) is not None and not text.strip().replace(".", "").isdigit():
        return {"max_size": text}
    raise RecipeError(f"a target is {HINT}, got {shown(text)}")


def _with(recipe: Recipe, mixed: Mixed) -> Recipe:
    """The recipe with the chosen bits in its first `Quantize`."""
    index = next((n for n, each in enumerate(recipe) if isinstance(each, Quantize)), None)
    if index is None:  # taken away meanwhile
        return recipe | mixed.step
    return Recipe((*recipe.steps[:index], mixed.step, *recipe.steps[index + 1 :]))
