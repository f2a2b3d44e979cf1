"""The magic itself: a line or cell is parsed, and handed to its verb; mistakes become one line."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from workbench.magics import arguments, run, verbs
from workbench.magics.errors import in_one_line

if TYPE_CHECKING:
    from workbench.magics.session import Session


def magic(session: Session) -> Callable[..., None]:
    """`%compress` and `%%compress` for one notebook."""

    def compress(line: str, cell: str | None = None) -> None:
        """Compress a neural network, and see what it costs.

        %compress                                        the studio on a built-in example
        %compress net --validation val_loader            the studio on your model
        %compress net --sparsity 0.9 --bits 8            a recipe by short flags, in the order written
        %compress net PruneWeights(sparsity=0.9) | FineTune(epochs=2) --into small
        %%compress net --into small                      the recipe in the lines below it
        %compress help                                   everything that can be written
        """
        with in_one_line():
            request = arguments.parse(line, cell)
            act = verbs.find(request.verb).run if request.verb else run.run
            act(request, session)

    return compress
