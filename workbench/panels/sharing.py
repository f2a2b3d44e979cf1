"""The panel of weight sharing: the studio that begins with `ShareWeights`, its values, and the receipt."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from workbench.panels.codebook_box import CodebookBox
from workbench.panels.studio import Workbench
from workbench.recipe import Recipe
from workbench.techniques.share_weights import ShareWeights

if TYPE_CHECKING:
    from workbench.charts.codebook import Values
    from workbench.storage.receipt import Receipt
    from workbench.workload import Workload


class Sharing(Workbench):
    """Move the number of clusters and watch the shared values, the size, and the accuracy.

    >>> panel = wb.panels.Sharing(work)                       # doctest: +SKIP
    >>> panel.recipe = "ShareWeights(clusters=4)"             # moves the slider, and the values with it
    >>> panel.run(); panel.wait(); print(panel.receipt)       # where every byte of the file goes

    Arguments are those of `Workbench`.
    """

    def __init__(self, work: Workload, recipe: Recipe | str | None = None, **options: Any) -> None:
        super().__init__(work, recipe if recipe is not None else Recipe((ShareWeights(),)), **options)
        # the session's own previewer: what it has prepared is not computed again
        self.codebook = CodebookBox(self.session, self.session.estimates._previewer)
        with self._drawing:
            self.children = (*self.children, self.codebook.widget)
            self._views = (*self._views, self.codebook)
        self.codebook.refresh()

    @property
    def values(self) -> tuple[Values, ...]:
        """What is drawn: a record per list of shared values."""
        return self.codebook.shown

    @property
    def receipt(self) -> Receipt | None:
        """The receipt of the version that is shown; None for a preview."""
        return self.codebook.receipt
