"""What has been found of one model, whichever record it stands in: a report, a baseline, a preview.

Every quantity (`quantities`) is read from this one record, so that charts, limits and tables need not know
where a figure comes from.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from workbench.measurement.accuracy import Accuracy
    from workbench.measurement.energy import Energy
    from workbench.measurement.report import Latency, Report
    from workbench.preview import Preview


@dataclass(frozen=True)
class Timed:
    """One forward pass on one runtime, in milliseconds with its quartiles, and the bytes the runtime loads.

    Attributes:
        is_simulated: the runtime computed rounded values in float32: the time is not this model's.
    """

    ms: float
    low: float | None = None
    high: float | None = None
    artefact_bytes: float | None = None
    is_simulated: bool = False

    @classmethod
    def of(cls, latency: Latency) -> Timed:
        """The model's side of a latency."""
        simulated = latency.is_simulated
        return cls(latency.median_ms, latency.low_ms, latency.high_ms, latency.artefact_bytes, simulated)


@dataclass(frozen=True)
class Found:
    """The figures of one model; None (or missing from a mapping) is what is not known.

    Attributes:
        stored: bytes of its file; of a preview about what it will weigh.
        latency: by the runtime's name.
        is_estimate: whether these are a preview's, to be written with ≈.
    """

    accuracy: Accuracy | None = None
    metrics: Mapping[str, float] = field(default_factory=dict)
    stored: float | None = None
    claimed: float | None = None
    parameters: float | None = None
    nonzero: float | None = None
    macs: float | None = None
    peak_memory: float | None = None
    energy: Energy | None = None
    latency: Mapping[str, Timed] = field(default_factory=dict)
    is_estimate: bool = False

    @classmethod
    def of_report(cls, report: Report) -> Found:
        """What a report says of its model."""
        return cls(
            report.accuracy,
            report.metrics,
            report.size.stored,
            report.size.claimed,
            report.parameters,
            report.nonzero,
            report.macs,
            report.peak_memory,
            report.energy,
            {name: Timed.of(each) for name, each in report.latency.items()},
        )

    @classmethod
    def of_baseline(cls, report: Report) -> Found:
        """What a report says of the baseline beside its model."""
        before = report.baseline
        if before is None:
            return cls.of_report(report)
        return cls(
            before.accuracy,
            before.metrics,
            report.baseline_size.stored,
            report.baseline_size.claimed,
            before.parameters,
            before.nonzero,
            before.macs,
            before.peak_memory,
            before.energy,
            {
                name: Timed(each.baseline_ms, artefact_bytes=each.baseline_artefact_bytes)
                for name, each in report.latency.items()
            },
        )

    @classmethod
    def of_preview(cls, preview: Preview) -> Found:
        """What a preview estimates."""
        return cls(
            preview.accuracy,
            preview.metrics or {},
            preview.estimated_bytes,
            preview.claimed_bytes,
            preview.parameters,
            preview.nonzero,
            preview.macs,
            preview.peak_memory,
            latency=_usual(preview.latency),
            is_estimate=True,
        )

    def or_else(self, other: Found) -> Found:
        """These figures, and where one is not known the other's."""
        own, rest = vars(self), vars(other)
        merged = {
            name: {**rest[name], **value}
            if isinstance(value, Mapping)
            else rest[name]
            if value is None
            else value
            for name, value in own.items()
        }
        return Found(**merged)


def _usual(latency: Latency | None) -> dict[str, Timed]:
    """A latency by its runtime, where it was timed with one sample and one thread, as reports have it."""
    if latency is None or latency.batch != 1 or latency.threads != 1:
        return {}
    return {latency.runtime: Timed.of(latency)}
