"""Which units go: a share of each group's or of the whole model's, or what reaches a share of the MACs."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from workbench.algorithms.channels.criteria import Scores
from workbench.algorithms.channels.records import Group

_STEPS = 24  # halvings of the share that reaches a target: finer than one channel of a million


@dataclass(frozen=True)
class Rule:
    """How units are chosen.

    Attributes:
        ratio: the share that goes, of units or (`by="macs"`) of multiplications.
        scope: `layer` takes the share from every group, `global` the least important of all.
        multiple: channels that remain are a multiple of this where a group has that many.
        least: the share of its units that every group keeps.
    """

    ratio: float
    scope: str = "layer"
    multiple: int = 1
    least: float = 0.1

    def most(self, group: Group) -> int:
        """How many units of a group may go."""
        return self.allowed(group, group.units - max(1, round(self.least * group.units)))

    def allowed(self, group: Group, gone: int) -> int:
        """The number nearest to `gone` that leaves a multiple of channels; at least one unit stays."""
        if gone <= 0 or self.multiple == 1:
            return max(0, min(gone, group.units - 1))
        per_unit = group.channels // group.units
        fitting = [units for units in range(1, group.units + 1) if units * per_unit % self.multiple == 0]
        fitting = [*fitting, group.units]  # as it is
        return group.units - min(fitting, key=lambda units: (abs(units - (group.units - gone)), units))


def choose(groups: Sequence[Group], scores: Scores, rule: Rule) -> dict[str, Tensor]:
    """The units that go, by group; the least important first, of equal ones those that come first."""
    order = {each.name: torch.argsort(scores[each.name], stable=True) for each in groups}
    counts = _global(groups, scores, rule) if rule.scope == "global" else _each(groups, rule)
    return {name: order[name][:count].sort().values for name, count in counts.items()}


def reach(
    groups: Sequence[Group],
    scores: Scores,
    rule: Rule,
    cost: Callable[[Mapping[str, Tensor]], float],
) -> dict[str, Tensor]:
    """The fewest units whose going leaves a cost of at most `1 - rule.ratio`; as many as may go where even
    they do not.

    Args:
        cost: the share of the multiplications that is left without some units.
    """
    low, high = 0.0, 1.0
    best = choose(groups, scores, _with(rule, 1.0))
    for _ in range(_STEPS):
        middle = (low + high) / 2
        tried = choose(groups, scores, _with(rule, middle))
        if cost(tried) <= 1 - rule.ratio:
            high, best = middle, tried
        else:
            low = middle
    return best


def _with(rule: Rule, ratio: float) -> Rule:
    return Rule(ratio, rule.scope, rule.multiple, rule.least)


def _each(groups: Sequence[Group], rule: Rule) -> dict[str, int]:
    counts = {}
    for each in groups:
        gone = rule.allowed(each, round(rule.ratio * each.units))
        counts[each.name] = min(gone, rule.most(each))
    return counts


def _global(groups: Sequence[Group], scores: Scores, rule: Rule) -> dict[str, int]:
    """The least important units of all groups together, each group's scores divided by their mean so that
    layers of different size and place compare.
    """
    if not groups:
        return {}
    relative = [scores[each.name] / scores[each.name].mean().clamp_min(1e-30) for each in groups]
    most = [rule.most(each) for each in groups]
    # what a group must keep is out of the question, so others go in its place
    takable = [values.sort(stable=True).values[:count] for values, count in zip(relative, most, strict=True)]
    owner = torch.cat([torch.full((len(v),), place) for place, v in enumerate(takable)])
    wanted = round(rule.ratio * sum(each.units for each in groups))
    chosen = owner[torch.argsort(torch.cat(takable), stable=True)[:wanted]]
    taken = torch.bincount(chosen, minlength=len(groups)).tolist()
    return {
        each.name: min(rule.allowed(each, count), top)
        for each, count, top in zip(groups, taken, most, strict=True)
    }
