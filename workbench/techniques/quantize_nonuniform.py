"""Round weights to levels that follow them: normal-float, powers of two, k-means."""

from __future__ import annotations

from collections.abc import Generator, Mapping
from typing import TYPE_CHECKING

from workbench.job import Progress
from workbench.options import option
from workbench.technique import Context, Technique

if TYPE_CHECKING:
    from workbench.algorithms.quantization.weights_nonuniform import Prepared
    from workbench.candidate import Candidate


class QuantizeNonUniform(
    Technique, family="quantization", prepared_by=("granularity", "group"), strengths=(8, 6, 4, 3, 2)
):
    """Round weights to a few levels that lie where weights are many, times a scale.

    `normal_float` has quantiles of the normal distribution (NF4 of QLoRA at 4 bits), `power_of_two` halves
    and halves again, `kmeans` finds the levels of each layer. Zero is a level, so zeros stay. The scale is
    the largest magnitude. `QuantizeNonUniform | FineTune` trains through the rounding with straight-through
    gradients: weights move from level to level, the levels stay (unlike those of `ShareWeights`).
    """

    bits: int = option(4, "bits per weight", low=2, high=8, step=1, unit="bits")
    grid: str = option(
        "normal_float",
        "where the levels lie: at quantiles of the normal distribution, at powers of two, or where k-means "
        "puts them",
        choices=("normal_float", "power_of_two", "kmeans"),
    )
    granularity: str = option(
        "channel",
        "one scale per output channel, for the whole tensor, or for each group of weights in a channel",
        choices=("channel", "tensor", "group"),
    )
    group: int = option(
        64, "weights that share a scale, where it is per group", low=2, high=65536, unit="weights", log=True
    )
    layers: Mapping[str, int] = option(
        {}, "bits of single layers, instead of those of all", low=2, high=8, unit="bits", advanced=True
    )
    keep: tuple[str, ...] = option((), "layers that keep their precision", advanced=True)
    first_last: bool = option(False, "the first and the last layer get 8 bits", advanced=True)
    learned: bool = option(False, "a later FineTune learns the scales, too", advanced=True)

    def prepare(self, candidate: Candidate, context: Context) -> Prepared:
        """Scales and histograms of the weights, made as they are asked for."""
        from workbench.algorithms.quantization.weights_nonuniform import Prepared

        return Prepared()

    def apply(
        self, candidate: Candidate, context: Context, prepared: Prepared
    ) -> Generator[Progress, None, Candidate]:
        """The candidate on its levels."""
        from workbench.algorithms.quantization.weights_nonuniform import rounded

        return (yield from rounded(self, candidate, context, prepared))
