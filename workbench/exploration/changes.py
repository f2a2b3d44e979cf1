"""Which layers differ between two candidates."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import torch

if TYPE_CHECKING:
    from torch import Tensor

    from workbench.candidate import Candidate


def changed_layers(before: Candidate, after: Candidate) -> frozenset[str]:
    """The layers of `before` whose parameters, constraints or activations are others in `after`.

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
    places = {
        place.rpartition("/")[0]
        for place in {*before.activations, *after.activations}
        if before.activations.get(place) is not after.activations.get(place)
    }
    return frozenset(_layer(name, paths) for name in names) | frozenset(
        _there(path, paths) for path in places
    )


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
    """The layer that owns a parameter; a free-standing one is its own, as `layers.weights` names it."""
    owner = name.rpartition(".")[0]
    return _there(owner, paths) or name


def _there(path: str, paths: set[str]) -> str:
    """The nearest module around a path that the first model has."""
    while path and path not in paths:
        path = path.rpartition(".")[0]
    return path
