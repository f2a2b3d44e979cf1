"""Choose each layer's method and ranks: by a share of the full rank, by energy, by noise, or for a target."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np
import torch

from workbench.errors import OptionError, listed, nearest
from workbench.lowrank import vbmf
from workbench.lowrank.layers import Whole
from workbench.lowrank.menu import Menu
from workbench.lowrank.prepared import Prepared, PreparedLayer
from workbench.lowrank.split import Ranks, Split

TARGETS = ("parameters", "macs", "bytes")
_SAME = 1 + 1e-9


@dataclass(frozen=True, eq=False)
class Chosen:
    """A layer, the split it becomes, and its ranks."""

    name: str
    split: Split
    ranks: Ranks

    @property
    def lost(self) -> float:
        """The share of the squared error left."""
        return float(self.split.lost(np.array([self.ranks]))[0])


@dataclass(frozen=True, eq=False)
class Rule:
    """How to choose; the fields are those of `Factorize`."""

    ratio: float = 0.25
    by: str = "rank"
    where: str = "smaller"
    ranks: Mapping[str, int] | None = None
    keep: tuple[str, ...] = ()
    worth: float = 0.02
    is_slower: Callable[[PreparedLayer, Split, Ranks], bool] | None = None


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
    picked = _to_target(prepared, free, chosen, rule) if rule.by in TARGETS else _one_by_one(free, rule)
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
    """The ranks a person gave for one layer."""
    split = next(iter(each.splits.values()))
    full = split.full[0]
    if rank != int(rank) or not 1 <= rank <= full:
        raise OptionError(
            f"{each.name} cannot have rank {rank:g}: give a whole number from 1 to {full}, its full rank"
        )
    best = {method: s.scaled(min(int(rank), s.full[0])) for method, s in each.splits.items()}
    split = each.splits[min(best, key=lambda method: each.splits[method].cost(best[method])[0])]
    ranks = split.scaled(min(int(rank), split.full[0]))
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


Picked = dict[str, tuple[Chosen | None, str]]


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


def _to_target(
    prepared: Prepared, free: list[PreparedLayer], fixed: Mapping[str, Chosen], rule: Rule
) -> Picked:
    """Ranks that lose least over all layers while the model keeps to a share of its cost.

    One price per unit of cost for all layers, found by bisection: each layer takes the choice that is best
    at that price (Lagrange; Shoham and Gersho 1988).
    """
    cost = "macs" if rule.by == "macs" else "parameters"
    budget = _budget(prepared, fixed, free, rule, cost)
    menus = {each.name: _affordable(each, rule, cost) for each in free}
    if not menus:
        return {}
    least = sum(int(costs.min()) for _, costs, _ in menus.values())
    if least > budget:
        raise OptionError(
            f"ratio={rule.ratio:g} of the {rule.by} cannot be reached: rank 1 everywhere leaves "
            f"{_share(prepared, fixed, free, rule, cost, least):.1%} (worth=0 splits more)"
        )
    low, high = 0.0, 1e12
    for _ in range(100):
        price = (low * high) ** 0.5 if low else high / 1e6
        if sum(costs[_row(costs, lost, price)] for _, costs, lost in menus.values()) > budget:
            low = price
        else:
            high = price
        if low and high / low < 1 + 1e-6:
            break
    rows = {name: _row(costs, lost, high) for name, (_, costs, lost) in menus.items()}
    _spend({name: menu[1:] for name, menu in menus.items()}, rows, budget)
    result: Picked = {}
    for each in free:
        choice = menus[each.name][0](rows[each.name])
        result[each.name] = (choice, "" if choice else f"worth more than its share of the {rule.by}")
    return result


def _spend(menus: dict[str, tuple[np.ndarray, np.ndarray]], rows: dict[str, int], budget: float) -> None:
    """Give what one price for all leaves over to the layers that gain most by it."""
    left = budget - sum(menus[name][0][row] for name, row in rows.items())
    for _ in range(4 * len(rows)):
        gains = {}
        for name, row in rows.items():
            costs, lost = menus[name]
            better = np.where(costs <= costs[row] + left, lost, np.inf)
            best = int(np.argmin(better))
            gains[name] = (float(lost[row] - better[best]), best)
        name = max(gains, key=lambda each: gains[each][0])
        gain, best = gains[name]
        if gain <= 0:
            return
        left -= menus[name][0][best] - menus[name][0][rows[name]]
        rows[name] = best


def _row(costs: np.ndarray, lost: np.ndarray, price: float) -> int:
    return int(np.argmin(lost + price * costs))


def _affordable(
    each: PreparedLayer, rule: Rule, cost: str
) -> tuple[Callable[[int], Chosen | None], np.ndarray, np.ndarray]:
    """A layer's undominated choices over all methods, the whole layer last: choice by row, costs, losses."""
    dense = getattr(each.layer.shape, cost)
    rows: list[tuple[Split, Menu, int]] = []
    costs, lost = [], []
    for method, split in each.splits.items():
        menu = each.frontier(method, cost, is_smaller=rule.where != "any")
        rows += [(split, menu, row) for row in range(len(menu))]
        costs.append(getattr(menu, cost))
        lost.append(menu.lost)

    def choice(row: int) -> Chosen | None:
        if row == len(rows):
            return None
        split, menu, index = rows[row]
        return Chosen(each.name, split, menu.at(index))

    return choice, np.concatenate([*costs, [dense]]).astype(float), np.concatenate([*lost, [0.0]])


def _budget(
    prepared: Prepared, fixed: Mapping[str, Chosen], free: list[PreparedLayer], rule: Rule, cost: str
) -> float:
    """What the free layers may cost together."""
    return rule.ratio * _total(prepared, rule) - _elsewhere(prepared, fixed, free, rule, cost)


def _share(
    prepared: Prepared,
    fixed: Mapping[str, Chosen],
    free: list[PreparedLayer],
    rule: Rule,
    cost: str,
    spent: float,
) -> float:
    return (spent + _elsewhere(prepared, fixed, free, rule, cost)) / _total(prepared, rule)


def _total(prepared: Prepared, rule: Rule) -> float:
    """The model's cost in the units that layers are counted in; bytes as float32 parameters."""
    if rule.by == "macs" and not prepared.macs:
        raise OptionError("by='macs' needs an example input; give example= or input_shape= to the workload")
    return {"macs": prepared.macs, "parameters": prepared.parameters, "bytes": prepared.bytes / 4}[rule.by]


def _elsewhere(
    prepared: Prepared, fixed: Mapping[str, Chosen], free: list[PreparedLayer], rule: Rule, cost: str
) -> float:
    """What the rest of the model costs: layers left whole, biases, and those whose ranks are given."""
    dense = sum(getattr(each.layer.shape, cost) for each in free)
    given = 0
    for each in prepared.layers:
        if each.name in fixed:
            dense += getattr(each.layer.shape, cost)
            given += fixed[each.name].split.cost(fixed[each.name].ranks)[cost == "macs"]
    return _total(prepared, rule) - dense + given
