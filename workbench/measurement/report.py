"""Everything measured of one model, as one frozen record that is written as text, HTML, a table or JSON."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, TypeVar

from workbench.measurement import rendering
from workbench.measurement.accuracy import Accuracy
from workbench.measurement.agreement import Agreement
from workbench.measurement.energy import Energy
from workbench.measurement.pairing import Paired
from workbench.measurement.rows import rows
from workbench.measurement.size import Size
from workbench.measurement.verdict import sentence

R = TypeVar("R")


@dataclass(frozen=True)
class Latency:
    """One forward pass on one runtime, timed in turns with the baseline.

    Attributes:
        median_ms, low_ms, high_ms, p95_ms: of a batch; the quartiles are `low_ms` and `high_ms`.
        baseline_ms: the baseline's median in the same run.
        speedup: above 1 the model is faster than the baseline; the median over the rounds of the ratio
            within a round, so not exactly the ratio of the medians. `speedup_low` to `speedup_high` is its
            95 % interval within this run, at least 1 % to each side.
        artefact_bytes: what the runtime loads.
        rounds: how often both were timed.
        is_simulated: weights or activations are rounded, but this runtime computed them in float32.
        agreement: how well int8 kernels agree with what was simulated; None where nothing ran on them.
        integer_layers: how many layers ran on int8 kernels.
    """

    runtime: str
    median_ms: float
    low_ms: float
    high_ms: float
    p95_ms: float
    baseline_ms: float
    speedup: float
    speedup_low: float
    speedup_high: float
    artefact_bytes: int
    threads: int
    batch: int
    rounds: int
    is_simulated: bool = False
    baseline_artefact_bytes: int | None = None
    agreement: Agreement | None = None
    integer_layers: int = 0


@dataclass(frozen=True)
class Baseline:
    """What the baseline has, for the deltas of a report; its size and latency stand beside the model's."""

    accuracy: Accuracy | None
    metrics: Mapping[str, float]
    parameters: int
    nonzero: int
    macs: int | None
    peak_memory: int | None
    energy: Energy | None = None


@dataclass(frozen=True)
class Foretold:
    """What a preview had estimated of a model before it was made; None for what it did not tell.

    Attributes:
        stored: bytes of the file. accuracy: a share. speedup: over the baseline on `runtime`.
    """

    stored: int | None = None
    accuracy: float | None = None
    speedup: float | None = None
    runtime: str = ""


@dataclass(frozen=True)
class Report:
    """Claimed, stored and measured figures of one model.

    Attributes:
        accuracy: with its interval; None without data or classes. metrics: the users' own, by name.
        size, baseline_size: bytes claimed by arithmetic, and stored in a file.
        latency: by runtime; a runtime that could not take the model is missing here and named in `notes`.
        parameters, nonzero: counts; tied tensors once.
        macs: multiply-accumulates of one sample, zeros included; None without an example input.
        peak_memory: bytes of weights and live activations at the worst moment of one forward pass.
        paired: the same samples against the baseline; None for the baseline itself.
        notes: what a reader must know: how data were split, what could not be measured and why.
        baseline: what the deltas are taken from; None for the baseline itself.
        weight_bits: of the narrowest grid; None where no weight lies on one.
        nonzero_macs: multiplications left if those with a zero weight were skipped.
        energy: of one inference, from the processor's counters or, where none can be read, an estimate.
        further: latency with other batches and thread counts, or on other runtimes, timed afterwards.
        foretold: what the preview had said before the run; None where there was none.
    """

    name: str
    accuracy: Accuracy | None
    metrics: Mapping[str, float]
    size: Size
    baseline_size: Size
    latency: Mapping[str, Latency]
    parameters: int
    nonzero: int
    macs: int | None
    peak_memory: int | None
    paired: Paired | None = None
    notes: tuple[str, ...] = ()
    baseline: Baseline | None = None
    weight_bits: int | None = None
    nonzero_macs: int | None = None
    energy: Energy | None = None
    is_stopped: bool = False
    further: tuple[Latency, ...] = ()
    foretold: Foretold | None = None

    @property
    def is_baseline(self) -> bool:
        """Whether this is the baseline itself."""
        return self.baseline is None

    @property
    def zeros(self) -> float:
        """The share of parameters that are zero."""
        return 1 - self.nonzero / self.parameters if self.parameters else 0.0

    @property
    def sentence(self) -> str:
        """Why claimed, stored and measured disagree, in one sentence; empty where they do not."""
        return sentence(self)

    def latency_with(self, runtime: str, batch: int = 1, threads: int = 1) -> Latency | None:
        """The latency on a runtime with a batch and a thread count; None where it was not timed so."""
        timed = (*self.further[::-1], *([self.latency[runtime]] if runtime in self.latency else ()))
        wanted = (runtime, batch, threads)
        return next((each for each in timed if (each.runtime, each.batch, each.threads) == wanted), None)

    def timed(self, latency: Latency) -> Report:
        """This report with one more latency; one with the same settings takes the place of the older."""
        settings = (latency.runtime, latency.batch, latency.threads)
        rest = tuple(e for e in self.further if (e.runtime, e.batch, e.threads) != settings)
        return dataclasses.replace(self, further=(*rest, latency))

    def table(self) -> list[dict[str, Any]]:
        """One row a figure: what, kind (claimed, stored or measured), value, low, high, baseline, unit."""
        return [dataclasses.asdict(each) for each in rows(self)]

    def text(self) -> str:
        """The report for a terminal."""
        return rendering.text(self)

    def _repr_html_(self) -> str:
        return rendering.html(self)

    def __str__(self) -> str:
        return self.text()

    def to_dict(self) -> dict[str, Any]:
        """Plain data for JSON."""
        return dataclasses.asdict(self)

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> Report:
        """The report `to_dict` wrote; what a later version added is filled with its default."""
        plain = dict(data)
        plain["accuracy"] = _made(Accuracy, data.get("accuracy"))
        plain["size"], plain["baseline_size"] = _made(Size, data["size"]), _made(Size, data["baseline_size"])
        plain["latency"] = {name: _latency(each) for name, each in data.get("latency", {}).items()}
        plain["energy"] = _made(Energy, data.get("energy"))
        plain["paired"] = _made(Paired, data.get("paired"))
        plain["notes"] = tuple(data.get("notes", ()))
        plain["further"] = tuple(_latency(each) for each in data.get("further", ()))
        plain["foretold"] = _made(Foretold, data.get("foretold"))
        if before := data.get("baseline"):
            accuracy = _made(Accuracy, before.get("accuracy"))
            energy = _made(Energy, before.get("energy"))
            plain["baseline"] = _made(Baseline, {**before, "accuracy": accuracy, "energy": energy})
        return _made(cls, plain)


def _latency(data: Mapping[str, Any]) -> Latency | None:
    return _made(Latency, {**data, "agreement": _made(Agreement, data.get("agreement"))})


def _made(record: type[R], data: Mapping[str, Any] | None) -> R | None:
    """A record from plain data, without what this version does not know."""
    if data is None:
        return None
    known = {each.name for each in dataclasses.fields(record)}  # type: ignore[arg-type]
    return record(**{name: value for name, value in data.items() if name in known})
