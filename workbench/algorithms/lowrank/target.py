"""Spend a budget of parameters, multiplications or bytes over all layers, where it loses least."""

from __future__ import annotations

from collections.abc import Callable, Mapping

import numpy as np

from workbench.algorithms.lowrank.menu import Menu
from workbench.algorithms.lowrank.prepared import Prepared, PreparedLayer
from workbench.algorithms.lowrank.rule import Chosen, Picked, Rule
from workbench.algorithms.lowrank.split import Split
from workbench.errors import OptionError

_HEADER, _RECORDS = 1_000, 250  # bytes of a packed file beside its tensors: once, and for each split layer
_UNITS = {"macs": "multiplications"}


def to_target(
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
    result: dict[str, tuple[Chosen | None, str]] = {}
    for each in free:
        choice = menus[each.name][0](rows[each.name])
        result[each.name] = (
            choice,
            "" if choice else f"worth more than its share of the {_UNITS.get(rule.by, rule.by)}",
        )
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
    """What the free layers may cost together; of bytes, less what the file says about them."""
    spare = 0.0
    if rule.by == "bytes":
        spare = (_HEADER * (1 - rule.ratio) + _RECORDS * len(free)) / _bytes_each(prepared)
    return rule.ratio * _total(prepared, rule) - _elsewhere(prepared, fixed, free, rule, cost) - spare


def _share(
    prepared: Prepared,
    fixed: Mapping[str, Chosen],
    free: list[PreparedLayer],
    rule: Rule,
    cost: str,
    spent: float,
) -> float:
    """The least share that can be asked for if the free layers cost `spent`: `_budget` turned around."""
    whole, rest = _total(prepared, rule), spent + _elsewhere(prepared, fixed, free, rule, cost)
    if rule.by == "bytes":
        rest += (_HEADER + _RECORDS * len(free)) / _bytes_each(prepared)
        whole += _HEADER / _bytes_each(prepared)
    return rest / whole


def _total(prepared: Prepared, rule: Rule) -> float:
    """The model's cost in the units that layers are counted in; bytes as parameters."""
    if rule.by == "macs" and not prepared.macs:
        raise OptionError("by='macs' needs an example input; give example= or input_shape= to the workload")
    in_parameters = prepared.bytes / _bytes_each(prepared)
    return {"macs": prepared.macs, "parameters": prepared.parameters, "bytes": in_parameters}[rule.by]


def _bytes_each(prepared: Prepared) -> int:
    """Of one parameter of a layer that can be split."""
    return prepared.layers[0].layer.module.weight.element_size() if prepared.layers else 4


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
