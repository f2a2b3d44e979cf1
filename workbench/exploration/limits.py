"""Limits a version must keep, which versions do, and which of those is best. Nothing here needs torch.

At most so many bytes, milliseconds and operations, at least so much accuracy: what an edge device asks. A
version that lacks a figure is not feasible, since nobody knows that it fits; one whose interval crosses a
limit is, and it is said.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable, Mapping, Sequence
from dataclasses import dataclass, field, fields, replace
from typing import Any

from workbench.errors import OptionError, shown
from workbench.measurement.found import Found
from workbench.measurement.quantities import (
    ACCURACY,
    MACS,
    MEMORY,
    STORED,
    Quantity,
    artefact,
    latency,
)

# the field of a limit, and what it limits on a runtime
LIMITED: dict[str, Callable[[str], Quantity]] = {
    "max_size": lambda runtime: STORED,
    "max_latency": latency,
    "max_memory": lambda runtime: MEMORY,
    "max_artefact": artefact,
    "max_macs": lambda runtime: MACS,
    "min_accuracy": lambda runtime: ACCURACY,
}


@dataclass(frozen=True)
class Limits:
    """What a version may cost at most and must reach at least; None is no limit.

    Each may be a number or a text: `Limits(max_size="50 KB", max_latency="2 ms", min_accuracy="98 %")`.

    Attributes:
        max_size: bytes of the packed file. max_latency: milliseconds on the runtime that is shown.
        max_memory: bytes of weights and activations at the worst moment of one forward pass.
        max_artefact: bytes of what the runtime loads. max_macs: multiplications of one sample.
        min_accuracy: a share.

    Raises:
        OptionError: a text that is no such figure.
    """

    max_size: float | str | None = None
    max_latency: float | str | None = None
    max_memory: float | str | None = None
    max_artefact: float | str | None = None
    max_macs: float | str | None = None
    min_accuracy: float | str | None = None

    def __post_init__(self) -> None:
        for each in fields(self):
            object.__setattr__(self, each.name, meant(each.name, getattr(self, each.name)))

    @classmethod
    def of(cls, limits: Limits | Mapping[str, Any] | None) -> Limits:
        """Limits from a mapping of their fields; none at all with None.

        Raises:
            OptionError: there is no such limit, or a text that is no figure.
        """
        if isinstance(limits, Limits):
            return limits
        if limits is not None and not isinstance(limits, Mapping):
            raise OptionError(f"limits are given by name, like {{'max_size': '50 KB'}}; got {shown(limits)}")
        for name in limits or {}:
            if name not in LIMITED:
                raise OptionError(f"there is no limit {shown(name)}; there are {', '.join(LIMITED)}")
        return cls(**(limits or {}))

    def changed(self, name: str, value: float | str | None) -> Limits:
        """With another value of one limit; an empty text takes it away."""
        return replace(self, **{name: value})

    def given(self, runtime: str) -> dict[str, tuple[Quantity, float]]:
        """What is limited, by the quantity's name: the quantity and its limit."""
        named = ((make(runtime), getattr(self, name)) for name, make in LIMITED.items())
        return {quantity.name: (quantity, limit) for quantity, limit in named if limit is not None}

    def __bool__(self) -> bool:
        return any(getattr(self, each.name) is not None for each in fields(self))


@dataclass(frozen=True)
class Verdict:
    """What limits say of one model, in words.

    Attributes:
        misses: the limits it does not keep. lacks: figures that are not known, so that nobody can tell.
        doubts: limits it keeps by its value but not with its whole interval.
        excess: by how many times it misses the limit it is furthest from; 1 where it keeps all.
    """

    misses: tuple[str, ...] = ()
    lacks: tuple[str, ...] = ()
    doubts: tuple[str, ...] = ()
    excess: float = 1.0

    @property
    def fits(self) -> bool:
        """Whether every limit is kept, as far as the values tell."""
        return not self.misses and not self.lacks


@dataclass(frozen=True)
class Outcome:
    """What limits leave: a verdict for each model, and the best of those that fit; by the models' ids."""

    verdicts: Mapping[Hashable, Verdict] = field(default_factory=dict)
    best: Any = None
    nearest: Any = None  # where none fits: what misses least

    @property
    def fitting(self) -> list[Any]:
        """The ids of those that fit."""
        return [id for id, verdict in self.verdicts.items() if verdict.fits]


def meant(name: str, written: float | str | None) -> float | None:
    """The number a limit is; None for none, or an empty text.

    Raises:
        OptionError: it is no figure of this unit.
    """
    if written is None or (isinstance(written, str) and not written.strip()):
        return None
    unit = LIMITED[name]("").unit
    number = unit.read(written)
    if number is None:
        raise OptionError(f"{words(name)}: write it like {unit.example}, got {shown(written)}")
    return number


def words(name: str) -> str:
    """A limit as people say it: `size at most`, `accuracy at least`."""
    end, _, what = name.partition("_")
    return f"{'MACs' if what == 'macs' else what} {'at most' if end == 'max' else 'at least'}"


def judge(limits: Limits, found: Found, runtime: str) -> Verdict:
    """Hold the figures of one model against limits."""
    misses, lacks, doubts, excess = [], [], [], 1.0
    for quantity, limit in limits.given(runtime).values():
        reading, text = quantity.read(found), quantity.unit.write(limit)
        side = "below" if quantity.is_higher_better else "over"
        if reading is None:
            lacks.append(f"{quantity.title}: {quantity.why_not(found)}")
        elif quantity.is_better(limit, reading.value):
            misses.append(f"{quantity.title} {quantity.unit.write(reading.value)} is {side} {text}")
            excess = max(excess, _excess(quantity, reading.value, limit))
        else:
            worst = reading.low if quantity.is_higher_better else reading.high
            if worst is not None and quantity.is_better(limit, worst):
                reach = f"reach{'es' if reading.spread != 'quartiles' else ''} {quantity.unit.write(worst)}"
                doubts.append(f"{quantity.title}: its {reading.spread} {reach}, {side} {text}")
    return Verdict(tuple(misses), tuple(lacks), tuple(doubts), excess)


def outcome(
    limits: Limits, models: Sequence[tuple[Hashable, Found]], runtime: str, by: Quantity = ACCURACY
) -> Outcome:
    """Hold every model against limits; the best that fits is best by one quantity, then the smallest file."""
    if not limits:
        return Outcome()
    verdicts = {id: judge(limits, found, runtime) for id, found in models}
    fitting = [(id, found) for id, found in models if verdicts[id].fits]
    if fitting:
        return Outcome(verdicts, min(fitting, key=lambda each: _order(by, each[1]))[0])
    known = [id for id, _ in models if not verdicts[id].lacks]
    return Outcome(verdicts, nearest=min(known, key=lambda id: verdicts[id].excess, default=None))


def told(outcome: Outcome, names: Mapping[Any, str], figures: Callable[[Any], str], by: Quantity) -> str:
    """The outcome in one or two sentences.

    Args:
        names: how each model is called. figures: what is written behind the name of the best.
    """
    many, fitting = len(outcome.verdicts), len(outcome.fitting)
    if not many:
        return ""
    said = [_best(outcome, names, figures, by)] if fitting else [_none(outcome, names, many)]
    lacking: dict[str, list[str]] = {}
    for id, verdict in outcome.verdicts.items():
        if verdict.lacks and not verdict.misses:
            lacking.setdefault(verdict.lacks[0], []).append(names[id])
    for why, who in lacking.items():
        listed = f"{', '.join(who[:4])}{f' and {len(who) - 4} more' if len(who) > 4 else ''}"
        said.append(f"Not counted, since nobody can tell: {listed} ({why}).")
    return " ".join(said)


def _best(outcome: Outcome, names: Mapping[Any, str], figures: Callable[[Any], str], by: Quantity) -> str:
    best, many, fitting = outcome.best, len(outcome.verdicts), len(outcome.fitting)
    way = "highest" if by.is_higher_better else "lowest"
    said = f"{fitting} of {many} fit{'s' * (fitting == 1)}; {way} {by.title}: {names[best]}, {figures(best)}."
    doubts = outcome.verdicts[best].doubts
    return f"{said} Not certain: {'; '.join(doubts)}." if doubts else said


def _none(outcome: Outcome, names: Mapping[Any, str], many: int) -> str:
    if outcome.nearest is None:
        return f"None of {many} is known to fit."
    return f"None of {many} fits. Nearest: {names[outcome.nearest]}, {_missed(outcome)}."


def _missed(outcome: Outcome) -> str:
    return "; ".join(outcome.verdicts[outcome.nearest].misses)


def _excess(quantity: Quantity, value: float, limit: float) -> float:
    """How far a value misses its limit, as a ratio above 1; of accuracy the ratio of errors."""
    if quantity.is_higher_better:
        return (1 - value) / max(1 - limit, 1e-6)
    return value / limit


def _order(by: Quantity, found: Found) -> tuple[bool, float, float]:
    """What is better comes first; what is not known last."""
    value, size = by.value(found), STORED.value(found)
    sign = -1.0 if by.is_higher_better else 1.0
    return value is None, sign * (value or 0.0), size if size is not None else float("inf")
