"""The panel of weight sharing: the studio that begins with `ShareWeights`, its values, and the receipt."""

from __future__ import annotations

from typing import TYPE_CHECKING

from workbench.panels.family import FamilyPanel
from workbench.panels.views.codebook_box import CodebookBox
from workbench.techniques.share_weights import ShareWeights

if TYPE_CHECKING:
    from workbench.charts.codebook import Values
    from workbench.storage.receipt import Receipt


class Sharing(FamilyPanel):
    """Move the number of clusters and watch the shared values, the size, and the accuracy.

    >>> panel = wb.panels.Sharing(work)                       # doctest: +SKIP
    >>> panel.recipe = "ShareWeights(clusters=4)"             # moves the slider, and the values with it
    >>> panel.run(); panel.wait(); print(panel.receipt)       # where every byte of the file goes

    Arguments are those of `Workbench`.
    """

    begins_with = ShareWeights
    shows = (CodebookBox,)

    @property
    def codebook(self) -> CodebookBox:
        """The view of the values."""
        return self.view(CodebookBox)

    @property
    def values(self) -> tuple[Values, ...]:
        """What is drawn: a record per list of shared values."""
        return self.codebook.shown

    @property
    def receipt(self) -> Receipt | None:
        """The receipt of the version that is shown; None for a preview."""
        return self.codebook.receipt
