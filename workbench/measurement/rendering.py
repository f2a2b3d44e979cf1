"""A report as rows, as text and as HTML: claimed, stored and measured in columns of their own."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import asdict, dataclass
from html import escape
from typing import TYPE_CHECKING, Any

from workbench.measurement import units
from workbench.runtimes import title

if TYPE_CHECKING:
    from workbench.measurement.report import Latency, Report

KINDS = ("claimed", "stored", "measured")


@dataclass(frozen=True)
class Row:
    """One figure. `text`, `before` and `change` are how it is written; `before` is the baseline's."""

    figure: str
    kind: str
    value: float | None
    low: float | None = None
    high: float | None = None
    baseline: float | None = None
    unit: str = ""
    text: str = ""
    before: str = ""
    change: str = ""


def rows(report: Report) -> list[dict[str, Any]]:
    """The report's figures as plain rows, for a table or a data frame."""
    return [asdict(each) for each in _rows(report)]


def text(report: Report) -> str:
    """The report in aligned lines."""
    grid = [("", *KINDS, "baseline", "change"), *_grid(report)]
    widths = [max(len(line[column]) for line in grid) for column in range(6)]
    body = ["  ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True)) for line in grid]
    return "\n".join(each.rstrip() for each in [_heading(report), "", *body, "", *_remarks(report)])


def html(report: Report) -> str:
    """The report as a table that takes its colors from JupyterLab's theme."""
    head = "".join(f"<th>{each}</th>" for each in ("", *KINDS, "baseline", "change"))
    body = "".join(_line(cells) for cells in _grid(report))
    said = f"<p class='wb-said'>{escape(report.sentence)}</p>" if report.sentence else ""
    notes = "".join(f"<li>{escape(each)}</li>" for each in _notes(report))
    return (
        f"<div class='wb-report'>{_STYLE}<div class='wb-title'>{escape(_heading(report))}</div>"
        f"<table><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table>{said}<ul>{notes}</ul></div>"
    )


def _rows(report: Report) -> Iterator[Row]:
    yield from _accuracy_rows(report)
    yield from _metric_rows(report)
    yield from _size_rows(report)
    yield from _compute_rows(report)
    for name, latency in report.latency.items():
        yield from _latency_rows(title(name), latency, report.is_baseline)
    before = report.baseline.peak_memory if report.baseline else None
    yield _bytes("peak memory", "measured", report.peak_memory, before)


def _accuracy_rows(report: Report) -> Iterator[Row]:
    accuracy, before = report.accuracy, report.baseline.accuracy if report.baseline else None
    if accuracy is None:
        return
    yield Row(
        "accuracy",
        "measured",
        accuracy.value,
        accuracy.low,
        accuracy.high,
        before.value if before else None,
        "share",
        units.share_range(accuracy.value, accuracy.low, accuracy.high),
        units.share(before.value) if before else "",
        _accuracy_change(report),
    )
    for name in ("precision", "recall", "f1"):
        value, old = getattr(accuracy, name), getattr(before, name) if before else None
        if value is None:
            continue
        change = f"{units.points(value - old)} points" if old is not None else ""
        title = "F1" if name == "f1" else name
        yield Row(
            f"{title}, macro",
            "measured",
            value,
            baseline=old,
            unit="share",
            text=units.share(value),
            before=units.share(old) if old is not None else "",
            change=change,
        )


def _accuracy_change(report: Report) -> str:
    paired = report.paired
    if paired is None:
        return ""
    change = f"{units.points(paired.difference)} points"
    spread = f"({units.points(paired.low)} to {units.points(paired.high)})"
    return f"{change} {spread}, {'a difference' if paired.is_seen else 'no difference seen'}"


def _metric_rows(report: Report) -> Iterator[Row]:
    for name, value in report.metrics.items():
        old = report.baseline.metrics.get(name) if report.baseline else None
        change = f"{value - old:+.4g}".replace("-", "−") if old is not None else ""
        before = f"{old:.4g}" if old is not None else ""
        yield Row(name, "measured", value, baseline=old, text=f"{value:.4g}", before=before, change=change)


def _size_rows(report: Report) -> Iterator[Row]:
    is_baseline = report.is_baseline
    for kind in ("claimed", "stored"):
        now, before = getattr(report.size, kind), getattr(report.baseline_size, kind)
        if now is not None:
            yield _bytes("size", kind, now, None if is_baseline else before)


def _compute_rows(report: Report) -> Iterator[Row]:
    before = report.baseline
    yield _count("parameters", report.parameters, before.parameters if before else None)
    yield _count("non-zero", report.nonzero, before.nonzero if before else None)
    if report.macs is None:
        return
    yield _count("MACs", report.macs, before.macs if before else None)
    if report.nonzero_macs is not None and report.nonzero_macs < 0.99 * report.macs:
        yield _count("MACs, zeros skipped", report.nonzero_macs, before.macs if before else None)


def _latency_rows(title: str, latency: Latency, is_baseline: bool) -> Iterator[Row]:
    yield Row(
        f"latency, {title}",
        "measured",
        latency.median_ms,
        latency.low_ms,
        latency.high_ms,
        None if is_baseline else latency.baseline_ms,
        "ms",
        units.milliseconds_range(latency.median_ms, latency.low_ms, latency.high_ms),
        "" if is_baseline else units.milliseconds(latency.baseline_ms),
        "" if is_baseline else _speedup(latency),
    )
    before = None if is_baseline else latency.baseline_artefact_bytes
    yield _bytes(f"{title} artefact", "stored", latency.artefact_bytes, before)


def _speedup(latency: Latency) -> str:
    said = f"{units.times_range(latency.speedup, latency.speedup_low, latency.speedup_high)} as fast"
    return f"{said}, simulated" if latency.is_simulated else said


def _bytes(figure: str, kind: str, value: int | None, before: int | None) -> Row:
    return Row(
        figure,
        kind,
        value,
        baseline=before,
        unit="bytes",
        text=units.size(value),
        before=units.size(before) if before is not None else "",
        change=units.smaller(value, before) if before is not None else "",
    )


def _count(figure: str, value: int, before: int | None) -> Row:
    return Row(
        figure,
        "claimed",
        value,
        baseline=before,
        text=units.count(value),
        before=units.count(before) if before is not None else "",
        change=units.smaller(value, before) if before is not None else "",
    )


def _grid(report: Report) -> list[tuple[str, ...]]:
    """Cells for people: figure, claimed, stored, measured, baseline, change; one line for each figure."""
    lines: dict[str, Row] = {}
    cells: dict[str, dict[str, str]] = {}
    for row in _rows(report):
        lines[row.figure] = row  # of a size, the stored one decides what it is compared with
        cells.setdefault(row.figure, {})[row.kind] = row.text
    return [
        (figure, *(cells[figure].get(kind, "") for kind in KINDS), row.before, row.change)
        for figure, row in lines.items()
    ]


def _heading(report: Report) -> str:
    return (
        f"{report.name} · {report.accuracy.n:,} {report.accuracy.split}" if report.accuracy else report.name
    )


def _remarks(report: Report) -> list[str]:
    return [*([report.sentence] if report.sentence else []), *_notes(report)]


def _notes(report: Report) -> list[str]:
    notes = [*report.notes]
    if report.latency:
        any_latency = next(iter(report.latency.values()))
        threads = f"{any_latency.threads} thread{'s' if any_latency.threads > 1 else ''}"
        rounds = min(each.rounds for each in report.latency.values())
        notes.append(
            f"latency of a batch of {any_latency.batch} on {threads}: median (quartiles); "
            f"the ratio with its 95 % interval over {rounds} rounds or more"
        )
    return [*notes, units.SIZE_NOTE]


def _line(cells: tuple[str, ...]) -> str:
    figure, *values = map(escape, cells)
    return f"<tr><th>{figure}</th>{''.join(f'<td>{each}</td>' for each in values)}</tr>"


# the fallbacks follow the page's own text color, so that it can be read on any ground
_STYLE = (
    "<style>"
    ".wb-report{color:var(--jp-ui-font-color1,inherit);"
    "font-family:var(--jp-ui-font-family,system-ui,sans-serif);"
    "font-size:var(--jp-ui-font-size1,13px);max-width:64em}"
    ".wb-report .wb-title{font-weight:600;margin-bottom:.4em}"
    ".wb-report table{border-collapse:collapse;font-variant-numeric:tabular-nums;margin:0;"
    "color:inherit;font-size:inherit}"
    ".wb-report th,.wb-report td{text-align:right;padding:.2em .8em;white-space:nowrap;background:none;"
    "border:0;border-bottom:1px solid var(--jp-border-color2,rgba(128,128,128,.35))}"
    ".wb-report tbody th,.wb-report td:last-child,.wb-report thead th:last-child{text-align:left}"
    ".wb-report td:last-child{white-space:normal;min-width:11em}"
    ".wb-report th{font-weight:500;color:var(--jp-ui-font-color2,inherit)}"
    ".wb-report td:nth-child(5),.wb-report thead th:nth-child(5)"
    "{border-left:1px solid var(--jp-border-color2,rgba(128,128,128,.35))}"
    ".wb-report .wb-said{margin:.6em 0 .3em}"
    ".wb-report ul{margin:0;padding-left:1.2em;color:var(--jp-ui-font-color2,inherit);"
    "font-size:var(--jp-ui-font-size0,11px)}"
    "</style>"
)
