"""Let several layers use one and the same weight tensor, which the file then holds once."""

from __future__ import annotations

from collections.abc import Generator
from typing import TYPE_CHECKING

from workbench.job import Progress
from workbench.options import option
from workbench.technique import Context, Technique

if TYPE_CHECKING:
    from workbench.algorithms.tying import Likeness
    from workbench.candidate import Candidate


class TieLayers(Technique, family="sharing", strengths=(0.9, 0.5, 0.0)):
    """Let several layers use one weight tensor, by name or where their weights are alike.

    The tensor is stored once and computed with as often as before; biases stay each layer's own.
    `TieLayers | FineTune` trains it by the summed gradient of its layers. As recurrent nets do over time and
    ALBERT over its blocks (Lan et al. 2020).
    """

    similarity: float = option(
        0.9, "how alike weights of one shape must be to be tied (cosine)", low=-1, high=1, step=0.01
    )
    layers: tuple[str, ...] = option((), "tie these layers, alike or not", advanced=True)
    value: str = option(
        "mean",
        "what the tied layers use: the mean of their weights, or those of the first",
        choices=("mean", "first"),
        advanced=True,
    )

    def prepare(self, candidate: Candidate, context: Context) -> Likeness:
        """How alike any two weights of one shape are."""
        from workbench.algorithms.tying import Likeness

        return Likeness.of(candidate)

    def apply(
        self, candidate: Candidate, context: Context, prepared: Likeness
    ) -> Generator[Progress, None, Candidate]:
        """The candidate with tied layers; where none are alike, the same one with a note that says so."""
        from workbench.algorithms.tying import tied

        groups = prepared.named(self.layers) if self.layers else prepared.groups(self.similarity)
        if context.only is not None:
            groups = prepared.within(groups, context.only)
        yield Progress(1, 1, f"{sum(map(len, groups))} tensors become {len(groups)}")
        if not groups:
            some = "nothing was tied: no two of the layers it was let into are alike"
            return candidate.noting(prepared.why_none(self.similarity) if context.only is None else some)
        return tied(candidate, groups, self.value == "mean")
