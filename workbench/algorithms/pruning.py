"""Which single weights go: what they are compared with, how important each is, and the masks that follow."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

import torch
from torch import Tensor

from workbench.algorithms import importance
from workbench.algorithms.importance.base import Known, Look
from workbench.algorithms.ranking import Ranking
from workbench.errors import OptionError, WorkbenchError, WorkloadError, listed, nearest
from workbench.layers import Weight

GONE = -torch.inf  # the score of what is zero already: it goes before everything else


@dataclass(frozen=True)
class Group:
    """Weights that are compared with each other, by parameter name, and the share of them that goes."""

    names: tuple[str, ...]
    sparsity: float


def groups(
    found: Iterable[Weight],
    sparsity: float,
    scope: str,
    layers: Mapping[str, float] | None = None,
    keep: Iterable[str] = (),
) -> list[Group]:
    """What is compared with what: the whole model or each layer, less layers with a share of their own.

    Args:
        scope: "global" or "layer".
        layers: shares of single layers (or parameters), by name.
        keep: layers (or parameters) left alone.
    """
    own, kept = dict(layers or {}), set(keep)
    free: list[str] = []
    single: list[Group] = []
    for each in found:
        if {each.name, each.layer} & kept:
            continue
        share = own.get(each.name, own.get(each.layer))
        if share is not None:
            single.append(Group((each.name,), share))
        elif scope == "layer":
            single.append(Group((each.name,), sparsity))
        else:
            free.append(each.name)
    return [Group(tuple(free), sparsity), *single] if free else single


def check_names(found: Iterable[Weight], **given: Iterable[str]) -> None:
    """Refuse layers that are not there; `given` are the names by the option they were given in.

    Raises:
        OptionError: the line shows the nearest.
    """
    found = list(found)
    layers = list(dict.fromkeys(each.layer for each in found))
    known = {*layers, *(each.name for each in found)}
    for option, names in given.items():
        for name in names:
            if name not in known:
                raise OptionError(
                    f"{option} names {name!r}, which is no layer with weights{nearest(name, layers)} "
                    f"(there are: {listed(layers)})"
                )


@dataclass(eq=False)
class Importance:
    """How important each weight is, and what its criterion knew; rankings are made once per group.

    Attributes:
        scores: by parameter name; `GONE` where the weight is zero already.
    """

    scores: Mapping[str, Tensor]
    known: Known
    _rankings: dict[tuple[str, ...], Ranking] = field(default_factory=dict)

    def masks(self, chosen: Iterable[Group]) -> dict[str, Tensor]:
        """Which weights stay, bool by parameter name; in each group exactly its share goes."""
        keep: dict[str, Tensor] = {}
        for group in chosen:
            if group.names not in self._rankings:
                self._rankings[group.names] = Ranking({name: self.scores[name] for name in group.names})
            ranking = self._rankings[group.names]
            keep |= ranking.all_but_lowest(round(group.sparsity * ranking.size))
        return keep


def scored(criterion: str, look: Look) -> Importance:
    """The importance of the weights named in `look`.

    Raises:
        WorkloadError: the criterion needs training data, and there are none. WorkbenchError: a weight that is
            not finite.
    """
    candidate, rule = look.candidate, importance.find(criterion)
    for name in look.names:
        if not bool(torch.isfinite(candidate.free(name)).all()):
            raise WorkbenchError(f"{name} holds values that are not finite; nothing can be said about it")
    if rule.needs_data and getattr(look.work, "train", None) is None:
        raise WorkloadError(
            f"criterion={criterion!r} looks at training data, and there are none; give them: "
            "Workload(net, train=loader), or take criterion='magnitude'"
        )
    known = rule.known(look)
    scores = {}
    for name in look.names:
        weight = candidate.model.get_parameter(name).detach()
        # of the free weights: rounded ones are equal by the thousand and would go in the order they stand in
        score = rule.score(candidate.free(name), known.by_name.get(name)).to(torch.float32)
        scores[name] = torch.where(weight != 0, score, GONE)
    return Importance(scores, known)


def collapsed(keep: Mapping[str, Tensor]) -> list[str]:
    """The parameters that lose every weight, while others keep some."""
    empty = [name for name, each in keep.items() if each.numel() and not bool(each.any())]
    return empty if len(empty) < len(keep) else []
