"""The recipe as it stands in a panel: steps that can be switched off, moved and changed, one by one."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import Any

from workbench.recipe import Recipe
from workbench.technique import Technique


@dataclass(frozen=True)
class Step:
    """One technique of the draft; `id` stays the same while its options change."""

    id: int
    technique: Technique
    is_on: bool = True


@dataclass(frozen=True)
class Draft:
    """Steps in order. Every method returns a new draft."""

    steps: tuple[Step, ...] = ()
    next_id: int = 1

    @classmethod
    def of(cls, recipe: Recipe) -> Draft:
        """A draft of a recipe, every step switched on."""
        return cls().rewritten(recipe)

    @property
    def recipe(self) -> Recipe:
        """The steps that are switched on."""
        return Recipe(tuple(step.technique for step in self.steps if step.is_on))

    def step(self, id: int) -> Step:
        """The step of an id.

        Raises:
            KeyError: there is none.
        """
        for step in self.steps:
            if step.id == id:
                return step
        raise KeyError(f"no step {id}")

    def number(self, id: int) -> int | None:
        """The place of a step in the recipe, from 1; None where it is switched off."""
        on = [step.id for step in self.steps if step.is_on]
        return on.index(id) + 1 if id in on else None

    def with_added(self, technique: Technique) -> Draft:
        """With one more step at the end."""
        return Draft((*self.steps, Step(self.next_id, technique)), self.next_id + 1)

    def without(self, id: int) -> Draft:
        """Without a step."""
        return replace(self, steps=tuple(step for step in self.steps if step.id != id))

    def moved(self, id: int, by: int) -> Draft:
        """With a step moved down (`by` above 0) or up, as far as it goes."""
        steps = [step for step in self.steps if step.id != id]
        place = self.steps.index(self.step(id)) + by
        steps.insert(max(0, min(place, len(steps))), self.step(id))
        return replace(self, steps=tuple(steps))

    def switched(self, id: int, is_on: bool) -> Draft:
        """With a step switched on or off."""
        return self._with(replace(self.step(id), is_on=is_on))

    def changed(self, id: int, **options: Any) -> Draft:
        """With other options of a step.

        Raises:
            OptionError: a value is out of range.
        """
        step = self.step(id)
        return self._with(replace(step, technique=step.technique.replace(**options)))

    def rewritten(self, recipe: Recipe) -> Draft:
        """With the steps of a recipe; those of the same technique keep their ids, those switched off stay."""
        left, next_id, steps = [step for step in self.steps if step.is_on], self.next_id, []
        for technique in recipe:
            same = next((step for step in left if type(step.technique) is type(technique)), None)
            if same is None:
                steps.append(Step(next_id, technique))
                next_id += 1
            else:
                left.remove(same)
                steps.append(replace(same, technique=technique))
        for place, step in enumerate(self.steps):
            if not step.is_on:
                steps.insert(min(place, len(steps)), step)
        return Draft(tuple(steps), next_id)

    def _with(self, changed: Step) -> Draft:
        return replace(self, steps=tuple(changed if step.id == changed.id else step for step in self.steps))


def epochs(recipe: Iterable[Technique]) -> float:
    """How many epochs the steps that train take together."""
    return sum(getattr(step, "epochs", 0) for step in recipe if step.trains)
