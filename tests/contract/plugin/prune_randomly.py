"""A technique in somebody else's package: this file and one line of packaging are all there is to it.

[project.entry-points."workbench.techniques"]
PruneRandomly = "prune_randomly:PruneRandomly"
"""

from __future__ import annotations

from collections.abc import Generator
from typing import TYPE_CHECKING, Any

from workbench.job import Progress
from workbench.options import option
from workbench.technique import Context, Technique

if TYPE_CHECKING:
    from workbench.candidate import Candidate


class PruneRandomly(Technique, family="pruning", flag="--random"):
    """Set single weights to zero, drawn at random: the baseline that a criterion must beat."""

    share: float = option(0.5, "share of the weights set to zero", low=0, high=1, step=0.01)

    def apply(
        self, candidate: Candidate, context: Context, prepared: Any
    ) -> Generator[Progress, None, Candidate]:
        """The candidate under masks drawn from the step's seed."""
        import torch

        from workbench.constraints import Mask
        from workbench.layers import weights

        generator = torch.Generator().manual_seed(context.seed)
        masks = {}
        for each in weights(candidate.model):
            if not context.takes(each.layer):
                continue
            draws = torch.rand(each.parameter.shape, generator=generator)
            masks[each.name] = Mask(draws >= self.share)
            yield Progress(len(masks), None, each.name)
        return candidate.constrained(masks)
