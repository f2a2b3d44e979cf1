"""Zero the weights that matter least, one by one (unstructured pruning)."""

from __future__ import annotations

from collections.abc import Generator
from typing import TYPE_CHECKING

from workbench.job import Progress
from workbench.options import option
from workbench.technique import Context, Technique

if TYPE_CHECKING:
    from torch import Tensor

    from workbench.algorithms.ranking import Ranking
    from workbench.candidate import Candidate


class PruneWeights(Technique, family="pruning", flag="--sparsity", prepared_by=("criterion", "scope")):
    """Set single weights to zero, the least important first.

    The file gets smaller, since zeros are not stored; dense kernels multiply them all the same, so latency
    stays. The zeros stay through training, rounding and sharing. Magnitude pruning after Han et al. 2015,
    "Learning both Weights and Connections for Efficient Neural Networks".
    """

    sparsity: float = option(0.9, "share of the weights set to zero", low=0, high=1, step=0.01)
    scope: str = option(
        "global",
        "compare weights over the whole model, or reach the share in every layer",
        choices=("global", "layer"),
    )
    criterion: str = option(
        "magnitude",
        "what makes a weight unimportant: a small absolute value",
        choices=("magnitude",),
        advanced=True,
    )

    def prepare(self, candidate: Candidate, context: Context) -> list[Ranking]:
        """The order of importance: one ranking over the model, or one per layer."""
        from workbench.algorithms.ranking import Ranking
        from workbench.layers import weights

        scores = {each.name: _importance(candidate, each.name) for each in weights(candidate.model)}
        if self.scope == "global":
            return [Ranking(scores)]
        return [Ranking({name: score}) for name, score in scores.items()]

    def apply(
        self, candidate: Candidate, context: Context, prepared: list[Ranking]
    ) -> Generator[Progress, None, Candidate]:
        """The candidate under masks; a weight that was zero before stays zero."""
        from workbench.constraints import Mask

        masks: dict[str, Mask] = {}
        for ranking in prepared:
            count = round(self.sparsity * ranking.size)
            masks |= {name: Mask(keep) for name, keep in ranking.all_but_lowest(count).items()}
        yield Progress(1, 1, f"{self.sparsity:.0%} of the weights")
        return candidate.constrained(masks)


def _importance(candidate: Candidate, name: str) -> Tensor:
    """The magnitude of each weight before it was rounded, since rounded ones are equal by the thousand and
    would go in the order they stand in; nothing for those that are zero already.
    """
    weight = candidate.model.get_parameter(name).detach()
    return candidate.free(name).abs() * (weight != 0)
