"""What a session knows, as blocks to read: its figures, its versions, its charts."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING

from workbench.live.board import ChartBoard
from workbench.measurement import units
from workbench.panels.paper.blocks import Block, Code, Picture, Table, Title, Words
from workbench.panels.views.strip_box import strip_of
from workbench.runtimes import title

if TYPE_CHECKING:
    from workbench.measurement.report import Latency
    from workbench.panels.state.figures import Figure, Known
    from workbench.panels.state.session import Session
    from workbench.versions import Version

MOST_VERSIONS = 20  # in a still form; a report has them all
HEADER = ("version", "accuracy", "stored", "claimed", "smaller by", "latency", "recipe")
RECIPE = HEADER.index("recipe")
_KINDS = {"baseline": "the original", "preview": "a preview, before it is run", "version": "measured"}


def of_session(session: Session, boards: Iterable[ChartBoard]) -> list[Block]:
    """What a panel shows, from top to bottom."""
    strip = strip_of(session)
    said = [Words(strip.sentence)] if strip.sentence else []
    recipe = [Code(str(session.recipe))] if len(session.recipe) else []
    return [
        Title(f"{session.work.name}: {strip.title}", 3),
        _figures(strip.figures, f"What the panel shows: {_KINDS[strip.kind]}"),
        *said,
        *recipe,
        *versions(session),
        *pictures(boards),
    ]


def versions(session: Session) -> Iterator[Block]:
    """The versions beside the baseline, the newest of them; nothing where there is none."""
    there = session.tree.versions
    if not there:
        return
    rows = version_rows(there[-MOST_VERSIONS:], session.estimates.known, session.runtime)
    caption = f"Versions beside the baseline; latency on {title(session.runtime)}"
    yield Table(caption, HEADER, tuple(rows), frozenset({RECIPE}))
    if len(there) > MOST_VERSIONS:
        yield Words(f"The newest {MOST_VERSIONS} of {len(there)} versions.")


def version_rows(versions: Sequence[Version], known: Known, runtime: str) -> Iterator[tuple[str, ...]]:
    """One row for the baseline and one a version, as `HEADER` names the columns."""
    yield baseline_row(versions, known, runtime)
    names = {each.id: each.name for each in versions}
    for each in versions:
        yield version_row(each, runtime, begins_with(each, names))


def baseline_row(versions: Sequence[Version], known: Known, runtime: str) -> tuple[str, ...]:
    """What is known of the original, from the panel or from the reports that compare with it."""
    reports = [each.report for each in versions if each.report is not None]
    last = reports[-1] if reports else None
    accuracy = known.accuracy or (last.baseline.accuracy if last and last.baseline else None)
    stored = known.stored or (last.baseline_size.stored if last else None)
    claimed = known.claimed or (last.baseline_size.claimed if last else None)
    alone, timed = known.median_ms(runtime), [r.latency[runtime] for r in reports if runtime in r.latency]
    latency = alone or (timed[-1].baseline_ms if timed else None)
    said = str(accuracy) if accuracy else units.UNKNOWN
    return ("original", said, units.size(stored), units.size(claimed), "", units.milliseconds(latency), "")


def begins_with(version: Version, names: Mapping[str, str]) -> str:
    """`v1 | ` for a version that goes on from v1, before its own steps; empty for one of the original."""
    return f"{names.get(version.made_from, 'a version that is gone')} | " if version.made_from else ""


def version_row(version: Version, runtime: str, begin: str = "") -> tuple[str, ...]:
    """One measured version; `begin` is what its steps were added to."""
    report, stopped = version.report, " (stopped)" if version.is_stopped else ""
    recipe = f"{begin}{version.recipe}{stopped}"
    if report is None:
        stored = units.size(version.packed_bytes)
        return (version.name, "not measured", stored, units.UNKNOWN, "", units.UNKNOWN, recipe)
    before, latency = report.baseline_size.stored, report.latency.get(runtime)
    return (
        version.name,
        str(report.accuracy) if report.accuracy else units.UNKNOWN,
        units.size(version.packed_bytes),
        units.size(report.size.claimed),
        units.times(before / version.packed_bytes) if before else "",
        _latency(latency) if latency else units.UNKNOWN,
        recipe,
    )


def pictures(boards: Iterable[ChartBoard]) -> Iterator[Picture]:
    """The charts that show something; a hint alone is nothing."""
    for board in boards:
        for name, spec in board.specs.items():
            shown = board.shown(name)
            if any(row.get("kind") not in ("hint", "frame") for row in shown):
                text = board.latest[name].get("text") or str(spec.get("description", name))
                yield Picture(name.replace("tradeoff", "trade-off").replace("_", " "), spec, shown, text)


def _figures(figures: Iterable[Figure], caption: str) -> Table:
    rows = tuple(
        (each.title, each.value, each.kind, ", ".join(filter(None, (each.change, each.verdict))), each.detail)
        for each in figures
    )
    return Table(caption, ("figure", "value", "kind", "against the baseline", "about"), rows)


def _latency(latency: Latency) -> str:
    """The time, and how it compares with the baseline's in the same turns: times of two runs do not."""
    if latency.is_simulated:
        return "simulated only"
    time = units.milliseconds_range(latency.median_ms, latency.low_ms, latency.high_ms)
    faster = units.times_range(latency.speedup, latency.speedup_low, latency.speedup_high)
    return f"{time}, {faster} as fast as the original in the same turns"
