"""A candidate with fewer channels: chosen, cut, checked, its constraints carried on."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

from torch import Tensor

from workbench.algorithms.channels.carrying import carried
from workbench.algorithms.channels.checking import forward_trouble
from workbench.algorithms.channels.choosing import Rule, choose, reach
from workbench.algorithms.channels.cost import share_left
from workbench.algorithms.channels.criteria import Scores
from workbench.algorithms.channels.cutting import cut, plan
from workbench.algorithms.channels.records import Group
from workbench.candidate import Candidate
from workbench.errors import RecipeError
from workbench.workload import Workload


def chosen(
    candidate: Candidate, work: Workload, groups: Sequence[Group], scores: Scores, rule: Rule, by: str
) -> dict[str, Tensor]:
    """The units that go, by group: a share of them, or as many as reach a share of the MACs (`by="macs"`)."""
    if by == "channels":
        return choose(groups, scores, rule)
    return reach(groups, scores, rule, share_left(candidate.model, work, groups))


def without(
    candidate: Candidate, work: Workload, groups: Sequence[Group], units: Mapping[str, Tensor]
) -> Candidate:
    """The candidate without some units. It shares the tensors that were not cut.

    Raises:
        RecipeError: what is left does not run as before; the line says how.
    """
    plans = plan(candidate.model, groups, units)
    model = cut(candidate.model, plans)
    kept = carried(candidate, model, plans.tensors)
    smaller = replace(
        candidate,
        model=model,
        constraints=kept.constraints,
        latent=kept.latent,
        notes=candidate.notes + kept.notes,
    )
    if why := forward_trouble(work, smaller.simulated, work.outputs):
        raise RecipeError(
            f"what is left without those channels is not accepted: {why}; name layers to keep=(...), "
            "or zero single weights: PruneWeights(sparsity=0.9)"
        )
    return smaller
