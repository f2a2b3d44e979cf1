"""The truth strip as records: each figure with its kind, its interval and its change from the baseline."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

from workbench.measurement import units
from workbench.measurement.found import Found
from workbench.measurement.quantities import ACCURACY, MEMORY, SHARE, Quantity, Reading, quantities
from workbench.panels.state.chosen import Chosen
from workbench.runtimes import find, title
from workbench.runtimes.base import INTEGERS, ZEROS

if TYPE_CHECKING:
    from workbench.measurement.accuracy import Accuracy
    from workbench.measurement.pairing import Paired
    from workbench.measurement.report import Latency, Report
    from workbench.preview import Preview
    from workbench.workload import Workload

NO_DATA = "No validation data, so no accuracy: wb.Workload(net, validation=val_loader) gives it."
USUAL = Chosen()
_MANY_ZEROS = 0.2


@dataclass(frozen=True)
class Figure:
    """One cell of the strip.

    Attributes:
        kind: "measured", "stored", "claimed" or "estimated"; empty where there is no figure.
        detail: its interval, and what it is about. change: against the baseline.
        verdict: whether the change is real, where that is a question.
    """

    title: str
    value: str = units.UNKNOWN
    detail: str = ""
    change: str = ""
    verdict: str = ""
    kind: str = ""


@dataclass(frozen=True)
class Known:
    """What is known of the baseline so far; the rest is None until it has been found.

    Attributes:
        latency: by runtime, as every report has it. timed: with other settings.
    """

    accuracy: Accuracy | None = None
    metrics: Mapping[str, float] = field(default_factory=dict)
    stored: int | None = None
    claimed: int | None = None
    macs: int | None = None
    memory: int | None = None
    parameters: int | None = None
    latency: Mapping[str, Latency] = field(default_factory=dict)
    timed: tuple[Latency, ...] = ()
    has_data: bool = True

    def told(self, **found: object) -> Known:
        """With what was found."""
        return replace(self, **found)

    def median_ms(self, runtime: str) -> float | None:
        """The baseline's latency on a runtime, where it was timed alone."""
        found = self.latency_with(runtime, 1, 1)
        return found.median_ms if found is not None else None

    def latency_with(self, runtime: str, batch: int, threads: int) -> Latency | None:
        """The baseline's latency with these settings, where it was timed so."""
        wanted = (runtime, batch, threads)
        there = (*reversed(self.timed), *self.latency.values())
        return next((each for each in there if (each.runtime, each.batch, each.threads) == wanted), None)


@dataclass(frozen=True)
class Strip:
    """The strip: what it is about, its figures, and one sentence where they disagree or lack something.

    Attributes:
        can_be_timed: whether latency with the settings chosen is missing and may be measured now.
    """

    title: str
    kind: str  # "baseline", "preview" or "version"
    figures: tuple[Figure, ...]
    sentence: str = ""
    can_be_timed: bool = False


def metrics_of(work: Workload | None) -> dict[str, Quantity]:
    """The metrics that can be chosen, by name, the usual one first."""
    found = quantities(work, ()).values()
    return {each.name: each for each in found if each.unit is SHARE or each.name.startswith("metric:")} or {
        ACCURACY.name: ACCURACY
    }


def is_timed_alike(preview: Preview, runtime: str) -> bool:
    """Whether what is previewed takes as long as the original: same shapes, and nothing that this runtime
    makes use of."""
    follows = find(runtime).follows
    is_sparse = ZEROS in follows and preview.nonzero < (1 - _MANY_ZEROS) * preview.parameters
    is_lowered = INTEGERS in follows and preview.rounds_activations
    return preview.computes_alike and not is_sparse and not is_lowered


def of_baseline(
    known: Known, chosen: Chosen = USUAL, untimed: str = "", metric: Quantity = ACCURACY
) -> Strip:
    """The strip while nothing is changed: the original."""
    latency = known.latency_with(*chosen.settings)
    figures = (
        _metric(metric, Found(known.accuracy, known.metrics), None, known),
        Figure("stored", units.size(known.stored), "float32 file", kind="stored"),
        _latency(latency, chosen, untimed or "not timed yet"),
        Figure("MACs", units.count(known.macs), _parameters(known.parameters), kind="claimed"),
        _memory(known.memory, None, "measured"),
    )
    said = "" if known.has_data else NO_DATA
    return Strip("baseline", "baseline", figures, said, latency is None and not untimed)


def of_preview(
    preview: Preview,
    known: Known,
    chosen: Chosen = USUAL,
    untimed: str = "",
    metric: Quantity = ACCURACY,
) -> Strip:
    """The strip of an estimate: every figure that is not exact is written with ≈."""
    zeros = 1 - preview.nonzero / max(preview.parameters, 1)
    latency, can_be_timed = _preview_latency(preview, known, chosen, untimed)
    figures = (
        _preview_metric(preview, known, metric),
        Figure(
            "stored",
            f"≈ {units.size(preview.estimated_bytes)}",
            f"claimed {units.size(preview.claimed_bytes)}",
            _of(preview.estimated_bytes, known.stored),
            kind="estimated",
        ),
        latency,
        _macs(preview.macs, known, _parameters(preview.parameters, zeros)),
        _memory(preview.peak_memory, known.memory, "estimated"),
    )
    said = preview.note or ("" if known.has_data else NO_DATA) or _dense(preview, zeros, chosen.runtime)
    return Strip("preview", "preview", figures, said, can_be_timed)


def of_version(
    name: str,
    report: Report,
    known: Known,
    chosen: Chosen = USUAL,
    untimed: str = "",
    metric: Quantity = ACCURACY,
) -> Strip:
    """The strip of a measured version."""
    latency = report.latency_with(*chosen.settings)
    before = report.baseline
    judged = _metric(metric, Found.of_report(report), Found.of_baseline(report) if before else None, known)
    figures = (
        _paired(judged, report.paired) if metric.name == ACCURACY.name else judged,
        Figure(
            "stored",
            units.size(report.size.stored),
            f"claimed {units.size(report.size.claimed)}",
            _of(report.size.stored, report.baseline_size.stored),
            kind="stored",
        ),
        _latency(latency, chosen, untimed or _why_untimed(report, chosen.runtime)),
        _macs(report.macs, known, _parameters(report.parameters, report.zeros)),
        _memory(report.peak_memory, before.peak_memory if before else known.memory, "measured"),
    )
    return Strip(name, "version", figures, report.sentence, latency is None and not untimed)


def _preview_metric(preview: Preview, known: Known, metric: Quantity) -> Figure:
    if preview.is_new_net:
        return Figure(metric.title, detail="press Run: it is not trained yet")
    before = Found(known.accuracy, known.metrics)
    judged = _metric(metric, Found.of_preview(preview), before, known)
    return _paired(judged, preview.paired, "≈ ") if metric.name == ACCURACY.name else judged


def _metric(metric: Quantity, now: Found, before: Found | None, known: Known) -> Figure:
    """The chosen metric with its interval, where it has one, and its change from before."""
    if not known.has_data:
        return Figure(metric.title, detail="no validation data")
    reading = metric.read(now)
    if reading is None:
        return Figure(metric.title, detail="after the last sample" if now.is_estimate else "")
    almost, kind = ("≈ ", "estimated") if now.is_estimate else ("", "measured")
    value, change = f"{almost}{metric.unit.write(reading.value)}", ""
    if before is not None and metric.read(before) is not None:
        change = f"{almost}{metric.change(now, before)}"
    return Figure(metric.title, value, _spread(metric, reading, now), change, kind=kind)


def _spread(metric: Quantity, reading: Reading, now: Found) -> str:
    """`98.2–99.7, n = 400 validation`; of a metric without an interval, which way is better."""
    if reading.low is not None and reading.high is not None and reading.n:
        split = f" {now.accuracy.split}" if now.accuracy is not None else ""
        return f"{100 * reading.low:.1f}–{100 * reading.high:.1f}, n = {reading.n:,}{split}"
    if now.accuracy is not None and metric.unit is SHARE:
        return f"n = {now.accuracy.n:,} {now.accuracy.split}"
    return f"{'higher' if metric.is_higher_better else 'lower'} is better"


def _paired(figure: Figure, paired: Paired | None, almost: str = "") -> Figure:
    """The same with what the paired test on the same samples says."""
    if paired is None:
        return figure
    spread = f"{units.points(paired.low)} to {units.points(paired.high)}"
    return replace(
        figure,
        change=f"{almost}{units.points(paired.difference)} points",
        verdict=f"{spread}: {'a difference' if paired.is_seen else 'no difference seen'}",
    )


def _preview_latency(preview: Preview, known: Known, chosen: Chosen, untimed: str) -> tuple[Figure, bool]:
    """What was timed; else what is known of the same kernels; and whether it may be measured now."""
    if preview.latency is not None and _settings(preview.latency) == chosen.settings:
        return _latency(preview.latency, chosen, "", "≈ "), False
    if is_timed_alike(preview, chosen.runtime):
        found = known.latency_with(*chosen.settings)
        value = f"≈ {units.milliseconds(found.median_ms)}" if found else units.UNKNOWN
        figure = Figure("latency", value, _where(chosen), "≈ 1.0×, dense kernels", kind="estimated")
        return (figure, False) if found else (replace(figure, kind=""), not untimed)
    if untimed:
        return Figure("latency", detail=untimed), False
    is_quick = find(chosen.runtime).is_quick
    waits = "timed when the hand rests" if is_quick else "not timed yet"
    return Figure("latency", detail=waits), not is_quick


def _latency(latency: Latency | None, chosen: Chosen, otherwise: str, almost: str = "") -> Figure:
    if latency is None:
        return Figure("latency", detail=otherwise)
    value = f"{almost}{units.milliseconds(latency.median_ms)}"
    spread = units.milliseconds_range(latency.median_ms, latency.low_ms, latency.high_ms)
    detail = f"{spread.partition('(')[2].rstrip(')')}, {_where(chosen)}"
    change, verdict = _speed(latency, almost)
    kind = "estimated" if almost else "measured"
    if latency.is_simulated:
        return Figure("latency", "simulated only", f"in float32 {value}", change, verdict, kind)
    return Figure("latency", value, detail, change, verdict, kind)


def _speed(latency: Latency, almost: str) -> tuple[str, str]:
    """How much faster than the baseline timed in turns, and whether that is more than the spread."""
    if latency.speedup == latency.speedup_low == latency.speedup_high == 1.0:  # the baseline itself
        return "", ""
    interval = units.times_range(latency.speedup, latency.speedup_low, latency.speedup_high)
    ratio, _, spread = interval.partition(" (")
    is_seen = not latency.speedup_low <= 1 <= latency.speedup_high
    word = "faster" if latency.speedup > 1 else "slower"
    return f"{almost}{ratio} as fast", f"{spread.rstrip(')')}: {word if is_seen else 'no difference seen'}"


def _where(chosen: Chosen) -> str:
    """`PyTorch, 1 thread`, `PyTorch, batch 16, 2 threads`; one thread of a batch is not said."""
    batch = f", batch {chosen.batch}" if chosen.batch > 1 else ""
    is_said = chosen.threads > 1 or chosen.batch == 1
    threads = f", {chosen.threads} thread{'s' if chosen.threads > 1 else ''}" if is_said else ""
    return f"{title(chosen.runtime)}{batch}{threads}"


def _settings(latency: Latency) -> tuple[str, int, int]:
    return latency.runtime, latency.batch, latency.threads


def _why_untimed(report: Report, runtime: str) -> str:
    named = (note for note in report.notes if "latency" in note and title(runtime) in note)
    return next(named, "not timed with these settings")


def _dense(preview: Preview, zeros: float, runtime: str) -> str:
    """Why zeros do not make it faster, where there are many."""
    if zeros < _MANY_ZEROS or not is_timed_alike(preview, runtime):
        return ""
    said = f"{units.share(zeros, 0)} zeros"
    narrowest = min((each.bits for each in preview.layers if each.parameters), default=32)
    if narrowest < 16:  # a grid; half precision is one that processors know
        said += f" and {narrowest:g}-bit weights"
    return f"{said} make the file small; dense kernels still multiply them."


def _macs(macs: int | None, known: Known, detail: str) -> Figure:
    if macs is None:
        return Figure("MACs", detail=detail)
    change = _of(macs, known.macs, units.count)
    return Figure("MACs", units.count(macs), detail, change, kind="claimed")


def _memory(memory: int | None, before: int | None, kind: str) -> Figure:
    """Peak memory of one forward pass: the tensors alive, so the same in every run."""
    if memory is None:
        return Figure(MEMORY.title)
    what = "weights and activations"
    almost = "≈ " if kind == "estimated" else ""
    return Figure(MEMORY.title, f"{almost}{units.size(memory)}", what, _of(memory, before), kind=kind)


def _of(now: float | None, before: float | None, written: object = units.size) -> str:
    """`▼ 39× of 1.72 MB`."""
    if now is None or before is None:
        return ""
    change = units.smaller(now, before)
    return "as the original" if change == "=" else f"{change} of {written(before)}"  # type: ignore[operator]


def _parameters(count: int | None, zeros: float = 0.0) -> str:
    if count is None:
        return ""
    told = f"{units.count(count)} parameters"
    return f"{told}, {units.share(zeros, 0)} zeros" if zeros >= 0.005 else told
