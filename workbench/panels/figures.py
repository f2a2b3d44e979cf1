"""The truth strip as records: each figure with its kind, its interval and its change from the baseline."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

from workbench.measurement import units
from workbench.panels.chosen import Chosen
from workbench.runtimes import find, title
from workbench.runtimes.base import INTEGERS, ZEROS

if TYPE_CHECKING:
    from workbench.measurement.accuracy import Accuracy
    from workbench.measurement.pairing import Paired
    from workbench.measurement.report import Latency, Report
    from workbench.preview import Preview

NO_DATA = "No validation data, so no accuracy: wb.Workload(net, validation=val_loader) gives it."
METRICS = ("accuracy", "precision", "recall", "f1")  # of a classifier; own ones are known by their names
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


def metrics_of(own: Mapping[str, object], is_classification: bool) -> tuple[str, ...]:
    """The metrics that can be chosen, the usual one first."""
    return (*(METRICS if is_classification else ()), *own) or METRICS[:1]


def is_timed_alike(preview: Preview, runtime: str) -> bool:
    """Whether what is previewed takes as long as the original: same shapes, and nothing that this runtime
    makes use of."""
    follows = find(runtime).follows
    is_sparse = ZEROS in follows and preview.nonzero < (1 - _MANY_ZEROS) * preview.parameters
    is_lowered = INTEGERS in follows and preview.rounds_activations
    return preview.computes_alike and not is_sparse and not is_lowered


def of_baseline(known: Known, chosen: Chosen = USUAL, untimed: str = "") -> Strip:
    """The strip while nothing is changed: the original."""
    latency = known.latency_with(*chosen.settings)
    figures = (
        _metric(chosen.metric, known.accuracy, known.metrics, known, "measured"),
        Figure("stored", units.size(known.stored), "float32 file", kind="stored"),
        _latency(latency, chosen, untimed or "not timed yet"),
        Figure("MACs", units.count(known.macs), _parameters(known.parameters), kind="claimed"),
        _memory(known.memory, None, "measured"),
    )
    said = "" if known.has_data else NO_DATA
    return Strip("baseline", "baseline", figures, said, latency is None and not untimed)


def of_preview(preview: Preview, known: Known, chosen: Chosen = USUAL, untimed: str = "") -> Strip:
    """The strip of an estimate: every figure that is not exact is written with ≈."""
    zeros = 1 - preview.nonzero / max(preview.parameters, 1)
    latency, can_be_timed = _preview_latency(preview, known, chosen, untimed)
    figures = (
        _preview_metric(preview, known, chosen.metric),
        Figure(
            "stored",
            f"≈ {units.size(preview.estimated_bytes)}",
            f"claimed {units.size(preview.claimed_bytes)}",
            _of(preview.estimated_bytes, known.stored),
            kind="estimated",
        ),
        latency,
        _macs(preview.macs, known, _parameters(preview.parameters, zeros)),
        _memory(preview.peak_memory, known.memory, "measured"),
    )
    said = preview.note or ("" if known.has_data else NO_DATA) or _dense(preview, zeros, chosen.runtime)
    return Strip("preview", "preview", figures, said, can_be_timed)


def of_version(name: str, report: Report, known: Known, chosen: Chosen = USUAL, untimed: str = "") -> Strip:
    """The strip of a measured version."""
    latency = report.latency_with(*chosen.settings)
    before = report.baseline
    metric = _metric(
        chosen.metric,
        report.accuracy,
        report.metrics,
        known.told(accuracy=before.accuracy, metrics=before.metrics) if before else known,
        "measured",
    )
    figures = (
        _paired(metric, report.paired) if chosen.metric == "accuracy" else metric,
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


def _preview_metric(preview: Preview, known: Known, metric: str) -> Figure:
    if preview.is_new_net:
        return Figure(_title(metric), detail="press Run: it is not trained yet")
    found = _metric(metric, preview.accuracy, preview.metrics or {}, known, "estimated")
    return _paired(found, preview.paired, "≈ ") if metric == "accuracy" else found


def _metric(
    name: str, accuracy: Accuracy | None, own: Mapping[str, float], known: Known, kind: str
) -> Figure:
    """The chosen metric with its interval, where it has one, and its change."""
    if not known.has_data:
        return Figure(_title(name), detail="no validation data")
    almost = "≈ " if kind == "estimated" else ""
    if name not in METRICS:
        return _own_metric(name, own.get(name), known.metrics.get(name), almost, kind)
    if accuracy is None:
        return Figure(_title(name))
    value, before = _share(name, accuracy), _share(name, known.accuracy)
    if value is None:
        return Figure(_title(name), detail="after the last sample")
    where = f"n = {accuracy.n:,} {accuracy.split}"
    detail = f"{100 * accuracy.low:.1f}–{100 * accuracy.high:.1f}, {where}" if name == "accuracy" else where
    is_itself = accuracy is known.accuracy or before is None
    change = "" if is_itself else f"{almost}{units.points(value - before)} points"
    return Figure(_title(name), f"{almost}{units.share(value)}", detail, change, kind=kind)


def _own_metric(name: str, value: float | None, before: float | None, almost: str, kind: str) -> Figure:
    if value is None:
        return Figure(name, detail="after the last sample")
    is_known = before is not None and value != before
    change = f"{almost}{value - before:+.3g} of {before:.4g}".replace("-", "−") if is_known else ""
    return Figure(name, f"{almost}{value:.4g}", "your metric", change, kind=kind)


def _share(name: str, accuracy: Accuracy | None) -> float | None:
    if accuracy is None:
        return None
    return accuracy.value if name == "accuracy" else getattr(accuracy, name)


def _title(metric: str) -> str:
    """A metric as people write it."""
    if metric == "accuracy" or metric not in METRICS:
        return metric
    return f"{'F1' if metric == 'f1' else metric}, macro"


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
    """`PyTorch, batch 16, 2 threads`; what is usual is not said."""
    batch = f", batch {chosen.batch}" if chosen.batch > 1 else ""
    threads = f", {chosen.threads} thread{'s' if chosen.threads > 1 else ''}"
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
    return f"{units.share(zeros, 0)} zeros make the file small; dense kernels still multiply them."


def _macs(macs: int | None, known: Known, detail: str) -> Figure:
    if macs is None:
        return Figure("MACs", detail=detail)
    change = _of(macs, known.macs, units.count)
    return Figure("MACs", units.count(macs), detail, change, kind="claimed")


def _memory(memory: int | None, before: int | None, kind: str) -> Figure:
    """Peak memory of one forward pass: the tensors alive, so the same in every run."""
    if memory is None:
        return Figure("memory, peak")
    what = "weights and activations"
    return Figure("memory, peak", units.size(memory), what, _of(memory, before), kind=kind)


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
