"""Round weights to a uniform grid of k bits."""

from __future__ import annotations

from collections.abc import Generator
from typing import TYPE_CHECKING

from workbench.job import Progress
from workbench.options import option
from workbench.technique import Context, Technique

if TYPE_CHECKING:
    from torch import Tensor

    from workbench.candidate import Candidate


class Quantize(
    Technique, family="quantization", flag="--bits", prepared_by=("granularity",), strengths=(8, 4, 3, 2)
):
    """Round weights to whole multiples of a scale, k bits each.

    Symmetric and weight-only: activations stay in float32, so the file gets smaller and latency stays.
    The scale of a channel is its largest absolute weight over the largest code, rounded to float16 up to 8
    bits, so that it takes two bytes. `Quantize | FineTune` trains through the rounding with straight-through
    gradients (Bengio et al. 2013).
    """

    weights: int = option(8, "bits per weight", low=2, high=16, step=1, unit="bits")
    granularity: str = option(
        "channel",
        "one scale per output channel, or one for the whole tensor",
        choices=("channel", "tensor"),
    )

    def prepare(self, candidate: Candidate, context: Context) -> dict[str, Tensor]:
        """The largest absolute weight of each channel or tensor, shaped to broadcast over the weight."""
        from workbench.layers import weights

        largest: dict[str, Tensor] = {}
        for each in weights(candidate.model):
            weight = each.parameter.detach()
            kept = {each.channel_axis} if self.granularity == "channel" else set()
            axes = tuple(axis for axis in range(weight.ndim) if axis not in kept)
            largest[each.name] = weight.abs().amax(dim=axes, keepdim=True).float()
        return largest

    def apply(
        self, candidate: Candidate, context: Context, prepared: dict[str, Tensor]
    ) -> Generator[Progress, None, Candidate]:
        """The candidate on its grids."""
        import torch

        from workbench.constraints import Grid, as_float16
        from workbench.layers import weights

        grids: dict[str, Grid] = {}
        allowed = {each.name for each in weights(candidate.model) if context.takes(each.layer)}
        for name, largest in prepared.items():
            if name not in allowed:
                continue
            scale = largest / (2 ** (self.weights - 1) - 1)
            # a channel of zeros (or of denormals) has no range: any positive scale keeps its zeros
            scale = torch.where(scale > torch.finfo(torch.float32).tiny, scale, torch.ones_like(scale))
            # a float16 scale is off by 2**-11 of itself at most: at 8 bits a 16th of a step at the top
            if self.weights <= 8 and bool((scale >= torch.finfo(torch.float16).tiny).all()):
                scale = as_float16(scale)
            grids[name] = Grid(self.weights, scale)
        yield Progress(1, 1, f"{self.weights} bits")
        return candidate.constrained(grids)
