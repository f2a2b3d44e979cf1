"""What can be measured of a model, each quantity declared once.

The axes of charts, limits, the truth strip and tables of comparison read here how a quantity is called, in
which unit it is written and typed, which way is better, and how it is read from what was `Found` of a model.

>>> work = wb.examples.load("digits")                               # doctest: +SKIP
>>> known = quantities(work)                                        # doctest: +SKIP
>>> known["stored"].text(Found.of_report(version.report))           # doctest: +SKIP
'44.1 KB'
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from workbench.measurement import typed, units
from workbench.measurement.found import Found
from workbench.runtimes import runtimes as known_runtimes
from workbench.runtimes import title

if TYPE_CHECKING:
    from workbench.workload import Workload

# of own metrics whose object does not say `higher_is_better`
_LOWER_IS_BETTER = ("loss", "error", "err", "rmse", "mse", "mae", "mape", "perplexity", "wer", "cer", "nll")
_LATENCY, _ARTEFACT, _METRIC = "latency", "artefact", "metric"  # followed by ":" and a name


@dataclass(frozen=True)
class Unit:
    """How numbers of one unit are written and typed.

    Attributes:
        name: "share", "bytes", "ms", "count", "J", or "" for numbers without one.
        write: a number as text. between: a number with its interval.
        change: from a number before to one now, `change(now, before)`.
        read: a text as a person types it (or a number) as a number, None where it means none.
        example: what a person may type. is_log: whether an axis of it is best read in factors.
    """

    name: str
    write: Callable[[float | None], str]
    between: Callable[[float | None, float | None, float | None], str]
    change: Callable[[float | None, float | None], str]
    read: Callable[[float | str], float | None]
    example: str
    is_log: bool = False


@dataclass(frozen=True)
class Reading:
    """A quantity of one model: its value, with an interval where there is one.

    Attributes:
        spread: what the interval is: "95 % interval" or "quartiles". n: how many samples it is of.
        is_estimate: to be written with ≈.
    """

    value: float
    low: float | None = None
    high: float | None = None
    spread: str = ""
    n: int | None = None
    is_estimate: bool = False


@dataclass(frozen=True)
class Quantity:
    """One thing that can be measured.

    Attributes:
        name: how Python calls it: "accuracy", "stored", "latency:onnxruntime", "metric:rmse".
        title: how people do. kind: "measured", "stored" or "claimed", as in a report.
        of: what `Found` says of it, None where it is not known.
        lacks: why a model may have none, in a few words.
    """

    name: str
    title: str
    unit: Unit
    kind: str
    of: Callable[[Found], Reading | None]
    is_higher_better: bool = False
    help: str = ""
    lacks: str = "not measured"

    def read(self, found: Found) -> Reading | None:
        """What is known of it; None where it is not."""
        return self.of(found)

    def value(self, found: Found) -> float | None:
        """The plain number; None where it is not known."""
        reading = self.of(found)
        return None if reading is None else reading.value

    def text(self, found: Found) -> str:
        """As people read it: `98.4 % (97.1–99.2), n = 540`, `≈ 44.1 KB`, `–`."""
        reading = self.of(found)
        if reading is None:
            return units.UNKNOWN
        almost = "≈ " if reading.is_estimate else ""
        n = f", n = {reading.n:,}" if reading.n else ""
        return f"{almost}{self.unit.between(reading.value, reading.low, reading.high)}{n}"

    def change(self, now: Found, before: Found) -> str:
        """From `before` to `now`: `▼ 39×`, `−0.4 points`; a dash where one of them is not known."""
        return self.unit.change(self.value(now), self.value(before))

    def why_not(self, found: Found) -> str:
        """Why there is no reading; empty where there is one."""
        if self.of(found) is not None:
            return ""
        group, _, runtime = self.name.partition(":")
        timed = found.latency.get(runtime)
        if group == _LATENCY and timed is not None and timed.is_simulated:
            return "simulated only, computed in float32 there"
        return self.lacks

    def is_better(self, a: float, b: float) -> bool:
        """Whether `a` is the better value."""
        return a > b if self.is_higher_better else a < b


def quantities(work: Workload | None = None, runtimes: Iterable[str] | None = None) -> dict[str, Quantity]:
    """Every quantity of a workload by name, in the order a list shows them.

    Args:
        work: whose own metrics are meant, and whether it has classes; with None it has, and no metrics.
        runtimes: names of runtimes whose latency and artefact are wanted; all there are with None.
    """
    names = tuple(known_runtimes() if runtimes is None else dict.fromkeys(runtimes))
    of_metrics = [metric(name, each) for name, each in (work.metrics if work is not None else {}).items()]
    judged = [*_SHARES, *of_metrics] if work is None or work.is_classification else of_metrics
    found = [*judged, *_SIZES, *map(latency, names), *map(artefact, names), *_COSTS]
    return {each.name: each for each in found}


def latency(runtime: str) -> Quantity:
    """The median time of a forward pass on a runtime."""

    def of(found: Found) -> Reading | None:
        timed = found.latency.get(runtime)
        if timed is None or timed.is_simulated:
            return None
        return Reading(timed.ms, timed.low, timed.high, "quartiles", is_estimate=found.is_estimate)

    help_ = "median of one forward pass, timed in turns with the baseline; the line spans the quartiles"
    name, told = f"{_LATENCY}:{runtime}", f"latency, {title(runtime)}"
    return Quantity(name, told, MILLISECONDS, "measured", of, help=help_, lacks="not timed on this runtime")


def artefact(runtime: str) -> Quantity:
    """The bytes a runtime loads."""

    def of(found: Found) -> Reading | None:
        timed = found.latency.get(runtime)
        return _reading(timed.artefact_bytes if timed is not None else None, found)

    name, told, help_ = f"{_ARTEFACT}:{runtime}", f"{title(runtime)} artefact", "bytes the runtime loads"
    return Quantity(name, told, BYTES, "stored", of, help=help_, lacks="not run on this runtime")


def metric(name: str, judge: Any = None) -> Quantity:
    """A metric of the user's own; `judge.higher_is_better`, as torchmetrics has it, says which way is better.

    Where it does not say, names of errors (`rmse`, `val_loss`) are better lower, all others higher.
    """
    told = getattr(judge, "higher_is_better", None)
    words = name.lower().replace("-", "_").replace(" ", "_").split("_")
    is_higher = bool(told) if told is not None else not any(each in _LOWER_IS_BETTER for each in words)
    return Quantity(
        f"{_METRIC}:{name}",
        name,
        NUMBER,
        "measured",
        lambda found: _reading(found.metrics.get(name), found),
        is_higher,
        "a metric of this workload",
        "not measured",
    )


def _reading(value: float | None, found: Found) -> Reading | None:
    return None if value is None else Reading(value, is_estimate=found.is_estimate)


def _accuracy(found: Found) -> Reading | None:
    said = found.accuracy
    if said is None:
        return None
    return Reading(said.value, said.low, said.high, "95 % interval", said.n, found.is_estimate)


def _macro(name: str, told: str) -> Quantity:
    def of(found: Found) -> Reading | None:
        return _reading(getattr(found.accuracy, name, None), found)

    help_ = "mean over the classes that occur"
    return Quantity(name, f"{told}, macro", SHARE, "measured", of, True, help_, _NO_DATA)


def _plain(name: str, told: str, unit: Unit, kind: str, help_: str, lacks: str = "not measured") -> Quantity:
    """A quantity that stands in `Found` under its own name."""
    return Quantity(
        name, told, unit, kind, lambda found: _reading(getattr(found, name), found), False, help_, lacks
    )


def _energy(found: Found) -> Reading | None:
    said = found.energy
    is_estimate = found.is_estimate or (said is not None and said.kind == "estimated")
    return None if said is None else Reading(said.joules, is_estimate=is_estimate)


def _points(now: float | None, before: float | None) -> str:
    if now is None or before is None:
        return units.UNKNOWN
    return f"{units.points(now - before)} points"


def _difference(now: float | None, before: float | None) -> str:
    return units.UNKNOWN if now is None or before is None else units.signed(now - before, 4)


def _number(value: float | None) -> str:
    return units.UNKNOWN if value is None else f"{value:.4g}".replace("-", "−")


def _alone(write: Callable[[float | None], str]) -> Callable[[Any, Any, Any], str]:
    return lambda value, low, high: write(value)


_NO_DATA = "no accuracy: no validation data"
_NO_EXAMPLE = "not counted: no example input"

SHARE = Unit("share", units.share, units.share_range, _points, typed.share, "98 %")
BYTES = Unit("bytes", units.size, _alone(units.size), units.smaller, typed.size, "50 KB", is_log=True)
COUNT = Unit("count", units.count, _alone(units.count), units.smaller, typed.count, "1.5 M", is_log=True)
JOULES = Unit("J", units.joules, _alone(units.joules), units.smaller, typed.joules, "20 µJ", is_log=True)
MILLISECONDS = Unit(
    "ms", units.milliseconds, units.milliseconds_range, units.smaller, typed.milliseconds, "2 ms"
)
NUMBER = Unit("", _number, _alone(_number), _difference, typed.plain, "0.5")
UNITS = {each.name: each for each in (SHARE, BYTES, COUNT, JOULES, MILLISECONDS, NUMBER)}

ACCURACY = Quantity(
    "accuracy",
    "accuracy",
    SHARE,
    "measured",
    _accuracy,
    True,
    "share of right predictions; the line spans the 95 % Wilson interval",
    _NO_DATA,
)
STORED = _plain("stored", "stored size", BYTES, "stored", "bytes of the packed file")
CLAIMED = _plain("claimed", "claimed size", BYTES, "claimed", "bits times kept weights, by arithmetic")
PARAMETERS = _plain("parameters", "parameters", COUNT, "claimed", "tied ones once, zeros included")
MACS = _plain("macs", "MACs", COUNT, "claimed", "multiplications of one sample, zeros included", _NO_EXAMPLE)
MEMORY = _plain(
    "peak_memory",
    "peak memory",
    BYTES,
    "measured",
    "weights and live activations at the worst moment of one forward pass in PyTorch",
    "memory is measured when it is run",
)
ENERGY = Quantity(
    "energy", "energy", JOULES, "measured", _energy, help="of one inference", lacks="not measured"
)

_SHARES = (ACCURACY, _macro("precision", "precision"), _macro("recall", "recall"), _macro("f1", "F1"))
_SIZES = (STORED, CLAIMED)
_COSTS = (MACS, PARAMETERS, MEMORY, ENERGY)
