"""What stands behind a rank: a layer's spectrum with the chosen rank as a line, and every layer's limits."""

from __future__ import annotations

from collections.abc import Iterator
from html import escape
from typing import TYPE_CHECKING

from workbench.charts import spectrum
from workbench.charts.spectrum import Spectrum
from workbench.errors import WorkbenchError
from workbench.live.board import ChartBoard
from workbench.measurement import units
from workbench.panels.parts import lean
from workbench.panels.state.layer_link import Follower
from workbench.panels.state.once import Once
from workbench.panels.state.session import Session
from workbench.recipe import Recipe
from workbench.technique import Context, prepared
from workbench.techniques.factorize import Factorize

if TYPE_CHECKING:
    from workbench.algorithms.lowrank.prepared import Prepared
    from workbench.algorithms.lowrank.spectra import LayerSpectrum

_HEAD = ("layer", "method", "rank", "larger above", "slower above", "kept")


class SpectrumBox:
    """Shows the spectra that the first `Factorize` of a session's recipe chooses from.

    Spectra are worked out in the session's worker, after each preview; then the layers are timed once, one at
    a time, when the hand rests.
    """

    topics = ("figures", "layer")

    def __init__(self, session: Session) -> None:
        self.shown: tuple[LayerSpectrum, ...] = ()
        self._session = session
        self._due = Once(session, self._working)
        self.board = ChartBoard({"spectrum": spectrum.chart()}, {"spectrum": spectrum.rows(None)})
        self._layer = lean.Dropdown(
            description="spectrum of", style={"description_width": "auto"}, tooltip="Which layer to look at"
        )
        self._layer.observe(lambda _: self._draw(), "value")
        self._link = Follower(session, self._layer, lambda number: self.shown[number].name)
        self._table = lean.HTML()
        self._table.add_class("wb-scroll")
        self.widget = lean.VBox([self._layer, self.board.place("spectrum"), self._table])
        self.widget.add_class("wb-spectrum")

    def refresh(self) -> None:
        """Move the line: at once where the preview has prepared everything, else in the worker."""
        self._link.follow()
        preview = self._session.estimates.preview
        if preview is not None and preview.recipe == self._session.recipe:
            self._look()
        self._due.ask()

    def _working(self) -> Iterator[None]:
        if (found := self._look()) is not None and any(each.slower_above is None for each in self.shown):
            for _ in _timed(*found):
                yield
            self._look()

    def _look(self) -> tuple[Factorize, Prepared] | None:
        """Show the spectra of the recipe as it is now; returns what they were made from."""
        try:
            found = self._found()
            self._show(_spectra(*found) if found is not None else ())
        except WorkbenchError:  # the preview of the same recipe has said it; what was shown stays
            return None
        return found

    def _found(self) -> tuple[Factorize, Prepared] | None:
        """The first step that factorizes before any that trains, and what it prepared."""
        steps = self._session.recipe.untrained().steps
        index = next((n for n, step in enumerate(steps) if isinstance(step, Factorize)), None)
        if index is None:
            return None
        step = steps[index]
        candidate = self._session.estimates.previewer.candidate(Recipe(steps[:index]))
        context = Context(self._session.work, seed=index, is_preview=True)
        return step, prepared(step, candidate, context)

    def _show(self, found: tuple[LayerSpectrum, ...]) -> None:
        self.shown = found
        options = [(_title(each), number) for number, each in enumerate(found)]
        if list(self._layer.options) != options:
            before = self._layer.label
            titles = [title for title, _ in options]
            self._layer.options = options
            if before in titles:
                self._layer.value = titles.index(before)
            elif found:
                self._layer.value = max(range(len(found)), key=lambda number: found[number].full)
        self._table.value = _table(found)
        self._draw()

    def _draw(self) -> None:
        number = self._layer.value
        drawn = None
        if number is not None and number < len(self.shown):
            each = self.shown[number]
            limits = (each.rank, each.larger_above, each.slower_above, each.side)
            drawn = Spectrum(each.name, each.energies.tolist(), *limits)
        self.board.update({"spectrum": spectrum.rows(drawn)}, {"spectrum": spectrum.summary(drawn)})


def _spectra(step: Factorize, base: Prepared) -> tuple[LayerSpectrum, ...]:
    from workbench.algorithms.lowrank.ranks import choose
    from workbench.algorithms.lowrank.spectra import spectra

    return tuple(spectra(base, *choose(base, step.rule())))


def _timed(step: Factorize, base: Prepared) -> Iterator[None]:
    """Time each layer whose break-even is not known yet, a layer a step."""
    from workbench.algorithms.lowrank import timing
    from workbench.algorithms.lowrank.ranks import choose

    chosen = {each.name: each.split for each in choose(base, step.rule())[0]}
    for each in base.layers:
        yield
        timing.curve(each, chosen.get(each.name, next(iter(each.splits.values()))))


def _title(each: LayerSpectrum) -> str:
    return f"{each.name}, {each.side}" if each.side else each.name


def _table(found: tuple[LayerSpectrum, ...]) -> str:
    """Every layer's choice and limits; a layer that stays whole says why."""
    if not found:
        return '<p class="wb-hint">Add Factorize to the recipe to see the spectra of its layers.</p>'
    head = "".join(f"<th>{each}</th>" for each in _HEAD)
    rows = "".join(_row(each) for each in found)
    return f'<table class="wb-table"><thead><tr>{head}</tr></thead><tbody>{rows}</tbody></table>'


def _row(each: LayerSpectrum) -> str:
    rank = f"{each.rank} of {each.full}" if each.rank is not None else f"whole: {each.reason}"
    larger, slower = _above(each.larger_above, each.full), _above(each.slower_above, each.full)
    cells = (_title(each), each.method, rank, larger, slower, units.share(each.kept))
    return "<tr>" + "".join(f"<td>{escape(cell)}</td>" for cell in cells) + "</tr>"


def _above(rank: int | None, full: int) -> str:
    """A limit in words; `…` while it is being measured."""
    if rank is None:
        return "…"
    return "every rank" if rank == 0 else "no rank" if rank >= full else str(rank)
