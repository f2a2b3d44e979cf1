"""Constraints of a model whose channels were cut: carried on by the indices that remain, or ended aloud."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from workbench.algorithms.channels.cutting import Kept
from workbench.candidate import Candidate
from workbench.constraints import Constraint, Constraints, Mask
from workbench.errors import listed
from workbench.layers import weights


@dataclass(frozen=True, eq=False)
class Carried:
    """What is left of a candidate's constraints.

    Attributes:
        constraints, latent: by the names of parameters of the cut model.
        notes: which ended, and which patterns of zeros are broken.
    """

    constraints: Constraints
    latent: Mapping[str, Tensor]
    notes: tuple[str, ...]


def carried(candidate: Candidate, model: nn.Module, tensors: Mapping[str, Kept]) -> Carried:
    """The constraints and free weights of `candidate` for its cut `model`.

    A constraint is cut along with its weight; it is kept if the weights that are left satisfy it exactly as
    they are, which grids of groups of weights across a cut, for one, do not.
    """
    shapes = {name: each.shape for name, each in candidate.model.named_parameters()}
    axes = {each.name: each.channel_axis for each in weights(candidate.model)}
    kept: dict[str, tuple[Constraint, ...]] = {}
    ended: dict[str, list[str]] = {}
    broken: list[str] = []
    for name, chain in candidate.constraints.items():
        cut = tensors.get(name)
        if cut is None:
            kept[name] = chain
            continue
        weight = model.get_parameter(name).detach()
        good = []
        for each in chain:
            small = _cut(each, shapes[name], cut)
            if small is not None and _holds(small, weight):
                good.append(small)
            else:
                ended.setdefault(type(each).__name__, []).append(name)
        if good:
            kept[name] = tuple(good)
        mask = candidate.constraints.of(name, Mask)
        pattern = pattern_of(mask.keep, axis := axes.get(name, 0)) if mask else None
        if pattern and not follows(cut.of(mask.keep), pattern, axis):
            broken.append(f"{name} ({pattern[0]}:{pattern[1]})")
    latent = {
        name: tensors[name].of(each) if name in tensors else each
        for name, each in candidate.latent.items()
        if name in kept
    }
    return Carried(Constraints(kept), latent, _notes(ended, broken))


def pattern_of(keep: Tensor, axis: int = 0) -> tuple[int, int] | None:
    """The N:M pattern of a mask, `(2, 4)`: of every M weights in a row of what one output sums up, N stay."""
    for size in (4, 8, 16, 2):
        for count in range(1, size):
            if follows(keep, (count, size), axis, exactly=True):
                return count, size
    return None


def follows(keep: Tensor, pattern: tuple[int, int], axis: int = 0, exactly: bool = False) -> bool:
    """Whether at most (or exactly) N of every M in a row stay; `axis` is that of the outputs."""
    count, size = pattern
    if keep.ndim < 2:
        return False
    rows = keep.movedim(axis, 0).flatten(1)
    if rows.shape[1] % size:
        return False
    sums = rows.reshape(-1, size).sum(1)
    return bool((sums == count).all() if exactly else (sums <= count).all())


def _cut(constraint: Constraint, shape: torch.Size, kept: Kept) -> Constraint | None:
    """A constraint whose tensors are cut as the weight is; None where one does not fit."""
    changes = {}
    for field in dataclasses.fields(constraint):
        value = getattr(constraint, field.name)
        if not isinstance(value, Tensor) or value.ndim == 0:
            continue
        if getattr(constraint, "group", 0):  # scales of (channels, groups): only whole channels can go
            if set(kept.by_axis) != {constraint.axis}:  # type: ignore[attr-defined]
                return None
            changes[field.name] = value.index_select(0, kept.by_axis[constraint.axis])  # type: ignore[attr-defined]
        elif value.ndim == len(shape):
            if any(value.shape[axis] not in (1, shape[axis]) for axis in kept.by_axis):
                return None
            along = {axis: index for axis, index in kept.by_axis.items() if value.shape[axis] == shape[axis]}
            changes[field.name] = Kept(along).of(value)
        elif field.name != "levels" and field.name not in constraint.learned():  # lists of values stay whole
            return None
    return dataclasses.replace(constraint, **changes) if changes else constraint


def _holds(constraint: Constraint, weight: Tensor) -> bool:
    try:
        with torch.no_grad():
            return torch.equal(constraint(weight), weight)
    except Exception:  # a shape that does not go with it
        return False


def _notes(ended: Mapping[str, list[str]], broken: list[str]) -> tuple[str, ...]:
    notes = [
        f"{kind} of {listed(names, 3)} ended: it does not fit what is left"
        for kind, names in sorted(ended.items())
    ]
    if broken:
        notes.append(
            f"the pattern of zeros of {listed(broken, 3)} is broken by removed channels; "
            "PrunePattern after this step makes it again"
        )
    return tuple(notes)
