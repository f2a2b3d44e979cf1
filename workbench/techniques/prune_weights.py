"""Zero the weights that matter least, one by one (unstructured pruning)."""

from __future__ import annotations

from collections.abc import Generator, Mapping
from typing import TYPE_CHECKING

from workbench.algorithms.importance import CRITERIA
from workbench.errors import OptionError, listed
from workbench.job import Progress
from workbench.options import option
from workbench.technique import Context, Technique

if TYPE_CHECKING:
    from workbench.algorithms.pruning import Group, Importance
    from workbench.algorithms.pruning_schedule import Curve
    from workbench.candidate import Candidate
    from workbench.layers import Weight

_PREVIEW_SECONDS = 0.4  # for criteria that look at data


class PruneWeights(
    Technique,
    family="pruning",
    flag="--sparsity",
    prepared_by=("criterion", "samples"),
    strengths=(0.5, 0.7, 0.9),
):
    """Set single weights to zero, the least important first.

    The file gets smaller, since zeros are not stored; dense kernels multiply them all the same, so latency
    stays. The zeros stay through training, rounding and sharing. Magnitude pruning after Han et al. 2015,
    "Learning both Weights and Connections for Efficient Neural Networks"; a schedule prunes within the
    training that follows (`PruneWeights(0.9, schedule='cubic') | FineTune(epochs=4)`).
    """

    sparsity: float = option(0.9, "share of the weights set to zero", low=0, high=1, step=0.01)
    scope: str = option(
        "global",
        "compare weights over the whole model, reach the share in every layer, or give each layer a share "
        "by how much a scan shows it to hurt",
        choices=("global", "layer", "sensitivity"),
    )
    criterion: str = option(
        "magnitude",
        "what makes a weight unimportant: a small value (magnitude), little effect on the loss (taylor), "
        "training that moves it to zero (movement), a small value on quiet inputs (wanda); random to compare",
        choices=CRITERIA,
    )
    schedule: str = option(
        "once",
        "at once, or during the training that follows: a little at a time, or in rounds of pruning and "
        "training",
        choices=("once", "linear", "cubic", "iterative"),
    )
    layers: Mapping[str, float] = option(
        {},
        "shares of single layers, by name; the others reach theirs without them",
        low=0,
        high=1,
        advanced=True,
    )
    keep: tuple[str, ...] = option((), "layers to leave alone, by name", advanced=True)
    regrow: bool = option(
        True, "gradual schedules: a weight that has gone may come back until the end", advanced=True
    )
    ends: float = option(
        0.5, "gradual schedules: the share of the training to prune in", above=0, high=1, advanced=True
    )
    prunings: int = option(50, "gradual schedules: prunings on the way", low=1, high=10_000, advanced=True)
    rounds: int = option(
        5,
        "iterative schedule: equal rounds of pruning and training",
        low=1,
        high=1000,
        advanced=True,
    )
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
        if both := set(self.layers) & set(self.keep):
            raise OptionError(f"layers and keep both name {listed(sorted(both))}; take one out")

    def needs_training(self) -> str:
        """A schedule runs inside a training."""
        return "" if self.schedule == "once" else "prunes during the training that follows, and none does"

    def prepare(self, candidate: Candidate, context: Context) -> Importance:
        """How important each weight is."""
        return importance_of(candidate, context, self.criterion, self.samples)

    def apply(
        self, candidate: Candidate, context: Context, prepared: Importance
    ) -> Generator[Progress, None, Candidate]:
        """The candidate under masks, or with a schedule for the training that follows; what was zero before
        stays zero.
        """
        from workbench.algorithms.pruning import groups

        found = self._weights(candidate, context)
        layers, scope, notes = self.layers, self.scope, prepared.known.notes
        if scope == "sensitivity":
            shares, note = yield from self._by_sensitivity(candidate, context, found)
            layers, scope, notes = {**shares, **layers}, "global", (*notes, *note)
        chosen = groups(found, self.sparsity, scope, layers, self.keep)
        yield Progress(1, 1, f"{self.sparsity:.0%} of the weights")
        if not chosen:
            return candidate.noting("nothing was pruned: no weights are left to choose from", *notes)
        if self.schedule == "once" or context.is_preview:
            if self.schedule != "once":
                notes = (*notes, "preview: pruned at once; the run prunes during training")
            return _masked(candidate, prepared, chosen).noting(*notes)
        return self._scheduled(candidate, prepared, chosen).noting(*notes)

    def _weights(self, candidate: Candidate, context: Context) -> list[Weight]:
        """The weights to choose from.

        Raises:
            OptionError: a layer that is not there.
        """
        from workbench.algorithms.pruning import check_names
        from workbench.layers import weights

        found = list(weights(candidate.model))
        check_names(found, layers=self.layers, keep=self.keep)
        return [each for each in found if context.takes(each.layer)]

    def _scheduled(self, candidate: Candidate, prepared: Importance, chosen: list[Group]) -> Candidate:
        from workbench.algorithms.pruning_schedule import PruningSchedule

        names = tuple(name for group in chosen for name in group.names)
        curve = self.curve()
        known = {name: each for name, each in prepared.known.by_name.items() if name in names}
        schedule = PruningSchedule(
            names, curve.ends, tuple(chosen), curve, self.criterion, known, self.regrow and curve.regrows
        )
        return candidate.scheduled(schedule).noting(f"the zeros come during training ({curve})")

    def curve(self) -> Curve:
        """How the share of zeros rises during training."""
        from workbench.algorithms.pruning_schedule import Curve

        if self.schedule == "iterative":
            return Curve.rounds(self.rounds)
        return Curve(self.schedule, self.prunings, self.ends)

    def _by_sensitivity(
        self, candidate: Candidate, context: Context, found: list[Weight]
    ) -> Generator[Progress, None, tuple[dict[str, float], tuple[str, ...]]]:
        """Each layer's share from a scan, and what is to be said about it."""
        from workbench.algorithms.pruning_scan import shares

        named = {*self.keep, *self.layers}
        free = [each for each in found if not {each.name, each.layer} & named]
        alone = PruneWeights(criterion=self.criterion, samples=self.samples)
        return (yield from shares(alone, self.sparsity, candidate, context, free))


def importance_of(candidate: Candidate, context: Context, criterion: str, samples: int) -> Importance:
    """How important each weight of a candidate is; in a preview from as much data as there is time for."""
    from workbench.algorithms.importance.base import Look
    from workbench.algorithms.pruning import scored
    from workbench.layers import weights

    names = tuple(each.name for each in weights(candidate.model))
    seconds = _PREVIEW_SECONDS if context.is_preview else None
    return scored(criterion, Look(candidate, context.work, names, samples, context.seed, seconds))


def _masked(candidate: Candidate, prepared: Importance, chosen: list[Group]) -> Candidate:
    """The candidate with its masks at once, and a note where a layer was left with nothing."""
    from workbench.algorithms.pruning import collapsed
    from workbench.constraints import Mask

    keep = prepared.masks(chosen)
    pruned = candidate.constrained({name: Mask(each) for name, each in keep.items()})
    if empty := collapsed(keep):
        words = f"{listed(empty)}: no weight is left; give the layer a share in layers, or take scope='layer'"
        return pruned.noting(words)
    return pruned
