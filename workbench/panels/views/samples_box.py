"""The flip inspector: samples whose prediction changed, class by class, and the step that flipped them."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from html import escape
from typing import TYPE_CHECKING, Any, ClassVar

import ipywidgets

from workbench.charts import classes_compared, flips_by_step
from workbench.comparison import rendering
from workbench.comparison.flipped import KINDS
from workbench.live.board import ChartBoard
from workbench.measurement import units
from workbench.panels.paper.blocks import Block, Table, Title, Words
from workbench.panels.parts import lean
from workbench.panels.parts.flip_cards import cards, step_of
from workbench.panels.parts.job_row import JobRow
from workbench.panels.parts.traits import set_changed
from workbench.panels.state.session import Session
from workbench.panels.views.pair_box import PairBox

if TYPE_CHECKING:
    from workbench.comparison import Flip, Flips, FlipStages
    from workbench.job import Job

ALL = ""
PAGE = 48  # samples that are shown at a time
_TOLD = 20  # samples in a still form
_HEADER = ("sample", "what happened", "label", "before", "after", "step")
_CLASSES, _STEPS = "recall compared", "flips by step"
_EMPTY = "Make a version first (press Run): then the samples it flipped are shown here."
_APART = "These are the test data: a version that is chosen by them needs other data for its report."
_SAME = "Both are the same: nothing flips."


class SamplesBox:
    """Shows the flips of the pair of a session.

    Attributes:
        shown: the flips that the filters let through, the surest first; a page of them is in sight.
        finding: the job that finds the step that flipped them.
    """

    title = "Samples"
    topics = ("compare", "versions", "figures", "job")
    charts: ClassVar[Mapping[str, Callable[[], Any]]] = {
        _CLASSES: classes_compared.chart,
        _STEPS: flips_by_step.chart,
    }

    def __init__(self, session: Session, board: ChartBoard, *, has_pair: bool = True) -> None:
        """
        Args:
            has_pair: whether the two can be chosen here; not where another view beside it does that.
        """
        self.shown: tuple[Flip, ...] = ()
        self._session, self._board = session, board
        self._is_watched = False
        self._drawn: tuple[Any, ...] = ()
        self._of: tuple[str, str] = ("", "")
        self._page = 0
        self._pair = PairBox(session)
        self._told = _html("wb-hint")
        self._kind = _choice("show", "Which flips to show")
        self._class = _choice("label", "Only samples of this class")
        for each in (self._kind, self._class):
            each.observe(lambda _: self._filtered(), "value")
        self._back = _button("", "chevron-left", "The samples before", lambda: self._turn(-1))
        self._forth = _button("", "chevron-right", "The next samples", lambda: self._turn(1))
        self._where = _html("wb-hint")
        self._cards = _html("wb-flips")
        self.finding: JobRow = JobRow(
            session,
            "Find the step",
            "Stop finding",
            "search",
            "Run the recipe again and judge after every step: which one flipped each sample",
            self._staging,
            self._found,
        )
        self._table = _html("wb-compared")
        lean.show(self._pair.widget, has_pair)
        self.widget = self._laid_out()
        self.widget.add_class("wb-samples")
        self.refresh()

    @property
    def flips(self) -> Flips | None:
        """The flips of the pair; None until they are known."""
        comparisons = self._session.comparisons
        return comparisons.flips if comparisons.is_of_two else None

    @property
    def stages(self) -> FlipStages | None:
        """Which step flipped them, where that was looked for."""
        return self._session.comparisons.stages

    def opened(self, is_open: bool) -> None:
        """Somebody looks at it, or no longer: nothing is judged for nobody."""
        if is_open != self._is_watched:
            self._is_watched = is_open
            self._session.comparisons.watch(is_open)
            self.refresh()

    def close(self) -> None:
        """End the job."""
        self.finding.close()

    def choose(self, kind: str = ALL, label: int | None = None) -> None:
        """Show only flips of a kind (`broken`, `mended`, `otherwise`) and of a label; all without any."""
        self._kind.value = kind
        self._class.value = ALL if label is None else str(label)

    def refresh(self) -> None:
        """Show what there is."""
        comparisons = self._session.comparisons
        if self._is_watched:
            comparisons.refresh()
        self._pair.refresh()
        self.finding.refresh()
        set_changed(self._told, value=self._line())
        drawn = (self.flips, self.stages)
        if drawn == self._drawn:
            return
        self._drawn = drawn
        lean.show(self._body, self.flips is not None)
        self._list()
        self._filtered()
        self._draw()

    def told(self) -> Iterator[Block]:
        """Who flipped, for those who read without a kernel."""
        flips = self.flips
        if flips is None or not self._is_watched:
            return
        yield Title("Samples that flipped", 3)
        yield Words(f"{flips.sentence} {_verdict(flips)}")
        if self.shown:
            rows = (_row(flips, each, self.stages) for each in self.shown[:_TOLD])
            yield Table(f"The surest {_TOLD} at most", _HEADER, tuple(rows))
        if self.stages is not None:
            yield Words(flips_by_step.summary(self.stages))
        yield Table("Class by class", rendering.CLASSES, tuple(rendering.class_rows(flips)))

    def _line(self) -> str:
        comparisons, flips = self._session.comparisons, self.flips
        if not len(self._session.tree):
            return _EMPTY
        if not comparisons.is_of_two:
            return _SAME
        if flips is not None:
            apart = f" {_APART}" if flips.split == "test" else ""
            return f"{escape(flips.sentence)} {escape(_verdict(flips))}{apart}"
        if comparisons.problem:
            return escape(comparisons.problem)
        return f'<span role="status">{escape(comparisons.said or "to be judged")}…</span>'

    def _list(self) -> None:
        """The choices with how many there are of each."""
        flips = self.flips
        if flips is None:
            return
        kinds = [(f"all {len(flips.flips):,}", ALL)]
        kinds += [(f"{words}: {flips.count(kind):,}", kind) for kind, words in KINDS.items()]
        labels = sorted({each.label for each in flips.flips})
        classes = [("every class", ALL)]
        classes += [(f"{flips.name(each)}: {len(flips.of(label=each)):,}", str(each)) for each in labels]
        for box, options in ((self._kind, kinds), (self._class, classes)):
            if list(box.options) != options:
                before = box.value
                box.options = options
                box.value = before if before in {value for _, value in options} else ALL

    def _filtered(self) -> None:
        """Another filter: its first page."""
        flips = self.flips
        label = int(self._class.value) if self._class.value else None
        self.shown = flips.of(self._kind.value or ALL, label) if flips is not None else ()
        self._page = 0
        self._show_page()

    def _turn(self, by: int) -> None:
        last = max(0, (len(self.shown) - 1) // PAGE)
        self._page = min(last, max(0, self._page + by))
        self._show_page()

    def _show_page(self) -> None:
        first = self._page * PAGE
        page = self.shown[first : first + PAGE]
        flips = self.flips
        set_changed(self._cards, value=cards(flips, page, self.stages) if flips is not None else "")
        set_changed(self._back, disabled=first == 0)
        set_changed(self._forth, disabled=first + PAGE >= len(self.shown))
        here = (
            f"{first + 1:,} to {first + len(page):,} of {len(self.shown):,}, the surest first"
            if page
            else "none"
        )
        set_changed(self._where, value=here)

    def _draw(self) -> None:
        """The charts and the table of classes."""
        flips, stages = self.flips, self.stages
        classes = flips.classes if flips is not None else ()
        names = (flips.before, flips.after) if flips is not None else ("", "")
        rows = {_CLASSES: classes_compared.rows(classes), _STEPS: flips_by_step.rows(stages)}
        texts = {_CLASSES: classes_compared.summary(classes, *names), _STEPS: flips_by_step.summary(stages)}
        self._board.show(rows, texts)
        lean.show(self._steps, stages is not None and stages.stages)
        table = rendering.table(rendering.CLASSES, rendering.class_rows(flips)) if flips is not None else ""
        table = table.replace('class="wb-table"', 'class="wb-pairs"')
        region = f'<div class="wb-wide" tabindex="0" role="region" aria-label="classes">{table}</div>'
        set_changed(self._table, value=region if table else "")

    def _staging(self) -> Job[FlipStages]:
        self._of = self._session.comparisons.ids
        return self._session.comparisons.staging()

    def _found(self, stages: FlipStages) -> str:
        self._session.comparisons.found(stages, self._of)
        return " ".join([stages.sentence, *(f"{each}." for each in stages.notes)])

    def _laid_out(self) -> ipywidgets.VBox:
        row = lean.HBox([self._kind, self._class, self._back, self._forth, self._where])
        row.add_class("wb-choices")
        board = self._board
        self._steps = lean.VBox([board.place(_STEPS)])
        lean.show(self._steps, False)
        classes = lean.VBox([lean.HTML("<h4>Class by class</h4>"), board.place(_CLASSES), self._table])
        self._body = lean.VBox([row, self._cards, self.finding.widget, self._steps, classes])
        lean.show(self._body, False)
        return lean.VBox([self._pair.widget, self._told, self._body])


def _row(flips: Flips, flip: Flip, stages: FlipStages | None) -> tuple[str, ...]:
    label, before, after = (flips.name(each) for each in (flip.label, flip.before, flip.after))
    shares = [
        f"{name} ({units.share(share, 0)})"
        for name, share in ((before, flip.before_share), (after, flip.after_share))
    ]
    return (units.exact(flip.index), KINDS[flip.kind], label, *shares, step_of(stages, flip))


def _verdict(flips: Flips) -> str:
    """Whether that many could be chance."""
    pair = flips.paired
    seen = "a difference is seen" if pair.is_seen else "no difference is seen"
    return f"In accuracy {seen} (exact McNemar test, p = {pair.p_value:.2g})."


def _choice(description: str, tooltip: str) -> ipywidgets.Dropdown:
    return lean.Dropdown(
        options=[("all", ALL)],
        value=ALL,
        description=description,
        tooltip=tooltip,
        style={"description_width": "auto"},
    )


def _button(description: str, icon: str, tooltip: str, press: Callable[[], None]) -> ipywidgets.Button:
    button = lean.Button(description=description, icon=icon, tooltip=tooltip)
    button.add_class("wb-icon")
    button.on_click(lambda _: press())
    return button


def _html(name: str) -> ipywidgets.HTML:
    made = lean.HTML()
    made.add_class(name)
    return made
