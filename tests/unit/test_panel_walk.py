"""A person who does anything in any order, and then takes it all back."""

from __future__ import annotations

import random
from collections import Counter

import ipywidgets
import small
from panel_controls import values

from workbench.measurement import everything
from workbench.options import describe
from workbench.panels import Workbench
from workbench.panels.closing import below, close
from workbench.panels.parts.controls import Control
from workbench.recipe import Recipe
from workbench.technique import find, techniques
from workbench.versions import VersionTree

ACTIONS = 500
WEIGHTS = {"add": 12, "remove": 10, "move": 10, "switch": 10, "change": 30, "write": 5, "select": 4, "run": 3}
WEIGHTS |= {"undo": 10, "redo": 6}
WRITTEN = (
    "PruneWeights(sparsity=0.9)",
    "Quantize(weights=4) | PruneWeights(0.3)",
    "FineTune(epochs=1) | ShareWeights(clusters=4)",
    "",
    "PruneWeights(",
    "nonsense",
)
QUICK = ("PruneWeights", "Quantize", "ShareWeights", "Cast")  # what a run of the walk may consist of


class Walker:
    """Does one thing at random, as a person would: only what the panel offers."""

    def __init__(self, panel: Workbench, seed: int) -> None:
        self.panel, self.session = panel, panel.session
        self.chance = random.Random(seed)
        self.done: Counter[str] = Counter()

    def act(self) -> None:
        name = self.chance.choices(list(WEIGHTS), list(WEIGHTS.values()))[0]
        getattr(self, name)()
        self.done[name] += 1

    def _step(self):
        steps = self.session.draft.steps
        return self.chance.choice(steps) if steps else None

    def add(self):
        if len(self.session.draft.steps) < 6:
            self.session.add(self.chance.choice(list(techniques())))

    def remove(self):
        if (step := self._step()) is not None:
            self.session.remove(step.id)

    def move(self):
        if (step := self._step()) is not None:
            self.session.move(step.id, self.chance.choice((-1, 1)))

    def switch(self):
        if (step := self._step()) is not None:
            self.session.switch(step.id, self.chance.random() < 0.5)

    def change(self):
        if (step := self._step()) is None:
            return
        option = self.chance.choice(list(describe(type(step.technique))))
        told = []
        control = Control(option, getattr(step.technique, option.name), told.append)
        control.widget.value = self.chance.choice(values(control.widget))
        close(control.widget)
        for value in told:
            self.session.change(step.id, option.name, value)

    def write(self):
        self.session.write(self.chance.choice(WRITTEN))

    def select(self):
        self.session.select(self.chance.choice([None, *self.panel.versions]))

    def run(self):
        if any(type(each).__name__ not in QUICK for each in self.panel.recipe):
            self.session.write(str(Recipe((find(self.chance.choice(QUICK))(),))))
        self.panel.run()
        self.session.runs.wait(60)

    def undo(self):
        if self.session.can_undo:
            self.session.undo()

    def redo(self):
        if self.session.can_redo:
            self.session.redo()


def test_walk_of_500_actions_taken_back_ends_where_it_began(monkeypatch):
    monkeypatch.setattr(
        "workbench.measurement.measuring",
        lambda *args, **options: everything.measuring(*args, **{**options, "runtimes": ()}),
        raising=False,
    )
    work = small.workload()
    states = small.states(work.model)
    panel = Workbench(work, "PruneWeights(sparsity=0.5)", tree=VersionTree(None, work), names={})
    panel.wait()
    session, start = panel.session, panel.session.draft
    [text] = [each for each in below(panel) if isinstance(each, ipywidgets.Textarea)]
    widgets = len(ipywidgets.widget._instances)
    walker = Walker(panel, seed=8)
    for _ in range(ACTIONS):
        walker.act()
        assert "\n" not in session.error
        assert text.value == str(session.recipe)
        assert Recipe.parse(str(session.recipe)) == session.recipe
    assert set(walker.done) == set(WEIGHTS) and len(panel.versions) >= 5

    made = panel.versions
    while session.can_undo:
        session.undo()
    assert session.draft == start and session.tree.head is None
    assert panel.versions == made  # nothing is deleted by taking back
    panel.wait()
    assert text.value == str(panel.preview.recipe) == "PruneWeights(sparsity=0.5)"
    assert len(ipywidgets.widget._instances) == widgets
    assert small.same(states, small.states(work.model))
    panel.close()
