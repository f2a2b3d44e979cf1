"""Two side by side: figures and whether they differ, recipes, layers, and the weights of one layer."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from html import escape
from typing import TYPE_CHECKING, Any, ClassVar

import ipywidgets

from workbench.charts import weights_compared
from workbench.comparison import rendering
from workbench.comparison.recipes import SAME
from workbench.errors import WorkbenchError
from workbench.live.board import ChartBoard
from workbench.panels.paper.blocks import Block, Table, Title, Words
from workbench.panels.parts import lean
from workbench.panels.parts.traits import set_changed
from workbench.panels.state.session import Session
from workbench.panels.views.pair_box import PairBox

if TYPE_CHECKING:
    from workbench.comparison import Comparison, StepChange, WeightsPair

_CHART = "weights compared"
_EMPTY = "Make a version first (press Run): then it is compared with the original here."
_SAME = "Both are the same. Choose another, here or by marking two in the table of versions."
_MARKS = {"a difference": "●", "no difference seen": "○", "exact": "="}


class CompareBox:
    """Shows what is known of the pair of a session, as it comes."""

    title = "Compare"
    topics = ("compare", "versions", "figures")
    charts: ClassVar[Mapping[str, Callable[[], Any]]] = {_CHART: weights_compared.chart}

    def __init__(self, session: Session, board: ChartBoard) -> None:
        self.shown: Comparison | None = None
        self.weights: WeightsPair | None = None
        self._session = session
        self._board = board
        self._is_watched = False
        self._pair = PairBox(session)
        self._told = _html("wb-hint")
        self._figures = _html("wb-compared")
        self._recipe = _html("wb-compared")
        self._layers = _html("wb-compared")
        self._layer = lean.Dropdown(
            description="weights of", style={"description_width": "auto"}, tooltip="Whose weights to look at"
        )
        self._layer.observe(lambda _: self._draw_weights(), "value")
        self._weights_told = _html("wb-hint")
        self._look = lean.VBox([self._layer, board.place(_CHART), self._weights_told])
        lean.show(self._look, False)
        parts = [self._pair.widget, self._told, self._figures, self._recipe, self._layers, self._look]
        self.widget = lean.VBox(parts)
        self.widget.add_class("wb-compare")
        self.refresh()

    def opened(self, is_open: bool) -> None:
        """Somebody looks at it, or no longer: nothing is measured for nobody."""
        if is_open != self._is_watched:
            self._is_watched = is_open
            self._session.comparisons.watch(is_open)
            self.refresh()

    def refresh(self) -> None:
        """Show what there is."""
        comparisons = self._session.comparisons
        if self._is_watched:
            comparisons.refresh()
        self._pair.refresh()
        found = comparisons.comparison if comparisons.is_of_two else None
        set_changed(self._told, value=self._line(found))
        if found is self.shown:
            return
        self.shown = found
        set_changed(self._figures, value=figures_html(found) if found else "")
        set_changed(self._recipe, value=recipe_html(found.steps) if found and found.steps is not None else "")
        set_changed(self._layers, value=layers_html(found) if found else "")
        lean.show(self._look, found)
        self._list_layers(found)
        self._draw_weights()

    def told(self) -> Iterator[Block]:
        """The two side by side, for those who read without a kernel."""
        found = self.shown
        if found is None:
            return
        yield Title(f"{found.before} and {found.after}", 3)
        header = ("figure", "kind", found.before, found.after, "change", "is it real?")
        yield Table(f"{found.after} against {found.before}", header, tuple(rendering.figure_rows(found)))
        yield from (Words(each) for each in rendering.remarks(found))
        if found.steps:
            yield Words("Recipe: " + "; ".join(each.text for each in found.steps))
        yield Table("Layer by layer", rendering.LAYERS, tuple(rendering.layer_rows(found)))

    def _line(self, found: Comparison | None) -> str:
        comparisons = self._session.comparisons
        if not len(self._session.tree):
            return _EMPTY
        if not comparisons.is_of_two:
            return _SAME
        problem = comparisons.problem if found is None or not found.is_final else ""
        said = comparisons.said or ("" if found is not None or problem else "to be measured")
        sentence = found.sentence if found is not None else ""
        lines = [escape(each) for each in (sentence, problem) if each]
        lines += [f'<span role="status">{escape(said)}…</span>'] if said else []
        return "<br>".join(lines) or "&nbsp;"

    def _list_layers(self, found: Comparison | None) -> None:
        names = found.weighted if found is not None else []
        if list(self._layer.options) != names:
            before = self._layer.value
            self._layer.options = names
            if names:
                self._layer.value = before if before in names else names[0]

    def _draw_weights(self) -> None:
        found, layer = self.shown, self._layer.value
        try:
            self.weights = found.weights(layer) if found is not None and layer else None
        except WorkbenchError as error:  # a version that was deleted elsewhere
            self._session.fail(error)
            self.weights = None
        told = weights_compared.summary(self.weights)
        set_changed(self._weights_told, value=escape(told) if self.weights is not None else "")
        self._board.show({_CHART: weights_compared.rows(self.weights)}, {_CHART: told})


def figures_html(comparison: Comparison) -> str:
    """The figures as a table; whether a difference is real has a sign of its own."""
    header = ("", comparison.before, comparison.after, "change", "is it real?")
    head = "".join(f'<th scope="col">{escape(each)}</th>' for each in header)
    head = f"<thead><tr>{head}</tr></thead>"
    lines = []
    for each in comparison.figures:
        verdict = f"{_MARKS.get(each.verdict, '')} {each.verdict}".strip()
        cells = (*map(_together, (each.before_text, each.after_text, each.change)), verdict)
        name = f'{escape(each.title)} <span class="wb-kind">{escape(each.kind)}</span>'
        inner = "".join(f"<td>{escape(cell)}</td>" for cell in cells)
        lines.append(f'<tr title="{escape(each.why)}"><th scope="row">{name}</th>{inner}</tr>')
    how = [
        f"{each.title}: {each.why}." for each in comparison.figures if each.why and each.name != "accuracy"
    ]
    notes = "".join(f'<p class="wb-hint">{escape(each)}</p>' for each in (*how, *comparison.notes))
    return (
        _scrolled(f'<table class="wb-pairs wb-figured">{head}<tbody>{"".join(lines)}</tbody></table>') + notes
    )


def recipe_html(steps: tuple[StepChange, ...]) -> str:
    """What differs between the recipes, a line each."""
    if all(each.kind == SAME for each in steps):
        return '<p class="wb-hint">The recipes are the same.</p>'
    lines = "".join(
        f'<li class="wb-step-{each.kind}"><code>{escape(each.text)}</code></li>' for each in steps
    )
    return f'<h4>Recipe</h4><ul class="wb-steps">{lines}</ul>'


def layers_html(comparison: Comparison) -> str:
    """Layer by layer."""
    rows = rendering.layer_rows(comparison)
    table = rendering.table(rendering.LAYERS, rows).replace('class="wb-table"', 'class="wb-pairs"')
    return f"<h4>Layer by layer</h4>{_scrolled(table)}"


def _together(text: str) -> str:
    """A number stays with its unit; a line breaks before an interval only, and in words."""
    kept = text.replace(" ", "\u00a0").replace("\u00a0(", " (").replace("points\u00a0", "points ")
    kept = kept.replace("×\u00a0", "× ").replace(")\u00a0", ") ")
    return kept.replace("–", "\u2060–\u2060") if "(" in kept else kept  # a word joiner to each side


def _scrolled(table: str) -> str:
    """A wide table scrolls by itself, by the keyboard too."""
    return f'<div class="wb-wide" tabindex="0" role="region" aria-label="table">{table}</div>'


def _html(name: str) -> ipywidgets.HTML:
    made = lean.HTML()
    made.add_class(name)
    return made
