"""Round weights to three values: minus a scale, zero, the scale."""

from __future__ import annotations

from collections.abc import Generator
from typing import TYPE_CHECKING

from workbench.job import Progress
from workbench.options import option
from workbench.technique import Context, Technique

if TYPE_CHECKING:
    from workbench.candidate import Candidate


class Ternarize(Technique, family="quantization", strengths=(0.5, 0.75, 1.0, 1.5)):
    """Round every weight to minus its scale, zero or its scale: at most 1.6 bits a weight.

    Zero where the magnitude is below a threshold, 0.75 of the mean one; the scale is the mean magnitude of
    the others (Li et al. 2016, "Ternary weight networks"). `Ternarize | FineTune` trains the weights straight
    through the rounding, and the scales (Zhu et al. 2017, "Trained ternary quantization").
    """

    threshold: float = option(
        0.75, "what becomes zero: below so many mean magnitudes", low=0, high=3, step=0.05
    )
    granularity: str = option(
        "channel",
        "one scale per output channel, for the whole tensor, or for each group of weights in a channel",
        choices=("channel", "tensor", "group"),
    )
    group: int = option(
        64, "weights that share a scale, where it is per group", low=2, high=65536, unit="weights", log=True
    )
    keep: tuple[str, ...] = option((), "layers that keep their precision", advanced=True)
    first_last: bool = option(False, "the first and the last layer get 8 bits", advanced=True)
    learned: bool = option(True, "a later FineTune learns the scales, too", advanced=True)

    def apply(
        self, candidate: Candidate, context: Context, prepared: None
    ) -> Generator[Progress, None, Candidate]:
        """The candidate under three values."""
        from workbench.algorithms.quantization.weights_signs import ternarized

        yield Progress(0, 1, "three values")
        made = ternarized(self, candidate, context, self.threshold)
        yield Progress(1, 1, "three values")
        return made
