"""Let many weights share few values: k-means clusters and a codebook."""

from __future__ import annotations

from collections.abc import Generator
from typing import TYPE_CHECKING

from workbench.job import Progress
from workbench.options import option
from workbench.technique import Context, Technique

if TYPE_CHECKING:
    from torch import Tensor

    from workbench.algorithms.sharing import SharedList
    from workbench.candidate import Candidate
    from workbench.constraints import Codebook


class ShareWeights(
    Technique,
    family="sharing",
    flag="--clusters",
    prepared_by=("scope", "layers", "biases"),
    strengths=(16, 8, 4, 2),
):
    """Let many weights share few values: the file holds a short list of values and a small code per weight.

    The values are the centers of clusters (k-means), rounded to float16. `ShareWeights | FineTune` trains
    them: each moves by the summed gradient of its weights, and which weight has which value stays. Zeros
    of a pruned model stay zeros and take up no value. After Han et al. 2016, "Deep Compression".
    """

    clusters: int = option(16, "values to share", low=2, high=256, step=1, unit="values", log=True)
    scope: str = option(
        "layer",
        "a list of values per layer, per group of layers of one kind, or for the whole model",
        choices=("layer", "group", "model"),
    )
    start: str = option(
        "density",
        "where clusters begin: by density, evenly spaced, at random, or at the best there are",
        choices=("density", "linear", "random", "exact"),
        advanced=True,
    )
    layers: tuple[str, ...] = option(
        (), "only these layers; all where none is named", role="only", advanced=True
    )
    biases: bool = option(False, "let the biases share a list of values, too", advanced=True)

    def prepare(self, candidate: Candidate, context: Context) -> list[SharedList]:
        """The weights of each list of values, sorted into bins."""
        from workbench.algorithms.sharing import shared_lists

        return shared_lists(candidate, self.scope, self.layers, self.biases)

    def apply(
        self, candidate: Candidate, context: Context, prepared: list[SharedList]
    ) -> Generator[Progress, None, Candidate]:
        """The candidate on its codebooks."""
        from workbench.algorithms.sharing import within

        if context.only is not None:
            prepared = within(candidate, prepared, context.only)
        books: dict[str, Codebook] = {}
        weights: dict[str, Tensor] = {}
        for index, each in enumerate(prepared):
            new, satisfied = each.codebooks(self.clusters, self.start, context.seed + index)
            books |= new
            weights |= satisfied
            yield Progress(index + 1, len(prepared), f"{self.clusters} values")
        masks = {name: mask for each in prepared for name, mask in each.new_masks.items()}
        masked = candidate.constrained(masks) if masks else candidate
        return masked.constrained(books, weights)
