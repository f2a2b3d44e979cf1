"""Several layers on one weight tensor: which ones are alike, and the model in which they are one."""

from __future__ import annotations

import copy
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn

from workbench.candidate import Candidate
from workbench.constraints import Constraint, Constraints, Mask
from workbench.errors import RecipeError, listed, nearest
from workbench.layers import Weight, weights


@dataclass(frozen=True, eq=False)
class Likeness:
    """How alike the weights of one shape are.

    Attributes:
        weights: those worth compressing, in the model's order.
        cosines: by names of two weights of one shape and kind of layer, the first one first.
    """

    weights: tuple[Weight, ...]
    cosines: Mapping[tuple[str, str], float]

    @classmethod
    def of(cls, candidate: Candidate) -> Likeness:
        """The likeness of a candidate's weights."""
        found = tuple(weights(candidate.model))
        cosines: dict[tuple[str, str], float] = {}
        for index, later in enumerate(found):
            for earlier in found[:index]:
                if _fit(earlier, later):
                    pair = (each.parameter.detach().flatten().float() for each in (earlier, later))
                    cosines[earlier.name, later.name] = float(torch.cosine_similarity(*pair, dim=0))
        return cls(found, cosines)

    def groups(self, similarity: float) -> list[list[str]]:
        """Names of the weights to tie: in a group every two are at least that alike."""
        groups: list[list[str]] = []
        for each in self.weights:
            for group in groups:
                if all(self.cosines.get((other, each.name), -2.0) >= similarity for other in group):
                    group.append(each.name)
                    break
            else:
                groups.append([each.name])
        return [group for group in groups if len(group) > 1]

    def named(self, layers: Sequence[str]) -> list[list[str]]:
        """Names of the weights of these layers, to be tied.

        Raises:
            RecipeError: no such layer, only one, or weights of different shapes.
        """
        known = list(dict.fromkeys(each.layer for each in self.weights))
        for name in layers:
            if name not in known:
                near = nearest(name, known)
                raise RecipeError(f"no layer named {name!r} with weights{near} (there are: {listed(known)})")
        if len(set(layers)) < 2:
            raise RecipeError(f"tying takes at least two layers, got {listed(layers)}")
        by_key: dict[str, list[Weight]] = {}
        for each in self.weights:
            if each.layer in layers:
                by_key.setdefault(each.name.rpartition(".")[2], []).append(each)
        for group in by_key.values():
            if other := next((each for each in group if not _fit(group[0], each)), None):
                raise RecipeError(f"{_told(group[0])} and {_told(other)} cannot be one tensor")
        return [[each.name for each in group] for group in by_key.values() if len(group) > 1]

    def within(self, groups: Sequence[Sequence[str]], layers: frozenset[str]) -> list[list[str]]:
        """What is left of groups when only some layers may be touched: those with two of them or more."""
        allowed = {each.name for each in self.weights if each.layer in layers}
        left = ([name for name in group if name in allowed] for group in groups)
        return [group for group in left if len(group) > 1]

    def why_none(self, similarity: float) -> str:
        """Why no two layers are tied, with those that come closest."""
        if not self.cosines:
            return "nothing was tied: no two layers have weights of one shape"
        (one, other), most = max(self.cosines.items(), key=lambda item: item[1])
        return (
            f"nothing was tied: the two most alike are {one} and {other}, {most:.2f} and not {similarity:g}"
        )


def tied(candidate: Candidate, groups: Sequence[Sequence[str]], is_mean: bool) -> Candidate:
    """The candidate with each group's weights as one tensor, under the first one's name.

    The first one's weights keep its constraints. On a mean, masks are fitted again (as many weights stay as
    in the one that kept most), and grids and codebooks end.
    """
    memo: dict[int, Any] = {
        id(each): each for each in [*candidate.model.parameters(), *candidate.model.buffers()]
    }
    constraints = {n: c for n, c in candidate.constraints.items() if not any(n in names for names in groups)}
    latent = {name: tensor for name, tensor in candidate.latent.items() if name in constraints}
    notes = [f"tied: {listed(names)}" for names in groups]
    for names in groups:
        chains = [candidate.constraints.get(name, ()) for name in names]
        if is_mean:
            value = torch.stack([candidate.free(name) for name in names]).mean(dim=0)
            chain = _masks(value, chains)
        else:
            value, chain = candidate.free(names[0]), chains[0]
        if chain:
            constraints[names[0]], latent[names[0]] = chain, value
        kept = {type(each) for each in chain}
        ended = {type(each).__name__ for own in chains for each in own if type(each) not in kept}
        notes += [f"{listed(sorted(ended))} of {listed(names)} ended"] if ended else []
        trains = any(candidate.model.get_parameter(name).requires_grad for name in names)
        weight = Constraints(constraints).constrain(names[0], value).detach()
        memo |= dict.fromkeys(
            (id(candidate.model.get_parameter(name)) for name in names), nn.Parameter(weight, trains)
        )
    model = copy.deepcopy(candidate.model, memo=memo)
    return Candidate(model, Constraints(constraints), latent, (*candidate.notes, *notes))


def _masks(value: Tensor, chains: Sequence[Sequence[Constraint]]) -> tuple[Mask, ...]:
    """A mask that keeps the largest weights, as many as the mask that kept most; none where one had none."""
    masks = [next((each for each in chain if isinstance(each, Mask)), None) for chain in chains]
    counts = [int(mask.keep.sum()) for mask in masks if mask is not None]
    if len(counts) < len(masks):
        return ()
    keep = torch.zeros(value.numel(), dtype=torch.bool)
    keep[value.abs().flatten().topk(max(counts)).indices] = True
    return (Mask(keep.reshape(value.shape)),)


def _fit(one: Weight, other: Weight) -> bool:
    same_key = one.name.rpartition(".")[2] == other.name.rpartition(".")[2]
    same_shape = one.parameter.shape == other.parameter.shape
    same_kind = type(one.module) is type(other.module) and one.parameter.dtype == other.parameter.dtype
    return same_key and same_shape and same_kind


def _told(weight: Weight) -> str:
    return f"{weight.name} ({'×'.join(map(str, weight.parameter.shape))})"
