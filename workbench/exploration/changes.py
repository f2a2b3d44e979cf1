"""Which layers differ between two candidates."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import torch

from workbench.layers import weights

if TYPE_CHECKING:
    from torch import Tensor

    from workbench.candidate import Candidate


def changed_layers(before: Candidate, after: Candidate) -> frozenset[str]:
    """The layers of `before` whose parameters, constraints or roundings are others in `after`.

    A layer is the path of the module that owns a parameter; what stands in the place of a layer counts as it.
    """
    old, new = _parameters(before), _parameters(after)
    names = {name for name in {*old, *new} if not _same(old.get(name), new.get(name))}
    names |= {
        name
        for name in {*before.constraints, *after.constraints}
        if _ids(before.constraints.get(name, ())) != _ids(after.constraints.get(name, ()))
    }
    paths = {path for path, _ in before.model.named_modules()}
    rounded = {place.rpartition("/")[0] for place in _changed_places(before, after)}
    # what a layer gives may be rounded behind the normalization and the activation that follow it
    own = {each.layer for each in weights(before.model)}
    return frozenset(_layer(name, paths) for name in names) | frozenset(rounded & own)


def is_unchanged(before: Candidate, after: Candidate) -> bool:
    """Whether two candidates compute the same by the same weights under the same constraints."""
    return not changed_layers(before, after) and not _changed_places(before, after)


def _changed_places(before: Candidate, after: Candidate) -> set[str]:
    places = {*before.activations, *after.activations}
    return {each for each in places if before.activations.get(each) is not after.activations.get(each)}


def _parameters(candidate: Candidate) -> dict[str, Tensor]:
    # tied ones under each of their names: a layer whose weights become another's has changed
    return dict(candidate.model.named_parameters(remove_duplicate=False))


def _same(a: Tensor | None, b: Tensor | None) -> bool:
    if a is None or b is None:
        return False
    return a is b or (a.shape == b.shape and torch.equal(a, b))


def _ids(chain: Any) -> tuple[int, ...]:
    return tuple(map(id, chain))


def _layer(name: str, paths: set[str]) -> str:
    """The nearest module of the first model around a parameter; a free-standing one is its own layer."""
    owner = name.rpartition(".")[0]
    while owner and owner not in paths:
        owner = owner.rpartition(".")[0]
    return owner or name
