"""Store weights as two-byte floating-point numbers."""

from __future__ import annotations

from collections.abc import Generator
from typing import TYPE_CHECKING

from workbench.job import Progress
from workbench.options import option
from workbench.technique import Context, Technique

if TYPE_CHECKING:
    from workbench.candidate import Candidate


class Cast(Technique, family="quantization", strengths=("float16", "bfloat16")):
    """Round every parameter to a two-byte floating-point type, and store it in two bytes.

    `float16` keeps 11 significant bits up to 65,504, `bfloat16` 8 bits over the range of float32. The model
    still computes in its own type: what is rounded are the parameters, biases and normalizations included.
    Those on a grid or in a codebook are smaller already and stay as they are; so do buffers.
    """

    dtype: str = option(
        "float16",
        "the type: more digits (float16), or the whole range (bfloat16)",
        choices=("float16", "bfloat16"),
    )
    keep: tuple[str, ...] = option((), "layers that keep their precision", advanced=True)

    def apply(
        self, candidate: Candidate, context: Context, prepared: None
    ) -> Generator[Progress, None, Candidate]:
        """The candidate in two bytes a weight."""
        from workbench.algorithms.quantization.casting import cast

        yield Progress(0, 1, self.dtype)
        made = cast(candidate, self.dtype, self.keep, context.takes)
        yield Progress(1, 1, self.dtype)
        return made
