"""Remove whole channels, neurons and attention heads: the layers shrink (structured pruning)."""

from __future__ import annotations

from collections.abc import Generator
from typing import TYPE_CHECKING

from workbench.job import Progress
from workbench.options import option
from workbench.technique import Context, Technique, prepared

if TYPE_CHECKING:
    from torch import Tensor

    from workbench.algorithms.channels.choosing import Rule
    from workbench.algorithms.channels.picture import Remains
    from workbench.algorithms.channels.records import Group
    from workbench.candidate import Candidate
    from workbench.workload import Workload

Prepared = tuple["tuple[Group, ...]", "dict[str, Tensor]"]
_STRENGTHS = (0.25, 0.5, 0.75)


class PruneChannels(
    Technique,
    family="pruning",
    flag="--channels",
    prepared_by=("criterion", "samples"),
    strengths=_STRENGTHS,
    couples=True,
):
    """Remove whole channels, neurons and attention heads, the least important first.

    The layers really shrink, with every layer that is coupled to them, so the file, the multiplications and
    the time fall on any runtime. What makes the outputs stays. What is lost is won back by `FineTune`. Layers
    are coupled as in Fang et al. 2023, "DepGraph: Towards Any Structural Pruning".
    """

    ratio: float = option(0.5, "share to remove, of what `by` names", low=0, high=1, step=0.01)
    criterion: str = option(
        "l1",
        "what makes a channel unimportant: small weights (l1, l2), a small batch-norm scale, little change "
        "of the loss (taylor, needs training data); random to compare with",
        choices=("l1", "l2", "batch_norm", "taylor", "random"),
    )
    scope: str = option(
        "layer",
        "remove the share in every group of coupled layers, or the least important of the whole model",
        choices=("layer", "global"),
    )
    by: str = option(
        "channels",
        "what the ratio is a share of: channels, or the whole model's multiplications",
        choices=("channels", "macs"),
    )
    multiple: int = option(
        1, "channels that remain are a multiple of this; kernels like 8", low=1, high=256, step=1
    )
    heads: bool = option(True, "remove attention heads, too", advanced=True)
    keep: tuple[str, ...] = option((), "layers whose channels stay, by name", advanced=True)
    least: float = option(
        0.1, "share of its channels that every layer keeps", low=0, high=1, step=0.01, advanced=True
    )
    re_estimate: bool = option(
        True, "measure batch-norm statistics anew on training data afterwards", advanced=True
    )
    samples: int = option(
        512,
        "training samples for taylor and for batch-norm statistics, at most",
        low=1,
        high=1_000_000,
        log=True,
        advanced=True,
    )

    def prepare(self, candidate: Candidate, context: Context) -> Prepared:
        """Which layers are coupled, and what each channel is worth.

        Raises:
            RecipeError: the model cannot be traced, or `taylor` has no training data.
        """
        from workbench.algorithms.channels.criteria import scores
        from workbench.algorithms.channels.prepared import groups

        found = groups(candidate.model, context.work)
        if self.criterion == "random":  # drawn in `apply`, by the seed of the step
            return found, {}
        return found, scores(found, candidate.model, self.criterion, context.work, self.samples, context.seed)

    def apply(
        self, candidate: Candidate, context: Context, prepared: Prepared
    ) -> Generator[Progress, None, Candidate]:
        """The candidate without the channels; its notes say how many went, and what could not."""
        from workbench.algorithms.batch_norm import re_estimating
        from workbench.algorithms.channels import notes
        from workbench.algorithms.channels.removing import without

        groups, worth, units = self._chosen(candidate, context, prepared)
        yield Progress(0, 1, "removing channels")
        if not units:
            return candidate.noting(notes.why_nothing(groups, context.only))
        if not any(map(len, units.values())):
            return candidate.noting(
                f"nothing was removed: {self.ratio:.0%} is less than one of the channels of any layer"
            )
        free = [each for each in groups if each.name in units]
        smaller = without(candidate, context.work, free, units).noting(notes.removed(free, units))
        if beside := notes.with_them(free, units, context.only):
            smaller = smaller.noting(beside)
        if unknown := [each.name for each in groups if not each.locked and each.name not in worth]:
            smaller = smaller.noting(notes.without_worth(unknown))
        if self.re_estimate:
            samples = min(self.samples, _PREVIEWED) if context.is_preview else self.samples
            smaller = yield from re_estimating(smaller, context.work, samples)
        return smaller

    def remains(self, work: Workload, candidate: Candidate | None = None, seed: int = 0) -> list[Remains]:
        """What this step would leave of each layer, as records, without making the model.

        Raises:
            RecipeError: the model cannot be traced.
        """
        from workbench.algorithms.channels.picture import remains

        candidate, context = candidate or work.candidate(), Context(work, seed=seed)
        return remains(*self._chosen(candidate, context, prepared(self, candidate, context)))

    def rule(self) -> Rule:
        """How channels are chosen, as `algorithms.channels.choosing` takes it."""
        from workbench.algorithms.channels.choosing import Rule

        return Rule(self.ratio, self.scope, self.multiple, self.least)

    def _chosen(
        self, candidate: Candidate, context: Context, prepared: Prepared
    ) -> tuple[list[Group], dict[str, Tensor], dict[str, Tensor]]:
        """The groups this step may touch, what their channels are worth, and those that go, by group."""
        from workbench.algorithms.channels.criteria import scores
        from workbench.algorithms.channels.removing import chosen

        found, worth = prepared
        if self.criterion == "random":
            worth = scores(found, candidate.model, "random", context.work, self.samples, context.seed)
        groups = self._allowed(found, candidate, context)
        free = [each for each in groups if not each.locked and each.units > 1 and each.name in worth]
        units = chosen(candidate, context.work, free, worth, self.rule(), self.by) if free else {}
        return groups, worth, units

    def _allowed(self, found: tuple[Group, ...], candidate: Candidate, context: Context) -> list[Group]:
        """The groups that this step may touch; those that are locked stay in the list, for their reasons."""
        from workbench.algorithms.channels.locks import keeping

        groups = keeping(found, candidate.model, self.keep)
        if not self.heads:
            groups = [each for each in groups if each.word != "heads"]
        return [each for each in groups if any(map(context.takes, each.makers))]


_PREVIEWED = 64  # samples for batch-norm statistics where the answer is wanted at once
