"""The panel that compares two: figures, recipes, layers, weights, and the samples that flipped."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from workbench.live import kept
from workbench.live.board import ChartBoard
from workbench.panels import styles
from workbench.panels.paper.blocks import Block
from workbench.panels.paper.told import pictures
from workbench.panels.parts import lean
from workbench.panels.readable import Readable
from workbench.panels.state.session import Session
from workbench.panels.views.compare_box import CompareBox
from workbench.panels.views.samples_box import SamplesBox
from workbench.recipe import Recipe

if TYPE_CHECKING:
    from collections.abc import Mapping

    from workbench.comparison import Comparison, Flips, FlipStages
    from workbench.versions import Version, VersionTree
    from workbench.workload import Workload


class Compare(Readable):
    """Two versions (or a version and the original) side by side.

    >>> panel = wb.panels.Compare(work, "v1", "v2")           # doctest: +SKIP
    >>> panel.wait(); panel.comparison.sentence               # the same in Python

    Args:
        before, after: versions or their names; None is the original. Without any, the original and the
            version one works from.
        tree: where versions are kept; the workload's own where it is not given.
        names: what bare names in a recipe stand for; the notebook's variables where not given.
    """

    lets_go = ("session", "board", "box", "samples", "_told")

    def __init__(
        self,
        work: Workload,
        before: Version | str | None = None,
        after: Version | str | None = None,
        *,
        tree: VersionTree | None = None,
        names: Mapping[str, Any] | None = None,
    ) -> None:
        self.session = Session(work, Recipe(), tree=tree, names=names)
        if before is not None or after is not None:
            self.session.comparisons.choose(before, after)
        views = (CompareBox, SamplesBox)
        specs = {name: kept.spec(name, make) for view in views for name, make in view.charts.items()}
        self.board = ChartBoard(specs)
        self.box = CompareBox(self.session, self.board)
        self.samples = SamplesBox(self.session, self.board, has_pair=False)
        self._told = lean.HTML()
        self._told.add_class("wb-status")
        super().__init__([styles.widget(), self.box.widget, self.samples.widget, self._told])
        self.add_class("wb-workbench")
        self.session.observe(self._changed)
        self._opened()
        for each in (self.box, self.samples):
            each.opened(True)

    @property
    def views(self) -> tuple[Any, ...]:
        """The parts of the panel."""
        return self.box, self.samples

    def told(self) -> list[Block]:
        """What the panel says, as blocks to read."""
        return [*self._of_views(), *pictures(self._boards())]

    @property
    def comparison(self) -> Comparison | None:
        """What is known of the two so far."""
        return self.session.comparisons.comparison

    @property
    def flips(self) -> Flips | None:
        """The samples that flipped; None until that is known."""
        return self.session.comparisons.flips

    @property
    def stages(self) -> FlipStages | None:
        """Which step flipped them, where that was looked for."""
        return self.session.comparisons.stages

    @property
    def error(self) -> str:
        """What went wrong last, in one line; empty where nothing did."""
        return self.session.error

    def choose(self, before: Version | str | None, after: Version | str | None) -> None:
        """Compare these two from now on; None is the original."""
        self.session.comparisons.choose(before, after)

    def find_steps(self) -> None:
        """What the button does: find the step that flipped each sample."""
        self.samples.finding.start()

    def wait(self, timeout: float = 60.0) -> None:
        """Wait until the two are compared, and the steps found where that was begun.

        Raises:
            TimeoutError: they are not after `timeout` seconds.
        """
        self.session.wait(timeout)
        self.samples.finding.wait(timeout)

    def _changed(self, topic: str) -> None:
        if self._is_closed:
            return
        for each in (self.box, self.samples):
            if topic in each.topics:
                each.refresh()
        if topic == "status":
            from html import escape

            error = self.session.error
            self._told.value = (
                f'<span class="wb-error" role="alert">✕ {escape(error)}</span>' if error else ""
            )

    def __repr__(self) -> str:
        if self._is_closed:
            return "<Compare, closed>"
        before, after = (each.name if each else "original" for each in self.session.comparisons.pair)
        return f"<Compare of {self.session.work.name}: {before} and {after}>"
