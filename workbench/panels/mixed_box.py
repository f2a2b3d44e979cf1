"""Bits for each layer at the press of a button: a target in, a recipe out, and what it costs as measured."""

from __future__ import annotations

import re
from collections.abc import Callable
from html import escape
from typing import TYPE_CHECKING

import ipywidgets

from workbench.errors import RecipeError, WorkbenchError, shown
from workbench.job import Job
from workbench.measurement import units
from workbench.panels.session import Session
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
        self.job: Job[Mixed] | None = None
        self._session = session
        self._target = ipywidgets.Text(
            value="0.5 points",
            description="bits per layer for",
            placeholder=HINT,
            style={"description_width": "auto"},
            tooltip=f"At most: {HINT}",
        )
        self._choose = ipywidgets.Button(
            description="Choose bits",
            icon="sliders",
            tooltip="Scan every layer at every width, and write the bits that reach the target",
        )
        self._stop = ipywidgets.Button(
            description="Stop choosing",
            icon="stop",
            disabled=True,
            tooltip="Stop the scan; it goes on from there",
        )
        self._told = ipywidgets.HTML()
        self._choose.on_click(lambda _: self.choose())
        self._stop.on_click(lambda _: self.stop())
        row = ipywidgets.HBox([self._target, self._choose, self._stop])
        row.layout.flex_flow = "row wrap"
        self.widget = ipywidgets.VBox([row, self._told])
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
        self._choose.disabled = self._session.is_running or self.is_running

    @property
    def is_running(self) -> bool:
        """Whether bits are being chosen."""
        return self.job is not None and self.job.is_running

    def choose(self) -> None:
        """What the button does: begin to choose, in a thread of its own."""
        from workbench.exploration import mixed_precision

        try:
            if self.is_running or self._session.is_running:
                raise WorkbenchError("something is going on; press Stop first, or wait for it")
            self.job = self._job(mixed_precision.job)
        except WorkbenchError as error:
            self._session.fail(error)
            return
        self.job.observe(self._heard)
        self.job.start()

    def _job(self, make: Callable[..., Job[Mixed]]) -> Job[Mixed]:
        """Bits for the recipe's first Quantize, on what the steps before it make without training."""
        session = self._session
        steps = session.recipe.steps
        index = next((n for n, each in enumerate(steps) if isinstance(each, Quantize)), None)
        if index is None:
            raise WorkbenchError("add Quantize to the recipe first: its bits are what is chosen")
        before = Recipe(tuple(each for each in steps[:index] if not each.trains))
        start = session.estimates.previewer.candidate(before, names=session.names) if len(before) else None
        return make(session.work, steps[index], start=start, **target(self._target.value))

    def stop(self) -> None:
        """What the Stop button does."""
        if self.job is not None:
            self.job.stop()

    def close(self) -> None:
        """The panel is closed."""
        self.stop()

    def wait(self, timeout: float = 60.0) -> None:
        """Wait until the choice is made, however it ends.

        Raises:
            TimeoutError: it is not after `timeout` seconds.
        """
        if self.job is not None:
            try:
                self.job.wait(timeout)
            except TimeoutError:
                raise
            except Exception:  # the status line has it
                return

    def _heard(self, job: Job[Mixed]) -> None:
        """Say how far it is; at the end write the recipe."""
        self._session.estimates.pause(job.is_running)
        self._choose.disabled, self._stop.disabled = job.is_running, not job.is_running
        if job.is_running:
            left = f", {units.seconds(job.remaining)} left" if job.remaining is not None else ""
            self._told.value = f'<span role="status">{escape(job.progress.message)}{left}</span>'
        elif job.error is not None:
            self._told.value = ""
            self._session.fail(job.error)
        elif job.result is None:
            self._told.value = '<span role="status">stopped; press again to go on from there</span>'
        else:
            self.mixed = job.result
            self._told.value = f'<span role="status">{escape(job.result.summary)}</span>'
            self._session.write(_with(self._session.recipe, job.result))


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
