"""The figures of two models beside each other, with what kind each is and whether its difference is real."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from workbench.measurement import units
from workbench.measurement.found import Found, Timed
from workbench.measurement.quantities import COUNT, Quantity, Reading, artefact, latency, quantities

if TYPE_CHECKING:
    from workbench.comparison.side import Side
    from workbench.measurement.accuracy import Evaluation
    from workbench.measurement.pairing import Paired
    from workbench.measurement.report import Latency

EXACT, REAL, UNSEEN, UNKNOWN = "exact", "a difference", "no difference seen", ""


@dataclass(frozen=True)
class Figure:
    """One figure of both. The texts are how it is written; `verdict` says whether the difference is real.

    Attributes:
        name: as Python calls the quantity: "accuracy", "stored", "latency:pytorch". title: as people do.
        kind: claimed, stored or measured.
        verdict: "exact" for what is counted, "a difference" or "no difference seen" for what was tested on
            the same samples or timed in turns; empty where nothing tells.
        why: what the verdict rests on.
    """

    name: str
    title: str
    kind: str
    before: float | None
    after: float | None
    before_text: str
    after_text: str
    change: str
    verdict: str = UNKNOWN
    why: str = ""


def counted(first: Side, second: Side) -> Iterator[Figure]:
    """What arithmetic and the files tell."""
    both = (_found(first), _found(second))
    known = quantities(first.work, ())
    for name in ("stored", "claimed", "peak_memory", "parameters"):
        yield _of(known[name], *both, verdict=EXACT)
    yield _of(_NONZERO, *both, verdict=EXACT)
    if both[0].macs is not None and both[1].macs is not None:
        yield _of(known["macs"], *both, verdict=EXACT)


def judged(side: Side, before: Evaluation, after: Evaluation, pair: Paired | None) -> Iterator[Figure]:
    """Accuracy with its intervals and the paired test, or the loss; and the users' own metrics."""
    both = tuple(Found(accuracy=each.accuracy, metrics=each.metrics) for each in (before, after))
    if pair is None:
        change = units.signed(after.loss - before.loss, 4)
        texts = f"{before.loss:.4g}", f"{after.loss:.4g}"
        title = f"loss, {before.n:,} {before.split}"
        yield Figure("loss", title, "measured", before.loss, after.loss, *texts, change)
    for quantity in quantities(side.work, ()).values():
        if quantity.kind != "measured" or quantity.value(both[0]) is None or quantity.value(both[1]) is None:
            continue
        row = _of(quantity, *both)
        yield _tested(row, before, pair) if quantity.name == "accuracy" and pair is not None else row


def timed(found: Mapping[str, tuple[Latency, Latency]]) -> Iterator[Figure]:
    """Latencies by runtime, each of the second model timed in turns with the first."""
    for name, (x, y) in found.items():
        both = tuple(Found(latency={name: Timed.of(each)}) for each in (x, y))
        quantity = latency(name)
        row = _of(quantity, *both)
        texts = [
            quantity.text(each) if quantity.read(each) is not None else "simulated only" for each in both
        ]
        speed = f"{units.times_range(y.speedup, y.speedup_low, y.speedup_high)} as fast"
        is_simulated = x.is_simulated or y.is_simulated
        threads = f"{y.threads} thread{'s' if y.threads > 1 else ''}"
        why = f"timed in turns over {y.rounds} rounds, batch of {y.batch}, {threads}; 95 % interval"
        yield replace(
            row,
            before_text=texts[0],
            after_text=texts[1],
            change=f"in float32 {speed}" if is_simulated else speed,
            verdict=UNKNOWN if is_simulated else UNSEEN if y.speedup_low <= 1 <= y.speedup_high else REAL,
            why=why,
        )
        yield _of(artefact(name), *both, verdict=EXACT)


def _tested(row: Figure, before: Evaluation, pair: Paired) -> Figure:
    """The accuracy with what the paired test says."""
    change = f"{units.points(pair.difference)} points ({units.points(pair.low)} to {units.points(pair.high)})"
    return replace(
        row,
        title=f"{row.title}, {before.n:,} {before.split}",
        change=change,
        verdict=REAL if pair.is_seen else UNSEEN,
        why=f"exact McNemar test on the same samples: lost {pair.lost:,}, gained {pair.gained:,}, "
        f"p = {pair.p_value:.2g}; 95 % interval",
    )


def _of(quantity: Quantity, before: Found, after: Found, verdict: str = UNKNOWN) -> Figure:
    """A quantity of both, the number of samples left to the title."""
    readings = quantity.read(before), quantity.read(after)
    values = [each.value if each is not None else None for each in readings]
    texts = [
        quantity.unit.between(each.value, each.low, each.high) if each is not None else units.UNKNOWN
        for each in readings
    ]
    is_known = None not in values
    change = quantity.change(after, before)
    return Figure(
        quantity.name,
        quantity.title,
        quantity.kind,
        *values,
        *texts,
        change,
        verdict if is_known else UNKNOWN,
    )


def _found(side: Side) -> Found:
    return Found(
        stored=side.stored,
        claimed=side.claimed,
        parameters=side.parameters,
        nonzero=side.nonzero,
        macs=side.macs.total if side.macs is not None else None,
        peak_memory=side.peak_memory,
    )


def _nonzero(found: Found) -> Reading | None:
    return Reading(found.nonzero) if found.nonzero is not None else None


_NONZERO = Quantity("nonzero", "non-zero", COUNT, "claimed", _nonzero, help="parameters that are not zero")
