"""A report's figures, one row each: its kind, its value beside the baseline's, and how it is written."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

from workbench.measurement import units
from workbench.runtimes import title

if TYPE_CHECKING:
    from workbench.measurement.agreement import Agreement
    from workbench.measurement.report import Latency, Report


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


def rows(report: Report) -> Iterator[Row]:
    """Every figure there is; what was not measured has no row."""
    yield from _accuracy_rows(report)
    yield from _metric_rows(report)
    yield from _size_rows(report)
    yield from _compute_rows(report)
    for name, latency in report.latency.items():
        yield from _latency_rows(title(name), latency, report.is_baseline)
    for latency in report.further:
        settings = f"batch {latency.batch}, {latency.threads} thread{'s' if latency.threads > 1 else ''}"
        yield from _latency_rows(f"{title(latency.runtime)}, {settings}", latency, report.is_baseline)
    if report.peak_memory is not None:
        before = report.baseline.peak_memory if report.baseline else None
        yield _bytes("peak memory", "measured", report.peak_memory, before)
    yield from _energy_rows(report)


def _energy_rows(report: Report) -> Iterator[Row]:
    energy, before = report.energy, report.baseline.energy if report.baseline else None
    if energy is None:
        return
    is_estimate = energy.kind == "estimated"
    is_comparable = before is not None and before.kind == energy.kind
    old = before.joules if before is not None and is_comparable else None
    yield Row(
        f"energy, {energy.kind}",
        "claimed" if is_estimate else "measured",
        energy.joules,
        baseline=old,
        unit="J",
        text=f"{'≈ ' if is_estimate else ''}{units.joules(energy.joules)}",
        before=units.joules(old) if old is not None else "",
        change=units.smaller(energy.joules, old) if old is not None else "",
    )


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
        _milliseconds(latency),
        "" if is_baseline else units.milliseconds(latency.baseline_ms),
        "" if is_baseline else _speedup(latency),
    )
    if (agreement := latency.agreement) is not None:
        yield Row(
            f"{title} against simulated",
            "measured",
            agreement.equal,
            unit="share" if agreement.equal is not None else "",
            text=_agreement(agreement),
        )
    before = None if is_baseline else latency.baseline_artefact_bytes
    yield _bytes(f"{title} artefact", "stored", latency.artefact_bytes, before)


def _speedup(latency: Latency) -> str:
    said = f"{units.times_range(latency.speedup, latency.speedup_low, latency.speedup_high)} as fast"
    return f"in float32 {said}" if latency.is_simulated else said


def _milliseconds(latency: Latency) -> str:
    """The time; where the kernels did not compute with the rounded values, there is none to tell."""
    if latency.is_simulated:
        return "simulated only"
    return units.milliseconds_range(latency.median_ms, latency.low_ms, latency.high_ms)


def _agreement(agreement: Agreement) -> str:
    equal = f"{units.share(agreement.equal)} equal predictions, " if agreement.equal is not None else ""
    apart = f"outputs up to {agreement.outputs:.3g} differ by at most {agreement.largest:.2g}"
    return f"{equal}{apart} (n = {agreement.n:,})"


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
