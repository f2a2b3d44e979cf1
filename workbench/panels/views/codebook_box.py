"""What stands behind shared values: every list with its weights, and the receipt of the version's bytes."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from workbench.charts import codebook, receipt
from workbench.charts.codebook import Values
from workbench.errors import WorkbenchError
from workbench.live.board import ChartBoard
from workbench.panels.parts import lean
from workbench.panels.state.once import Once
from workbench.panels.state.session import Session
from workbench.recipe import Recipe
from workbench.technique import Context, prepared
from workbench.techniques.share_weights import ShareWeights

if TYPE_CHECKING:
    from workbench.algorithms.sharing import SharedList
    from workbench.storage.receipt import Receipt


class CodebookBox:
    """Shows the lists of shared values of the recipe's preview, or of the version, and the version's receipt.

    Both are worked out in the session's worker.
    """

    topics = ("figures", "versions")

    def __init__(self, session: Session) -> None:
        self.shown: tuple[Values, ...] = ()
        self.receipt: Receipt | None = None
        self._receipt_of = ""
        self._session = session
        self._due = Once(session, self._working)
        charts = {"codebook": codebook.chart(), "receipt": receipt.chart()}
        self.board = ChartBoard(charts, {"codebook": codebook.rows(None), "receipt": receipt.rows(())})
        self._list = lean.Dropdown(
            description="values of", style={"description_width": "auto"}, tooltip="Which list to look at"
        )
        self._list.observe(lambda _: self._draw(), "value")
        self._table = lean.HTML()
        self._table.add_class("wb-scroll")
        places = [self.board.place(name) for name in charts]
        self.widget = lean.VBox([self._list, *places, self._table])
        self.widget.add_class("wb-codebook")

    def refresh(self) -> None:
        """Show what is known of the recipe as it is now, as soon as the worker has it."""
        self._due.ask()

    def _working(self) -> Iterator[None]:
        try:
            self._show(self._values())
            yield
            self._count()
        except WorkbenchError:  # the preview of the same recipe has said it; what was shown stays
            return

    def _values(self) -> tuple[Values, ...]:
        """The lists of the version that is shown, else of the preview."""
        from workbench.algorithms.sharing import lists

        found = self._prepared()
        if (version := self._session.version) is not None:
            return tuple(_record(*each, found) for each in lists(version.candidate))
        candidate = self._session.estimates.previewer.candidate(self._session.recipe.untrained())
        return tuple(_record(*each, found) for each in lists(candidate))

    def _prepared(self) -> list[SharedList]:
        """What the first step that shares weights sorted into bins, where nothing is trained before it."""
        steps = self._session.recipe.untrained().steps
        index = next((n for n, step in enumerate(steps) if isinstance(step, ShareWeights)), None)
        if index is None:
            return []
        candidate = self._session.estimates.previewer.candidate(Recipe(steps[:index]))
        return prepared(steps[index], candidate, Context(self._session.work, seed=index, is_preview=True))

    def _show(self, found: tuple[Values, ...]) -> None:
        self.shown = found
        options = [(each.name, number) for number, each in enumerate(found)]
        if list(self._list.options) != options:
            before = self._list.label
            self._list.options = options
            names = [name for name, _ in options]
            if before in names:
                self._list.value = names.index(before)
            elif found:  # the list of the most weights
                self._list.value = max(range(len(found)), key=lambda number: sum(found[number].uses))
        self._draw()

    def _draw(self) -> None:
        number = self._list.value
        drawn = self.shown[number] if number is not None and number < len(self.shown) else None
        self.board.update({"codebook": codebook.rows(drawn)}, {"codebook": codebook.summary(drawn)})

    def _count(self) -> None:
        """Write the receipt of the version that is shown; a preview has none."""
        from workbench.storage.receipt import receipt as of

        version = self._session.version
        if (version.id if version is not None else "") == self._receipt_of:
            return
        self.receipt = of(version) if version is not None else None
        self._receipt_of = version.id if version is not None else ""
        steps = self.receipt.steps if self.receipt is not None else ()
        self._table.value = self.receipt._repr_html_() if self.receipt is not None else ""
        self.board.update({"receipt": receipt.rows(steps)}, {"receipt": receipt.summary(steps)})


def _record(names: tuple[str, ...], values: list[float], uses: list[int], found: list[SharedList]) -> Values:
    """A list as the chart takes it, with the density of its weights where they have been sorted."""
    title = names[0] if len(names) == 1 else f"{names[0]} and {len(names) - 1} more"
    own = next((each for each in found if tuple(each.tensors) == names), None)
    if own is None:
        return Values(title, values, uses)
    density, low, high = own.histogram.coarse(80)
    return Values(title, values, uses, density, low, high)
