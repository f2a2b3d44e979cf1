"""The figures of two models beside each other, with what kind each is and whether its difference is real."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

from workbench.measurement import units
from workbench.runtimes import title

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
        kind: claimed, stored or measured.
        verdict: "exact" for what is counted, "a difference" or "no difference seen" for what was tested on
            the same samples or timed in turns; empty where nothing tells.
        why: what the verdict rests on.
    """

    name: str
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
    yield _size("size, stored", "stored", first.stored, second.stored)
    yield _size("size, claimed", "claimed", first.claimed, second.claimed)
    yield _size("peak memory", "measured", first.peak_memory, second.peak_memory)
    yield _count("parameters", first.parameters, second.parameters)
    yield _count("non-zero", first.nonzero, second.nonzero)
    if first.macs is not None and second.macs is not None:
        yield _count("MACs", first.macs.total, second.macs.total)


def judged(before: Evaluation, after: Evaluation, pair: Paired | None) -> Iterator[Figure]:
    """Accuracy with its intervals and the paired test, or the loss; and the users' own metrics."""
    if before.accuracy is not None and after.accuracy is not None and pair is not None:
        x, y = before.accuracy, after.accuracy
        yield Figure(
            f"accuracy, {x.n:,} {x.split}",
            "measured",
            x.value,
            y.value,
            units.share_range(x.value, x.low, x.high),
            units.share_range(y.value, y.low, y.high),
            f"{units.points(pair.difference)} points ({units.points(pair.low)} to {units.points(pair.high)})",
            REAL if pair.is_seen else UNSEEN,
            f"exact McNemar test on the same samples: lost {pair.lost:,}, gained {pair.gained:,}, "
            f"p = {pair.p_value:.2g}",
        )
        for name in ("precision", "recall", "f1"):
            a, b = getattr(x, name), getattr(y, name)
            if a is not None and b is not None:
                called = "F1, macro" if name == "f1" else f"{name}, macro"
                change = f"{units.points(b - a)} points"
                yield Figure(called, "measured", a, b, units.share(a), units.share(b), change)
    else:
        yield _number(f"loss, {before.n:,} {before.split}", before.loss, after.loss)
    for name in before.metrics:
        if name in after.metrics:
            yield _number(name, before.metrics[name], after.metrics[name])


def timed(found: Mapping[str, tuple[Latency, Latency]]) -> Iterator[Figure]:
    """Latencies by runtime, each of the second model timed in turns with the first."""
    for name, (x, y) in found.items():
        is_seen = not y.speedup_low <= 1 <= y.speedup_high
        times = (units.milliseconds_range(each.median_ms, each.low_ms, each.high_ms) for each in (x, y))
        speed = f"{units.times_range(y.speedup, y.speedup_low, y.speedup_high)} as fast"
        yield Figure(
            f"latency, {title(name)}",
            "measured",
            x.median_ms,
            y.median_ms,
            *times,
            f"in float32 {speed}" if x.is_simulated or y.is_simulated else speed,
            REAL if is_seen else UNSEEN,
            f"timed in turns over {y.rounds} rounds, batch {y.batch}, {y.threads} thread"
            f"{'s' if y.threads > 1 else ''}; 95 % interval of the ratio",
        )
        yield _size(f"{title(name)} artefact", "stored", x.artefact_bytes, y.artefact_bytes)


def _size(name: str, kind: str, before: int | None, after: int | None) -> Figure:
    texts = units.size(before), units.size(after)
    verdict = EXACT if before is not None and after is not None else UNKNOWN
    return Figure(name, kind, before, after, *texts, units.smaller(after, before), verdict)


def _count(name: str, before: int, after: int) -> Figure:
    texts = units.count(before), units.count(after)
    return Figure(name, "claimed", before, after, *texts, units.smaller(after, before), EXACT)


def _number(name: str, before: float, after: float) -> Figure:
    change = units.signed(after - before, 4)
    return Figure(name, "measured", before, after, f"{before:.4g}", f"{after:.4g}", change)
