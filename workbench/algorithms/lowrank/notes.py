"""What a factorization has to say: what was split and how, what was left whole and why."""

from __future__ import annotations

from collections.abc import Iterable

from workbench.algorithms.lowrank.layers import Whole
from workbench.algorithms.lowrank.prepared import Prepared
from workbench.algorithms.lowrank.ranks import shown
from workbench.algorithms.lowrank.rule import Chosen
from workbench.errors import listed


def notes(prepared: Prepared, chosen: list[Chosen], whole: Iterable[Whole], error: str) -> tuple[str, ...]:
    """A line for what was split, one per reason for what was not, one if the data were missing."""
    lines = []
    if chosen:
        told = listed(f"{each.name} ({each.split.method}, rank {_of_full(each)})" for each in chosen)
        lines.append(f"split: {told}")
    by_reason: dict[str, list[str]] = {}
    for each in [*whole, *prepared.whole]:
        by_reason.setdefault(each.reason, []).append(each.name or "the model")
    lines += [f"left whole: {listed(names)}: {reason}" for reason, names in by_reason.items()]
    if error == "outputs" and not prepared.is_aware:
        lines.append("the error of weights was kept small: there are no training data to measure outputs on")
    if prepared.unseen:
        lines.append(
            f"the error of weights was kept small in {listed(prepared.unseen)}: too wide to watch outputs"
        )
    return tuple(lines)


def _of_full(each: Chosen) -> str:
    return f"{shown(each.ranks)} of {shown(each.split.full)}"
