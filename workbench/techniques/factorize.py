"""Split layers into thin ones (low-rank factorization)."""

from __future__ import annotations

import math
from collections.abc import Generator, Mapping
from typing import TYPE_CHECKING

from workbench.job import Progress
from workbench.options import option
from workbench.technique import Context, Technique

if TYPE_CHECKING:
    from workbench.algorithms.lowrank.prepared import Prepared
    from workbench.algorithms.lowrank.rule import Rule
    from workbench.candidate import Candidate

_PREPARED_BY = ("method", "error", "samples", "refine")


class Factorize(
    Technique,
    family="factorization",
    flag="--rank",
    prepared_by=_PREPARED_BY,
    strengths=(0.75, 0.5, 0.25, 0.1),
):
    """Split layers into thin ones of lower rank.

    Linear layers, embeddings and 1×1 convolutions become two by SVD; wider convolutions become a thin one and
    a 1×1 (channel), a k×1 and a 1×k (spatial), a small core between two 1×1 (tucker), or a depthwise one
    between two 1×1 (cp). The model is really smaller, and mostly faster; what is lost is won back by
    `FineTune`. With training data the error that is minimized is that of the outputs.
    """

    ratio: float = option(
        0.25,
        "share of the full rank to keep, or of what `by` names",
        above=0,
        high=1,
        step=0.01,
    )
    method: str = option(
        "auto",
        "how convolutions are split; auto takes what is smallest at the same error",
        choices=("auto", "svd", "channel", "spatial", "tucker", "cp"),
    )
    by: str = option(
        "rank",
        "what the ratio is a share of: each layer's rank or energy, or the whole model's parameters, "
        "multiplications or bytes; vbmf judges by noise instead",
        choices=("rank", "energy", "vbmf", "parameters", "macs", "bytes"),
    )
    error: str = option(
        "outputs",
        "which error is kept small: of outputs on training data (where there are any), or of weights",
        choices=("outputs", "weights"),
        advanced=True,
    )
    where: str = option(
        "smaller",
        "which layers are split: those that get smaller, those that are measured to get faster too, or any",
        choices=("smaller", "faster", "any"),
        advanced=True,
    )
    ranks: Mapping[str, int] = option({}, "ranks of single layers by name", low=1, advanced=True)
    keep: tuple[str, ...] = option((), "layers to leave whole, by name", advanced=True)
    worth: float = option(
        0.02,
        "layers below this share of the model's parameters and multiplications stay whole",
        low=0,
        high=1,
        advanced=True,
    )
    samples: int = option(
        512, "training samples to learn what layers see, at most", low=8, high=65536, log=True, advanced=True
    )
    refine: int = option(0, "sweeps that improve Tucker and CP factors", low=0, high=100, advanced=True)

    def prepare(self, candidate: Candidate, context: Context) -> Prepared:
        """Every layer split, all ranks at once."""
        from workbench.algorithms.lowrank.prepared import prepare

        return prepare(
            candidate.model,
            context.work,
            method=self.method,
            error=self.error,
            samples=self.samples,
            sweeps=self.refine,
            seed=context.seed,
        )

    def apply(
        self, candidate: Candidate, context: Context, prepared: Prepared
    ) -> Generator[Progress, None, Candidate]:
        """The candidate with thin layers in place; its notes list what was split and what was not."""
        from dataclasses import replace

        from workbench.algorithms.lowrank.notes import notes
        from workbench.algorithms.lowrank.ranks import choose
        from workbench.algorithms.lowrank.thin import replaced, thin

        if self.where == "faster":
            yield Progress(0, 1, "timing layers")
        chosen, whole = choose(prepared, replace(self.rule(), only=context.only))
        layers = {each.name: each.layer for each in prepared.layers}
        new = {}
        for done, each in enumerate(chosen):
            yield Progress(done, len(chosen), f"splitting {each.name}")
            new[each.name] = thin(layers[each.name], each.split.factors(each.ranks))
        split = candidate.restructured(replaced(candidate.model, new)) if new else candidate
        return split.noting(*notes(prepared, chosen, whole, self.error))

    def own_range(self, option: str, shape: tuple[int, ...]) -> tuple[float, float, float]:
        """Ranks at which a weight, as outputs by inputs, gets smaller (all with `where='any'`), and the share
        of its full rank that `ratio` names.
        """
        outputs, inputs = shape[0], math.prod(shape[1:])
        full = min(outputs, inputs)
        pays = max(1, math.ceil(outputs * inputs / (outputs + inputs)) - 1)
        high = full if self.where == "any" else min(full, pays)
        return 1, high, min(high, max(1, round(self.ratio * full)))

    def rule(self) -> Rule:
        """How ranks are chosen, as `lowrank.ranks.choose` takes it."""
        from workbench.algorithms.lowrank.rule import Rule
        from workbench.algorithms.lowrank.timing import is_slower

        timed = is_slower if self.where == "faster" else None
        return Rule(self.ratio, self.by, self.where, self.ranks, self.keep, self.worth, timed)
