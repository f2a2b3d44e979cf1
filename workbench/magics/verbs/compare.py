"""`%compress compare net small`: two models side by side, and a paired test on the same samples."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from workbench.job import Job, Progress
from workbench.magics.arguments import Request
from workbench.magics.grammar import DATA, Verb
from workbench.magics.page import Page, Table, Title, Words
from workbench.magics.session import Session, Subject
from workbench.magics.verbs.measure import options_of
from workbench.measurement import units

if TYPE_CHECKING:
    from workbench.job import Steps
    from workbench.measurement import Paired, Report
    from workbench.workload import Workload


def comparing(work: Workload, a: Any, b: Any, **options: Any) -> Steps[tuple[Report, Report, Paired | None]]:
    """Measure two models of a workload and pair their predictions; None stands for the baseline."""
    from workbench.measurement import evaluating, measuring, paired

    first = yield from _share(measuring(work, a, **options), 0)
    second = yield from _share(measuring(work, b, **options), 1)
    if first.accuracy is None:
        return first, second, None
    if a is None:
        return first, second, second.paired
    split = options.get("split", "validation")
    before = yield from evaluating(work, a, split)
    after = yield from evaluating(work, b, split)
    return first, second, paired(before, after)


def page(names: tuple[str, str], first: Report, second: Report, pair: Paired | None) -> Page:
    """Two reports side by side."""
    header = ("", *names, "change")
    blocks: list[Any] = [
        Title(" and ".join(names)),
        Table(header, list(_rows(first, second)), code=frozenset(), numbers=frozenset({1, 2, 3})),
    ]
    if pair is not None:
        verdict = "a difference is seen" if pair.is_seen else "no difference is seen"
        blocks.append(
            Words(
                f"Of {pair.n:,} samples {names[1]} lost {pair.lost:,} and gained {pair.gained:,}: {verdict} "
                f"(exact McNemar test, p = {pair.p_value:.2g}; {units.points(pair.difference)} points, "
                f"95 % interval {units.points(pair.low)} to {units.points(pair.high)})."
            )
        )
    return Page(tuple(blocks))


def _rows(a: Report, b: Report) -> Iterator[tuple[str, str, str, str]]:
    if a.accuracy is not None and b.accuracy is not None:
        x, y = a.accuracy, b.accuracy
        ranges = (units.share_range(each.value, each.low, each.high) for each in (x, y))
        yield (f"accuracy, {x.n:,} {x.split}", *ranges, f"{units.points(y.value - x.value)} points")  # type: ignore[misc]
    for name in a.metrics:
        if name in b.metrics:
            x, y = a.metrics[name], b.metrics[name]
            yield name, f"{x:.4g}", f"{y:.4g}", units.signed(y - x, 4)
    sizes = (("stored", a.size.stored, b.size.stored), ("claimed", a.size.claimed, b.size.claimed))
    for name, x, y in (*sizes, ("peak memory", a.peak_memory, b.peak_memory)):
        yield name, units.size(x), units.size(y), units.smaller(y, x)
    counts = (("parameters", a.parameters, b.parameters), ("non-zero", a.nonzero, b.nonzero))
    for name, x, y in (*counts, ("MACs", a.macs, b.macs)):
        yield name, units.count(x), units.count(y), units.smaller(y, x)
    from workbench.runtimes import find

    for name in a.latency:
        if name in b.latency:
            x, y = a.latency[name], b.latency[name]
            times = (units.milliseconds_range(each.median_ms, each.low_ms, each.high_ms) for each in (x, y))
            yield (f"latency, {find(name).title}", *times, f"{units.times(y.speedup / x.speedup)} as fast")  # type: ignore[misc]


def _share(steps: Steps[Any], index: int) -> Steps[Any]:
    """The same steps, with their progress as the first or second half of the whole."""
    try:
        while True:
            progress = next(steps)
            fraction = (index + (progress.fraction or 0.0)) / 2
            yield Progress(fraction, 1, progress.message, progress.record)
    except StopIteration as end:
        return end.value
    finally:
        steps.close()  # half a comparison is none: a stop ends it here


def _run(request: Request, session: Session) -> None:
    a, b = (session.subject(name, request.data) for name in request.words)
    options = options_of(request, a, session)
    steps = Job(
        lambda: comparing(a.work, _model(a, a), _model(b, a), **options), seed=0, threads=a.work.threads
    )
    session.show(page((a.name, b.name), *session.run(steps)))


def _model(subject: Subject, base: Subject) -> Any:
    """What to measure on the first one's workload: a version, another model, or its own baseline."""
    if subject.version is not None:
        return subject.version
    return None if subject.work is base.work else subject.work.model


VERB = Verb(
    "compare net small",
    "two models side by side, with a paired test on the same samples",
    _run,
    words=("model", "model"),
    required=2,
    flags=(*DATA, "--split", "--runtimes"),
)
