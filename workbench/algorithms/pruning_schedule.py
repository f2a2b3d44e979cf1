"""Prune while the model trains: a little at a time (linear, cubic), or in rounds of pruning and training."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import torch
from torch import Tensor

from workbench.algorithms import importance
from workbench.algorithms.pruning import GONE, Group
from workbench.algorithms.ranking import Ranking
from workbench.constraints import Mask
from workbench.errors import RecipeError
from workbench.schedule import Clock, Schedule
from workbench.tensors import nonzeros

if TYPE_CHECKING:
    from workbench.candidate import Candidate


@dataclass(frozen=True)
class Curve:
    """How the share of zeros rises, from what it is to what is asked for.

    Attributes:
        kind: "cubic" falls off toward the end (Zhu & Gupta 2017, equation 1); "linear" rises evenly;
            "iterative" prunes at the start of equal rounds, each time the same part of what is left (Han
            et al. 2015; Frankle & Carbin 2019).
        times: prunings on the way; rounds where the kind is "iterative".
        ends: the share of the training at which the last pruning comes.
    """

    kind: str
    times: int
    ends: float

    @classmethod
    def rounds(cls, count: int) -> Curve:
        """So many equal rounds of pruning and training: the last pruning leaves a round to recover."""
        return cls("iterative", count, max((count - 1) / count, 1e-6))

    @property
    def regrows(self) -> bool:
        """Whether weights may come back on the way: not from one round to the next."""
        return self.kind != "iterative"

    def __str__(self) -> str:
        if self.kind == "iterative":
            return f"{self.times} rounds of pruning and training"
        return f"{self.kind}, {self.times} prunings in the first {self.ends:.0%}"

    def due(self, share: float) -> int:
        """How many prunings are due at a share of the training."""
        if self.kind == "iterative":
            return min(int(share * self.times + 1e-9) + 1, self.times)
        return min(int(share / self.ends * self.times + 1e-9), self.times)

    def sparsity(self, count: int, start: float, final: float) -> float:
        """The share of zeros after so many prunings; never below `start`."""
        final, done = max(start, final), count / self.times
        if done >= 1:
            return final
        if self.kind == "cubic":
            return final + (start - final) * (1 - done) ** 3
        if self.kind == "linear":
            return start + (final - start) * done
        left = 1 - start
        return 1 - left * ((1 - final) / left) ** done if left else final


@dataclass(frozen=True, eq=False)
class PruningSchedule(Schedule):
    """What is left to prune in the next training.

    Attributes:
        groups: what is compared with what, and the share of zeros asked for.
        criterion: the name of one. known: what it found out beforehand.
        regrows: whether a weight that has gone trains on, and may come back, until the masks are final.
    """

    groups: tuple[Group, ...]
    curve: Curve
    criterion: str = "magnitude"
    known: Mapping[str, Tensor] = field(default_factory=dict)
    regrows: bool = False

    def begin(self, candidate: Candidate) -> PruningClock:
        """The clock of one training.

        Raises:
            RecipeError: a step in between has given a weight another shape, which its scores do not fit.
        """
        for name, known in self.known.items():
            if known.shape != candidate.model.get_parameter(name).shape:
                raise RecipeError(
                    f"PruneWeights has scored {name} by {self.criterion}, and a later step reshaped it; "
                    "put that step before PruneWeights"
                )
        return PruningClock(self, candidate)


class PruningClock(Clock):
    """Prunes whenever the curve says so, by scores that follow the training."""

    def __init__(self, schedule: PruningSchedule, candidate: Candidate) -> None:
        self._curve = schedule.curve
        self._regrows = schedule.regrows
        self._gathering = importance.find(schedule.criterion).gathering(schedule.known)
        self._done = 0
        self._allowed = {name: _allowed(candidate, name) for name in schedule.names}
        self._groups = [_Started(each, _zeros(self._allowed, each)) for each in schedule.groups]
        self._reached = self._share()

    def observe(self, weights: Mapping[str, Tensor]) -> None:
        """Let the criterion see a step."""
        self._gathering.observe({name: weights[name] for name in self._allowed})

    def at(self, share: float, weights: Mapping[str, Tensor]) -> Mapping[str, Mask] | None:
        """New masks where a pruning is due."""
        due = self._curve.due(share)
        if due <= self._done:
            return None
        self._done = due
        is_final = due >= self._curve.times
        scores = self._gathering.scores({name: weights[name].detach() for name in self._allowed})
        keep: dict[str, Tensor] = {}
        for each in self._groups:
            names = each.group.names
            ranking = Ranking({n: torch.where(self._allowed[n], scores[n].float(), GONE) for n in names})
            count = round(self._curve.sparsity(due, each.start, each.group.sparsity) * ranking.size)
            keep |= ranking.all_but_lowest(count)
        keep = {name: each & self._allowed[name] for name, each in keep.items()}
        self._reached = _share_of_zeros(keep)
        if not self._regrows:
            self._allowed = keep
        return {name: Mask(each, is_open=self._regrows and not is_final) for name, each in keep.items()}

    def summary(self) -> str:
        """How far it came, in words."""
        asked = sum(max(each.start, each.group.sparsity) * each.size(self._allowed) for each in self._groups)
        total = sum(each.size(self._allowed) for each in self._groups)
        return (
            f"stopped early: {self._reached:.1%} of the weights are zero instead of {asked / total:.1%}; "
            f"{self._done} of {self._curve.times} prunings were done"
        )

    def _share(self) -> float:
        return _share_of_zeros(self._allowed)


@dataclass(frozen=True)
class _Started:
    """A group and the share of zeros it had at the start."""

    group: Group
    start: float

    def size(self, tensors: Mapping[str, Tensor]) -> int:
        return sum(tensors[name].numel() for name in self.group.names)


def _allowed(candidate: Candidate, name: str) -> Tensor:
    """What an earlier mask lets differ from zero: everything where there is none."""
    mask = candidate.constraints.of(name, Mask)
    weight = candidate.model.get_parameter(name)
    return mask.keep if mask is not None else torch.ones_like(weight, dtype=torch.bool)


def _zeros(keep: Mapping[str, Tensor], group: Group) -> float:
    return _share_of_zeros({name: keep[name] for name in group.names})


def _share_of_zeros(keep: Mapping[str, Tensor]) -> float:
    total = sum(each.numel() for each in keep.values())
    return 1 - sum(map(nonzeros, keep.values())) / total if total else 0.0
