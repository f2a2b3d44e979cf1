"""Round weights to a uniform grid of k bits."""

from __future__ import annotations

from collections.abc import Generator, Mapping
from typing import TYPE_CHECKING

from workbench.job import Progress
from workbench.options import option
from workbench.technique import Context, Technique

if TYPE_CHECKING:
    from workbench.algorithms.quantization.weights import Prepared
    from workbench.candidate import Candidate


class Quantize(
    Technique,
    family="quantization",
    flag="--bits",
    prepared_by=(
        "granularity",
        "group",
        "symmetric",
        "range",
        "percentile",
        "bias_correction",
        "fold_batch_norm",
    ),
    strengths=(8, 6, 4, 3, 2),
):
    """Round weights to whole multiples of a scale, k bits each.

    The scale of a channel is its largest absolute weight over the largest code, rounded to float16 up to 8
    bits, so that it takes two bytes; zero stays zero. One bit, symmetric, is the sign times the mean
    magnitude. `Quantize | FineTune` trains through the rounding with straight-through gradients (Bengio et
    al. 2013), and the scales with it where they are `learned` (Esser et al. 2020). Biases and normalizations
    keep their precision. With `activations` runtimes that have int8 kernels compute in 8 bits (weights of 8
    or fewer); without, the file gets smaller and latency stays.
    """

    weights: int = option(8, "bits per weight", low=1, high=16, step=1, unit="bits")
    activations: int | None = option(
        None,
        "bits of what goes into layers, and out of convolutions; none leaves that in float32",
        low=1,
        high=16,
        step=1,
        unit="bits",
    )
    scheme: str = option(
        "static",
        "ranges of activations: learned once from training data, or found anew in every call",
        choices=("static", "dynamic"),
        advanced=True,
    )
    calibration: str = option(
        "minmax",
        "how a static range is chosen: all that was seen, averaged over batches, 99.99 % of it, or for the "
        "least squared error or loss of information",
        choices=("minmax", "moving_average", "percentile", "mse", "entropy"),
        advanced=True,
    )
    granularity: str = option(
        "channel",
        "one scale per output channel, for the whole tensor, or for each group of weights in a channel",
        choices=("channel", "tensor", "group"),
    )
    group: int = option(
        32,
        "weights that share a scale, where it is per group",
        low=2,
        high=65536,
        unit="weights",
        log=True,
        advanced=True,
    )
    symmetric: bool = option(
        True, "a range around zero; else from the lowest to the highest, by a zero point", advanced=True
    )
    range: str = option(
        "max",
        "how far the grid reaches: to the largest weight, to a percentile, or for the least squared error",
        choices=("max", "mse", "percentile"),
        advanced=True,
    )
    percentile: float = option(
        99.9, "where range='percentile' ends", above=50, high=100, step=0.1, unit="%", advanced=True
    )
    layers: Mapping[str, int] = option(
        {}, "bits of single layers, instead of those of all", low=1, high=16, unit="bits", advanced=True
    )
    keep: tuple[str, ...] = option((), "layers that keep their precision", advanced=True)
    first_last: bool = option(False, "the first and the last layer get 8 bits at least", advanced=True)
    bias_correction: bool = option(
        False, "move biases by the mean error that rounding adds to each channel", advanced=True
    )
    fold_batch_norm: bool = option(
        False, "multiply batch norms into the layers before them first", advanced=True
    )
    learned: bool = option(False, "a later FineTune learns the scales, too", advanced=True)
    samples: int = option(
        512,
        "training samples to calibrate activations on, at most",
        low=1,
        high=65536,
        log=True,
        advanced=True,
    )

    def prepare(self, candidate: Candidate, context: Context) -> Prepared:
        """The range of the weights that share a scale, and what inputs the layers have on average."""
        from workbench.algorithms.quantization.weights import prepared

        return prepared(self, candidate, context)

    def apply(
        self, candidate: Candidate, context: Context, prepared: Prepared
    ) -> Generator[Progress, None, Candidate]:
        """The candidate on its grids."""
        from workbench.algorithms.quantization.rounding import activations_rounded
        from workbench.algorithms.quantization.weights import rounded

        yield Progress(0, 1, f"{self.weights} bits")
        made = yield from rounded(self, candidate, context, prepared)
        if self.activations is not None:
            is_folded = prepared.folded is not None and context.only is None
            seen = prepared.folded if is_folded else candidate  # what came by before weights were rounded
            made = yield from activations_rounded(self, made, context, seen)
        yield Progress(1, 1, f"{self.weights} bits")
        return made
