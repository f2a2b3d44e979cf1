"""The one sentence that says why claimed, stored and measured figures disagree."""

from __future__ import annotations

from typing import TYPE_CHECKING

from workbench.measurement import units
from workbench.runtimes import title

if TYPE_CHECKING:
    from workbench.measurement.report import Latency, Report

_MANY_ZEROS = 0.2
_SPARSE = "pytorch-sparse"
_FASTER = 1.1  # below this a model is called as fast as before


def sentence(report: Report) -> str:
    """One sentence for the largest disagreement; empty where there is none to explain."""
    if report.baseline is None:
        return ""
    return _zeros_and_bits(report) or _products_and_time(report) or _claimed_and_stored(report)


def _zeros_and_bits(report: Report) -> str:
    """Weights that are smaller in the file than for the runtime."""
    has_zeros, bits = report.zeros >= _MANY_ZEROS, report.weight_bits
    if not has_zeros and bits is None:
        return ""
    fastest = _fastest(report)
    is_slow = fastest is None or fastest.speedup < _FASTER
    zeros, small = units.share(report.zeros, 0), "small" if _is_smaller(report) else "no smaller"
    integers = [each for each in report.latency.values() if each.integer_layers]
    if integers:
        return _integers(max(integers, key=lambda each: each.speedup))
    if has_zeros and bits is not None and is_slow:
        return (
            f"{zeros} zeros and {bits}-bit weights make the file {small}; runtimes here still multiply every "
            f"weight in float32: speed at {bits} bits is simulated only."
        )
    if bits is not None:
        return f"{bits}-bit weights are stored in {bits} bits but computed in float32 here: simulated only."
    if (sparse := report.latency.get(_SPARSE)) is not None:
        return _skipped(sparse, f"{zeros} zeros make the file {small}")
    if is_slow:
        runtime = "this runtime" if fastest and len(report.latency) == 1 else "dense kernels"
        return f"{zeros} zeros make the file {small}; {runtime} still multiply them.".replace(
            "this runtime still multiply", "this runtime still multiplies"
        )
    return ""


def _skipped(sparse: Latency, start: str) -> str:
    """Whether leaving zeros out pays, where a runtime tried."""
    if sparse.speedup >= _FASTER:
        return (
            f"{start} and it {units.times(sparse.speedup)} as fast on {title(sparse.runtime)}, which leaves "
            "them out; dense kernels still multiply them."
        )
    return f"{start}; sparse kernels are no faster here than dense ones, which still multiply them."


def _integers(latency: Latency) -> str:
    """Whole numbers that are no faster; empty where they are."""
    if latency.speedup >= _FASTER:
        return ""
    count = f"{latency.integer_layers} layer{'s' if latency.integer_layers > 1 else ''}"
    return (
        f"{title(latency.runtime)} computes {count} in int8 and is no faster here: "
        "rounding what goes in and out costs as much as the cheaper products save."
    )


def _products_and_time(report: Report) -> str:
    """Multiplications that fell further than time did."""
    fastest = _fastest(report)
    if fastest is None or not report.macs or not report.baseline or not report.baseline.macs:
        return ""
    fewer = report.baseline.macs / report.macs
    if fewer < _FASTER:
        return ""
    runtime = title(fastest.runtime)
    if fastest.speedup < 0.97:
        return (
            f"{units.times(fewer)} fewer multiplications, and yet slower on {runtime} "
            f"({units.times(fastest.speedup)}): more and thinner layers cost more than they save."
        )
    if fastest.speedup < 0.8 * fewer:
        return (
            f"{units.times(fewer)} fewer multiplications make it {units.times(fastest.speedup)} as fast on "
            f"{runtime}: memory traffic and the cost of calling a layer do not shrink with them."
        )
    return ""


def _claimed_and_stored(report: Report) -> str:
    """A file that is larger or smaller than bits times weights."""
    claimed, stored = report.size.claimed, report.size.stored
    if not stored or not claimed:
        return ""
    if stored > 1.25 * claimed:
        rest = units.size(stored - claimed)
        return f"The file holds {rest} more than the weights: where the zeros are, shapes, names and recipe."
    if stored < 0.9 * claimed:
        return (
            f"The file is {units.times(claimed / stored)} smaller than bits × weights: "
            "frequent values are written with fewer bits."
        )
    return ""


def _fastest(report: Report) -> Latency | None:
    return max(report.latency.values(), key=lambda each: each.speedup, default=None)


def _is_smaller(report: Report) -> bool:
    now, before = report.size.stored, report.baseline_size.stored
    return not (now and before) or now < 0.9 * before
