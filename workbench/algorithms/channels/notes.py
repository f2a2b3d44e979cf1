"""What a step that removed channels has to say, in a few lines."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Mapping, Sequence

from torch import Tensor

from workbench.algorithms.channels.records import Group
from workbench.errors import listed


def removed(groups: Sequence[Group], chosen: Mapping[str, Tensor]) -> str:
    """`removed 2,400 of 4,800 channels in 12 groups, 36 of 144 heads in 12`."""
    gone, all_of, places = Counter[str](), Counter[str](), Counter[str]()
    for each in groups:
        count = len(chosen.get(each.name, ()))
        is_by_channel = each.word != "heads"
        size = each.channels // each.units if is_by_channel else 1
        gone[each.word] += count * size
        all_of[each.word] += each.channels if is_by_channel else each.units
        places[each.word] += 1
    told = [
        f"{gone[word]:,} of {whole:,} {word} in {places[word]} group{'s' if places[word] > 1 else ''}"
        for word, whole in all_of.items()
    ]
    return f"removed {', '.join(told)}"


def with_them(groups: Sequence[Group], chosen: Mapping[str, Tensor], only: Collection[str] | None) -> str:
    """Which layers had to shrink with those named, every one of them; empty where no layers were named."""
    if only is None:
        return ""
    touched = {layer for g in groups if len(chosen.get(g.name, ())) for layer in g.layers}
    names = sorted(touched - set(only))
    return f"shrank with them: {', '.join(names)}" if names else ""


def why_nothing(groups: Sequence[Group], only: Collection[str] | None) -> str:
    """One line for a model (or the layers named) of which nothing can be removed."""
    reasons = [f"{each.name or 'the only layer'}: {each.locked}" for each in groups if each.locked]
    where = "of the layers named" if only is not None else "of this model"
    told = f" ({listed(reasons, 3)})" if reasons else ""
    return f"nothing was removed: no channels {where} can go{told}"


def without_worth(left_out: Sequence[str]) -> str:
    """Which groups a criterion says nothing about."""
    return f"left whole, without batch normalization to judge by: {listed(left_out, 6)}"
