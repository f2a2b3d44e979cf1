"""Round weights to one bit: a sign, times a scale."""

from __future__ import annotations

from collections.abc import Generator
from typing import TYPE_CHECKING

from workbench.job import Progress
from workbench.options import option
from workbench.technique import Context, Technique

if TYPE_CHECKING:
    from workbench.candidate import Candidate


class Binarize(Technique, family="quantization", strengths=("group", "channel", "tensor")):
    """Round every weight to its scale or minus its scale: one bit a weight.

    The scale is the mean magnitude, which gives the least squared error (Rastegari et al. 2016, "XNOR-Net").
    Most nets are of little use before they are trained under it: `Binarize | FineTune` trains the weights
    straight through the signs, and the scales. One bit has no zero: pruned weights stay zero by their mask,
    whose positions are stored beside the bits.
    """

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
        """The candidate under signs."""
        from workbench.algorithms.quantization.weights_signs import binarized

        yield Progress(0, 1, "one bit")
        made = binarized(self, candidate, context)
        yield Progress(1, 1, "one bit")
        return made
