"""The studio: everything about compressing one workload by hand, in one widget."""

from __future__ import annotations

import threading
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from workbench.errors import WorkbenchError
from workbench.live import kept
from workbench.live.board import ChartBoard
from workbench.panels import styles
from workbench.panels.parts import lean
from workbench.panels.readable import ClosedPanel, Readable
from workbench.panels.state.session import Session
from workbench.panels.views.begin_box import BeginBox
from workbench.panels.views.compare_box import CompareBox
from workbench.panels.views.details_box import DetailsBox
from workbench.panels.views.layers_box import LayersBox
from workbench.panels.views.limits_box import LimitsBox
from workbench.panels.views.missing_box import MissingBox
from workbench.panels.views.recipe_box import RecipeBox
from workbench.panels.views.run_box import RunBox
from workbench.panels.views.samples_box import SamplesBox
from workbench.panels.views.strip_box import StripBox
from workbench.panels.views.tradeoff_box import TradeoffBox
from workbench.panels.views.training_box import TrainingBox
from workbench.panels.views.versions_box import VersionsBox
from workbench.panels.views.warnings_box import WarningsBox
from workbench.recipe import Recipe

if TYPE_CHECKING:
    from workbench.exploration.limits import Limits
    from workbench.panels.paper.blocks import Block
    from workbench.preview import Preview
    from workbench.versions import Version, VersionTree
    from workbench.workload import Workload

TABS = (  # below the trade-off, each made from session and board
    LayersBox,
    TrainingBox,
    SamplesBox,
    VersionsBox,
    CompareBox,
)


@dataclass(frozen=True)
class Left:
    """What a closed panel still knows."""

    work: Workload
    tree: VersionTree
    recipe: Recipe


class Workbench(Readable):
    """A panel over a workload: move a slider and watch accuracy, size and speed; press Run to keep it.

    >>> panel = Workbench(work)                               # doctest: +SKIP
    >>> panel.recipe = "PruneWeights(sparsity=0.9)"           # moves the sliders
    >>> panel.run(); panel.wait(); panel.selected             # the version that was made

    Args:
        recipe: where the controls begin; the last version's where it is not given.
        tree: where versions are kept; the workload's own where it is not given.
        names: what bare names in a recipe stand for; the notebook's variables where it is not given.

    Attributes:
        session: what the panel knows and does, without widgets.
        board: the widget that owns the charts.
    """

    lets_go = ("session", "board")
    _left: Left | None = None

    def __init__(
        self,
        work: Workload,
        recipe: Recipe | str | None = None,
        *,
        tree: VersionTree | None = None,
        names: Mapping[str, Any] | None = None,
    ) -> None:
        self._drawing = threading.RLock()
        self.session = Session(work, recipe, tree=tree, names=names)
        self.board = ChartBoard(_specs())
        with lean.sharing() as self._pool:  # what stays as long as the panel
            super().__init__(self._built())
        self.add_class("wb-workbench")
        self.session.observe_all(self._changed)
        self._opened()
        self.session.open()

    def _built(self) -> list[Any]:
        """The views, put together."""
        tradeoff = TradeoffBox(self.session, self.board)
        limits = LimitsBox(self.session)
        steps, strip, runs = RecipeBox(self.session), StripBox(self.session), RunBox(self.session)
        lacks, warns, begins = MissingBox(self.session), WarningsBox(self.session), BeginBox(self.session)
        # in the order they are drawn: the mark that was clicked answers first, new controls take longest
        self._views = (tradeoff, strip, runs, limits, lacks, warns, begins, steps)
        left = lean.VBox([begins.widget, steps.widget, runs.widget])
        left.add_class("wb-side")
        details = DetailsBox(self.session, self.board, TABS, self._show)
        self._details: DetailsBox | None = details
        self.session.comparisons.on_look(lambda: details.open(CompareBox.title))
        right = lean.VBox([tradeoff.widget, limits.widget, details.widget])
        right.add_class("wb-charts")
        body = lean.Box([left, right])
        body.add_class("wb-body")
        return [styles.widget(), strip.widget, lacks.widget, warns.widget, body]

    @property
    def views(self) -> Sequence[Any]:
        """The parts of the panel: those that were added too, and of the tabs those that were looked at."""
        return (*self._views, *(self._details.views if self._details is not None else ()))

    @property
    def work(self) -> Workload:
        """The workload."""
        return self._known.work

    @property
    def recipe(self) -> Recipe:
        """The recipe of the controls; set it (or its text) to move them."""
        return self._known.recipe

    @recipe.setter
    def recipe(self, recipe: Recipe | str) -> None:
        self.session.write(recipe)

    @property
    def preview(self) -> Preview | None:
        """The estimate of the recipe; None until there is one."""
        return self.session.estimates.preview

    @property
    def versions(self) -> list[Version]:
        """All versions, oldest first."""
        return self._known.tree.versions

    @property
    def selected(self) -> Version | None:
        """The version worked from, None for the original; set it (or its name) to select one."""
        return self._known.tree.head

    @selected.setter
    def selected(self, which: Version | str | None) -> None:
        self.session.select(which)

    @property
    def selection(self) -> list[Version]:
        """The versions that are selected, oldest first; set them, or their names, to select them.

        Lists show only these; an empty selection shows all. A rectangle in the chart, shift and a click, and
        the list beside it select too.
        """
        return self.session.picking.selection

    @selection.setter
    def selection(self, which: Iterable[Version | str] | None) -> None:
        self.session.choose(which)

    @property
    def axes(self) -> tuple[str, str]:
        """What the trade-off is drawn of, across and upward; settable: `("latency:pytorch", "accuracy")`."""
        return self._tradeoff.axes

    @axes.setter
    def axes(self, names: tuple[str, str]) -> None:
        try:
            self._tradeoff.choose_axes(*names)
        except (WorkbenchError, TypeError) as error:
            self.session.fail(error)

    @property
    def tab(self) -> str:
        """The open tab: Layers, Training, Samples, Versions or Compare; set it to open one."""
        return self._details.title if self._details is not None else ""

    @tab.setter
    def tab(self, title: str) -> None:
        try:
            if self._details is not None:
                self._details.open(title)
        except WorkbenchError as error:
            self.session.fail(error)

    @property
    def limits(self) -> Limits:
        """What versions are held against; set by name: `{"max_size": "50 KB", "min_accuracy": "98 %"}`."""
        return self.session.picking.limits

    @limits.setter
    def limits(self, limits: Limits | Mapping[str, Any] | None) -> None:
        self.session.limit(limits)

    @property
    def best(self) -> Version | None:
        """The best version within the limits; None where none is known to fit, or there are no limits."""
        best = self.session.picking.outcome().best
        return None if best is None else self.session.tree.get(best)

    @property
    def status(self) -> str:
        """What the panel says."""
        return self.session.status

    @property
    def error(self) -> str:
        """What went wrong last, in one line; empty where nothing did."""
        return self.session.error

    @property
    def is_running(self) -> bool:
        """Whether a run is going on."""
        return not self._is_closed and self.session.is_running

    def run(self, seed: int = 0) -> None:
        """What the Run button does."""
        self.session.run(seed)

    def stop(self) -> None:
        """What the Stop button does."""
        self.session.stop()

    def wait(self, timeout: float = 60.0) -> None:
        """Wait until the run and the preview are done.

        Raises:
            TimeoutError: they are not after `timeout` seconds.
        """
        self.session.wait(timeout)

    def add(self, view: Any) -> None:
        """Show one more view below: it has a `widget`, the `topics` it shows, and `refresh()`.

        One that works in a thread of its own also has `close()`.
        """
        with self._drawing:
            self.children = (*self.children, view.widget)
            self._views = (*self._views, view)
            self._show(view)

    def told(self) -> list[Block]:
        """What the panel says, as blocks to read; of tabs that are not open, too."""
        for view in self._details.hidden if self._details is not None else ():
            self._show(view)
        return super().told()

    @property
    def _known(self) -> Session | Left:
        return self._left if self._left is not None else self.session

    def _let_go(self) -> None:
        with self._drawing:
            session = self.session
            self._left = Left(session.work, session.tree, session.recipe)
            self.board.forget()
            super()._let_go()
            self._pool.close()
            self._views, self._details = (), None

    @property
    def _tradeoff(self) -> TradeoffBox:
        for view in self._views:
            if isinstance(view, TradeoffBox):
                return view
        raise ClosedPanel

    def _changed(self, topics: Collection[str]) -> None:
        """Let the views that show one of these topics show it; one thread at a time draws."""
        with self._drawing:
            hidden = self._details.hidden if self._details is not None else ()
            for view in self.views:
                if view not in hidden and not self._is_closed and any(each in topics for each in view.topics):
                    self._refresh(view)

    def _show(self, view: Any) -> None:
        """Draw a view that is new, or has been hidden."""
        with self._drawing:
            if self._left is None:
                self._refresh(view)

    def _refresh(self, view: Any) -> None:
        """Draw one view; what goes wrong there is shown, and keeps neither the others nor the work."""
        try:
            view.refresh()
        except Exception as error:
            if not isinstance(view, RunBox):  # it shows the errors
                self.session.fail(error)

    def __repr__(self) -> str:
        return f"<Workbench of {self.work.name}>"


def _specs() -> dict[str, dict[str, Any]]:
    """The charts of the right side, made once and kept."""
    makers = {name: make for view in (TradeoffBox, *TABS) for name, make in view.charts.items()}
    return {name: kept.spec(name, make) for name, make in makers.items()}
