"""Two versions side by side, as blocks to read."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from workbench.panels.paper.blocks import Block, Table, Title, Words

if TYPE_CHECKING:
    from workbench.comparison import Comparison


def of_comparison(work: str, comparison: Comparison | None) -> Iterator[Block]:
    """The figures, what is said under them, the recipes and the layers."""
    from workbench.comparison import rendering

    if comparison is None:
        yield Title(f"{work}: two versions side by side", 3)
        yield Words("Nothing was compared yet.")
        return
    before, after = comparison.before, comparison.after
    yield Title(f"{work}: {before} and {after}", 3)
    header = ("figure", "kind", before, after, "change", "is it real?")
    yield Table("Figures", header, tuple(rendering.figure_rows(comparison)))
    yield from (Words(each) for each in rendering.remarks(comparison))
    if comparison.steps:
        yield Words("Recipe: " + "; ".join(each.text for each in comparison.steps))
    yield Table("Layers", rendering.LAYERS, tuple(rendering.layer_rows(comparison)))
