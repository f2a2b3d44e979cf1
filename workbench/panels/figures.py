"""The truth strip as records: each figure with its kind, its interval and its change from the baseline."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

from workbench.measurement import units

if TYPE_CHECKING:
    from workbench.measurement.accuracy import Accuracy
    from workbench.measurement.report import Latency, Report
    from workbench.preview import Preview


@dataclass(frozen=True)
class Figure:
    """One cell of the strip.

    Attributes:
        kind: "measured", "stored", "claimed" or "estimated"; empty where there is no figure.
        change: against the baseline. detail: what the figure is about.
    """

    title: str
    value: str = units.UNKNOWN
    detail: str = ""
    change: str = ""
    kind: str = ""


@dataclass(frozen=True)
class Known:
    """What is known of the baseline so far; the rest is None until it has been found."""

    accuracy: Accuracy | None = None
    stored: int | None = None
    claimed: int | None = None
    macs: int | None = None
    parameters: int | None = None
    latency: Mapping[str, Latency] = field(default_factory=dict)
    has_data: bool = True

    def told(self, **found: object) -> Known:
        """With what was found."""
        return replace(self, **found)

    def median_ms(self, runtime: str) -> float | None:
        """The baseline's latency on a runtime, where it was timed alone."""
        return self.latency[runtime].median_ms if runtime in self.latency else None


@dataclass(frozen=True)
class Strip:
    """The strip: what it is about, its figures, and one sentence where they disagree or lack something."""

    title: str
    kind: str  # "baseline", "preview" or "version"
    figures: tuple[Figure, ...]
    sentence: str = ""


def of_baseline(known: Known, runtime: str, runtime_title: str) -> Strip:
    """The strip while nothing is changed: the original."""
    latency = known.latency.get(runtime)
    figures = (
        _accuracy(known.accuracy, "measured", known),
        Figure("stored", units.size(known.stored), "float32 file", "", "stored"),
        _latency(latency, runtime_title, "", "being timed"),
        Figure("MACs", units.count(known.macs), _parameters(known.parameters), "", "claimed"),
    )
    return Strip("baseline", "baseline", figures, "" if known.has_data else NO_DATA)


def of_preview(preview: Preview, known: Known) -> Strip:
    """The strip of an estimate: every figure that is not exact is written with ≈."""
    zeros = 1 - preview.nonzero / max(preview.parameters, 1)
    timed = next(iter(preview.latency.values()), None)  # of a new net; anything else is timed when it is run
    speed = units.times_range(timed.speedup, timed.speedup_low, timed.speedup_high) if timed else ""
    waits = "press Run: it is not trained yet"
    accuracy = _accuracy(preview.accuracy, "estimated", known)
    figures = (
        Figure("accuracy", units.UNKNOWN, waits) if preview.is_new_net else accuracy,
        Figure(
            "stored",
            f"≈ {units.size(preview.estimated_bytes)}",
            f"claimed {units.size(preview.claimed_bytes)}",
            _of(preview.estimated_bytes, known.stored),
            "estimated",
        ),
        _latency(timed, "PyTorch", f"{speed} as fast", "")
        if timed
        else Figure(
            "latency", units.UNKNOWN, "being timed" if preview.is_new_net else "timed when it is run"
        ),
        _macs(preview.macs, known, _parameters(preview.parameters, zeros)),
    )
    said = preview.note or ("" if known.has_data else NO_DATA)
    return Strip("preview", "preview", figures, said)


def of_version(name: str, report: Report, known: Known, runtime: str, runtime_title: str) -> Strip:
    """The strip of a measured version."""
    latency = report.latency.get(runtime)
    speed = ""
    if latency is not None:
        interval = units.times_range(latency.speedup, latency.speedup_low, latency.speedup_high)
        speed = f"{interval} as fast"
    figures = (
        _paired(_accuracy(report.accuracy, "measured", known), report),
        Figure(
            "stored",
            units.size(report.size.stored),
            f"claimed {units.size(report.size.claimed)}",
            _of(report.size.stored, report.baseline_size.stored),
            "stored",
        ),
        _latency(latency, runtime_title, speed, _why_untimed(report)),
        _macs(report.macs, known, _parameters(report.parameters, report.zeros)),
    )
    return Strip(name, "version", figures, report.sentence)


NO_DATA = "No validation data, so no accuracy: wb.Workload(net, validation=val_loader) gives it."


def _accuracy(accuracy: Accuracy | None, kind: str, known: Known) -> Figure:
    if accuracy is None:
        return Figure("accuracy", detail="" if known.has_data else "no validation data")
    almost = "≈ " if kind == "estimated" else ""
    interval = f"{100 * accuracy.low:.1f}–{100 * accuracy.high:.1f}, n = {accuracy.n:,} {accuracy.split}"
    change = ""
    if known.accuracy is not None and accuracy is not known.accuracy:
        change = f"{almost}{units.points(accuracy.value - known.accuracy.value)} points"
    return Figure("accuracy", f"{almost}{units.share(accuracy.value)}", interval, change, kind)


def _paired(figure: Figure, report: Report) -> Figure:
    """The same with what the paired test on the same samples says."""
    paired = report.paired
    if paired is None:
        return figure
    seen = "a difference" if paired.is_seen else "no difference seen"
    return replace(figure, change=f"{units.points(paired.difference)} points, {seen}")


def _latency(latency: Latency | None, runtime_title: str, change: str, otherwise: str) -> Figure:
    if latency is None:
        return Figure("latency", detail=otherwise)
    threads = f"{latency.threads} thread{'s' if latency.threads > 1 else ''}"
    value = units.milliseconds(latency.median_ms)
    if latency.is_simulated:
        return Figure("latency", "simulated only", f"{runtime_title}, in float32 {value}", change, "measured")
    return Figure("latency", value, f"{runtime_title}, {threads}", change, "measured")


def _why_untimed(report: Report) -> str:
    return next((note for note in report.notes if "latency" in note), "not timed on this runtime")


def _macs(macs: int | None, known: Known, detail: str) -> Figure:
    if macs is None:
        return Figure("MACs", detail=detail)
    return Figure("MACs", units.count(macs), detail, units.smaller(macs, known.macs), "claimed")


def _of(now: float | None, before: float | None) -> str:
    """`▼ 39× of 1.72 MB`."""
    if now is None or before is None:
        return ""
    return f"{units.smaller(now, before)} of {units.size(before)}"


def _parameters(count: int | None, zeros: float = 0.0) -> str:
    if count is None:
        return ""
    told = f"{units.count(count)} parameters"
    return f"{told}, {units.share(zeros, 0)} zeros" if zeros >= 0.005 else told
