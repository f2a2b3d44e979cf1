"""Zero weights in a pattern that hardware likes: n of every m, or whole blocks."""

from __future__ import annotations

import re
from collections.abc import Generator
from typing import TYPE_CHECKING

from workbench.algorithms.importance import CRITERIA
from workbench.errors import OptionError, listed, shown
from workbench.job import Progress
from workbench.options import option
from workbench.technique import Context, Technique
from workbench.techniques.prune_weights import importance_of

if TYPE_CHECKING:
    from torch import Tensor

    from workbench.algorithms.patterns import Blocks, NOfM
    from workbench.algorithms.pruning import Importance
    from workbench.candidate import Candidate
    from workbench.layers import Weight


class PrunePattern(Technique, family="pruning", prepared_by=("criterion", "samples"), strengths=(3, 2, 1)):
    """Set weights to zero in a pattern: of every m along the inputs of an output, n stay; or whole blocks go.

    Patterns are what sparse kernels are written for: 2:4 for the tensor cores of graphics cards (Mishra et
    al. 2021, "Accelerating Sparse Deep Neural Networks"), blocks for vector units (Narang et al. 2017,
    "Block-Sparse Recurrent Neural Networks"). Inputs are counted as a layer multiplies them: input features,
    or input channels × kernel. The pattern holds through training, rounding and sharing.
    """

    n: int = option(2, "weights that stay of every m", low=1, high=1023, step=1, unit="weights")
    m: int = option(4, "weights in a group, one after the other along the inputs", low=2, high=1024, step=1)
    block: str = option("", "instead of n of m, whole blocks go: outputs x inputs, as in '4x1' or '1x4'")
    sparsity: float = option(0.5, "blocks: the share of them set to zero", low=0, high=1, step=0.01)
    scope: str = option(
        "global",
        "blocks: compared over the whole model, or the share reached in every layer",
        choices=("global", "layer"),
        advanced=True,
    )
    criterion: str = option(
        "magnitude",
        "what makes a weight unimportant; a block has the sum of its weights",
        choices=CRITERIA,
        advanced=True,
    )
    keep: tuple[str, ...] = option((), "layers to leave alone, by name", advanced=True)
    samples: int = option(
        512,
        "training samples that taylor, movement and wanda look at, at most",
        low=1,
        high=1_000_000,
        log=True,
        advanced=True,
    )

    def __post_init__(self) -> None:
        super().__post_init__()
        if not self.block and self.n >= self.m:
            raise OptionError(f"n must lie below m={self.m}, got {self.n}: all of them would stay")
        if self.block:
            self._block()

    def prepare(self, candidate: Candidate, context: Context) -> Importance:
        """How important each weight is."""
        return importance_of(candidate, context, self.criterion, self.samples)

    def apply(
        self, candidate: Candidate, context: Context, prepared: Importance
    ) -> Generator[Progress, None, Candidate]:
        """The candidate under masks of the pattern; its notes list the layers the pattern does not go into.

        Raises:
            OptionError: it goes into none.
        """
        from workbench.algorithms.patterns import NOfM, in_blocks, in_groups
        from workbench.constraints import Mask

        pattern = self.pattern()
        fitting, skipped = self._fitting(candidate, pattern)
        chosen = [each for each in fitting if context.takes(each.layer)]
        yield Progress(1, 1, str(pattern))
        scores = {each.name: prepared.scores[each.name] for each in chosen}
        axes = {each.name: each.channel_axis for each in chosen}
        keep: dict[str, Tensor]
        if isinstance(pattern, NOfM):
            keep = in_groups(pattern, scores, axes)
        else:
            keep = in_blocks(pattern, scores, axes, self.sparsity, self.scope)
        pruned = candidate.constrained({name: Mask(each) for name, each in keep.items()})
        return pruned.noting(*prepared.known.notes, *skipped)

    def pattern(self) -> NOfM | Blocks:
        """The pattern asked for."""
        from workbench.algorithms.patterns import Blocks, NOfM

        return Blocks(*self._block()) if self.block else NOfM(self.n, self.m)

    def _block(self) -> tuple[int, int]:
        found = re.fullmatch(r"\s*(\d{1,4})\s*[x×]\s*(\d{1,4})\s*", self.block)
        rows, columns = (int(each) for each in found.groups()) if found else (0, 0)
        if rows * columns < 2:
            what = "one weight, which PruneWeights takes" if rows * columns == 1 else shown(self.block)
            raise OptionError(f"block must be outputs x inputs, as in '4x1' or '1x4', got {what}")
        return rows, columns

    def _fitting(self, candidate: Candidate, pattern: NOfM | Blocks) -> tuple[list[Weight], list[str]]:
        """The weights the pattern goes into, and a note on those it does not."""
        from workbench.algorithms.pruning import check_names
        from workbench.layers import weights

        found = list(weights(candidate.model))
        check_names(found, keep=self.keep)
        asked = [each for each in found if not {each.name, each.layer} & set(self.keep)]
        misfits = {each.name: pattern.misfit(each) for each in asked}
        fitting = [each for each in asked if not misfits[each.name]]
        reasons = [f"{each.layer} ({misfits[each.name]})" for each in asked if misfits[each.name]]
        if asked and not fitting:
            raise OptionError(f"no layer takes {pattern}: {listed(reasons)}; PruneWeights needs no pattern")
        return fitting, [f"left dense: {listed(reasons)}"] if reasons else []
