"""Choose each layer's method and ranks: by a share of the full rank, by energy, by noise, or for a target."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import torch

from workbench.algorithms.lowrank import vbmf
from workbench.algorithms.lowrank.layers import Whole
from workbench.algorithms.lowrank.prepared import Prepared, PreparedLayer
from workbench.algorithms.lowrank.rule import TARGETS, Chosen, Picked, Rule
from workbench.algorithms.lowrank.split import Ranks, Split
from workbench.algorithms.lowrank.target import to_target
from workbench.errors import OptionError, listed, nearest

_SAME = 1 + 1e-9  # the same error, but for rounding


def choose(prepared: Prepared, rule: Rule) -> tuple[list[Chosen], list[Whole]]:
    """What each layer becomes, and the layers that stay whole with the reason.

    Raises:
        OptionError: ranks for a layer that is not there, out of range, or that would make it grow; a target
            that no ranks reach.
    """
    asked = dict(rule.ranks or {})
    _check_names(prepared, asked, rule.keep)
    whole: list[Whole] = []
    free: list[PreparedLayer] = []
    chosen = {}
    for each in prepared.layers:
        if rule.only is not None and each.name not in rule.only:
            continue
        if each.name in asked:
            chosen[each.name] = _asked(each, asked[each.name], rule)
        elif each.name in rule.keep:
            whole.append(Whole(each.name, "kept as asked"))
        elif _is_small(each, prepared, rule.worth):
            whole.append(Whole(each.name, f"under {rule.worth:.0%} of the model, too small to be worth it"))
        else:
            free.append(each)
    if rule.is_slower is not None and any(not each.layer.input_shape for each in free):
        raise OptionError(
            "where='faster' needs an example input; give example= or input_shape= to the workload"
        )
    picked = to_target(prepared, free, chosen, rule) if rule.by in TARGETS else _one_by_one(free, rule)
    for each in free:
        choice, reason = picked[each.name]
        if choice is not None and rule.is_slower and rule.is_slower(each, choice.split, choice.ranks):
            choice, reason = None, f"slower as measured here at rank {shown(choice.ranks)}"
        if choice is None:
            whole.append(Whole(each.name, reason))
        else:
            chosen[each.name] = choice
    return [chosen[each.name] for each in prepared.layers if each.name in chosen], whole


def shown(ranks: Ranks) -> str:
    """`16`, or `16×8` for the output and input rank of Tucker."""
    return "×".join(map(str, ranks))


def _check_names(prepared: Prepared, asked: Mapping[str, int], keep: tuple[str, ...]) -> None:
    known = [each.name for each in prepared.layers]
    reasons = {each.name: each.reason for each in prepared.whole}
    for name in [*asked, *keep]:
        if name in reasons and name in asked:
            raise OptionError(f"ranks names {name!r}, which cannot be split: {reasons[name]}")
        if name not in known and name not in reasons:
            near = nearest(name, known)
            raise OptionError(f"no layer {name!r} to split{near} (there are: {listed(known)})")


def _asked(each: PreparedLayer, rank: float, rule: Rule) -> Chosen:
    """The rank a person gave for one layer, of the method that a ratio refers to."""
    split = next(iter(each.splits.values()))
    full = split.full[0]
    if rank != int(rank) or not 1 <= rank <= full:
        raise OptionError(
            f"{each.name} cannot have rank {rank:g}: give a whole number from 1 to {full}, its full rank"
        )
    ranks = split.scaled(int(rank))
    parameters, _ = split.cost(ranks)
    if parameters >= split.shape.parameters and rule.where != "any":
        raise OptionError(
            f"rank {rank:g} would make {each.name} grow from {split.shape.parameters:,} to {parameters:,} "
            f"parameters; it shrinks up to rank {split.break_even} (where='any' splits it all the same)"
        )
    return Chosen(each.name, split, ranks)


def _is_small(each: PreparedLayer, prepared: Prepared, worth: float) -> bool:
    shape = each.layer.shape
    of_parameters = shape.parameters / max(prepared.parameters, 1)
    of_macs = shape.macs / prepared.macs if prepared.macs else 0.0
    return max(of_parameters, of_macs) < worth


def _one_by_one(free: list[PreparedLayer], rule: Rule) -> Picked:
    return {each.name: _picked(each, rule) for each in free}


def _picked(each: PreparedLayer, rule: Rule) -> tuple[Chosen | None, str]:
    """One layer's cheapest choice that loses no more than the rule allows, or why it stays whole."""
    first = next(iter(each.splits.values()))
    if rule.by == "energy":
        lost = 1 - rule.ratio
    else:
        ranks = _by_noise(first) if rule.by == "vbmf" else first.at(rule.ratio)
        if ranks is None:
            return None, "all noise to VBMF, or nothing but signal"
        if len(each.splits) == 1:
            return _unless_larger(Chosen(each.name, first, ranks), rule)
        lost = float(first.lost(np.array([ranks]))[0]) * _SAME
    choices = [
        Chosen(each.name, split, menu.at(row))
        for method, split in each.splits.items()
        for menu in [each.menus[method]]
        if (row := menu.cheapest(lost)) is not None
    ]
    if not choices:
        return None, "no rank below the full one keeps this much"
    return _unless_larger(min(choices, key=lambda choice: choice.split.cost(choice.ranks)[0]), rule)


def _unless_larger(choice: Chosen, rule: Rule) -> tuple[Chosen | None, str]:
    split = choice.split
    parameters, _ = split.cost(choice.ranks)
    if rule.where == "any" or parameters < split.shape.parameters:
        return choice, ""
    return None, (
        f"would grow at rank {shown(choice.ranks)} (it shrinks up to {split.break_even})"
        if split.break_even
        else "would grow at every rank"
    )


def _by_noise(split: Split) -> Ranks | None:
    """The ranks that stand out of noise, one per unfolding; None where none does or all do.

    Raises:
        OptionError: a method that has no matrix to look at.
    """
    unfoldings = split.unfoldings()
    if not unfoldings:
        raise OptionError(
            "by='vbmf' needs matrices, and method='cp' has none; use by='rank' or another method"
        )
    ranks = []
    for unfolding, full in zip(unfoldings, split.full, strict=True):
        values = torch.linalg.svdvals(unfolding.double()).numpy()
        found = max(vbmf.rank(each, *unfolding.shape[1:]) for each in values)
        ranks.append(min(found, full))
    if min(ranks) == 0 or all(rank == full for rank, full in zip(ranks, split.full, strict=True)):
        return None
    return tuple(ranks)
