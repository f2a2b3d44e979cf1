"""Two models side by side, layer by layer: what each layer of the first has become in the second.

A layer that was split counts as one, its thin layers together; one that is gone or new stands alone.
"""

from __future__ import annotations

from collections.abc import Container, Iterable, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from workbench.measurement.compute import LayerRecord


@dataclass(frozen=True)
class Pair:
    """One layer before and now; one of them may be None: the layer was removed, or is new.

    Attributes:
        name: in the first model, else in the second.
        parts: how many layers it is now.
        ranks: the channels that its thin layers pass on to each other, in order; empty where it is whole.
    """

    name: str
    before: LayerRecord | None
    now: LayerRecord | None
    parts: int = 1
    ranks: tuple[int, ...] = ()


def pairs(before: Iterable[LayerRecord], now: Iterable[LayerRecord]) -> list[Pair]:
    """The layers of two models, matched by name, in the second one's order; those that are gone come last.

    >>> pairs(layers(original, work), layers(version.candidate, work))    # doctest: +SKIP
    """
    had = {record.name: record for record in before}
    found: dict[str, list[LayerRecord]] = {}
    for record in now:
        found.setdefault(origin(record.name, had), []).append(record)
    here = [
        Pair(name, had.get(name), together(records, name), len(records), ranks(records))
        for name, records in found.items()
    ]
    return here + [Pair(name, record, None, 0) for name, record in had.items() if name not in found]


def origin(name: str, known: Container[str]) -> str:
    """The layer a layer is, or is a part of: `fc1` for `fc1.0` where `fc1` is known; else its own name."""
    outer = name
    while outer and outer not in known:
        outer = outer.rpartition(".")[0]
    return outer or name


def together(records: Sequence[LayerRecord], name: str) -> LayerRecord:
    """Several layers as one: counts added up, bits by weight, kind and shape of the largest."""
    if len(records) == 1:
        return replace(records[0], name=name)
    parameters = sum(each.parameters for each in records)
    largest = max(records, key=lambda each: each.parameters)
    macs = [each.macs for each in records]
    return replace(
        largest,
        name=name,
        kind=f"{len(records)} thin layers",
        parameters=parameters,
        nonzero=sum(each.nonzero for each in records),
        bits=sum(each.bits * each.parameters for each in records) / max(parameters, 1),
        claimed_bytes=sum(each.claimed_bytes for each in records),
        macs=None if None in macs else sum(each for each in macs if each is not None),
    )


def ranks(parts: Sequence[LayerRecord]) -> tuple[int, ...]:
    """What the thin layers of one layer pass on to each other; equal neighbours are one number."""
    passed = [each.shape[1] if each.kind == "Embedding" else each.shape[0] for each in parts[:-1]]
    return tuple(each for index, each in enumerate(passed) if not index or each != passed[index - 1])


def full_rank(shape: Sequence[int]) -> int | None:
    """The most that the rank of a weight of this shape, taken as outputs by inputs, can be."""
    if len(shape) < 2:
        return None
    inputs = 1
    for each in shape[1:]:
        inputs *= each
    return min(shape[0], inputs)
