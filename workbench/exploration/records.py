"""What a scan found: a record for each layer and strength, and all of them with what they are compared to."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from html import escape
from typing import Any, overload

from workbench.measurement import units
from workbench.measurement.accuracy import Accuracy
from workbench.measurement.pairing import Paired

ALONE, ONE_OUT = "all-others", "one-out"
LEAVE = (ALONE, ONE_OUT)
_HEAD = ("layer", "strength", "accuracy", "change", "output error", "bytes saved")


@dataclass(frozen=True)
class Effect:
    """What a technique did to the model in one layer at one strength, the rest untouched (or the reverse).

    Attributes:
        layer: the layer that was compressed alone, or, in a scan that leaves one out, the one left alone.
        strength: the value of the technique's first option; None for a technique that has none to vary.
        accuracy: on the scan's samples; None for a workload without classes.
        paired: against the untouched model on the same samples; None without classes.
        loss, loss_change: the mean over the samples, and its change.
        output_error: the length of the outputs' change over the length of the outputs.
        saved_bytes: claimed.
        also: other layers that had to change with it.
        notes: what the technique said.
        problem: why there are no figures, in one line; empty where there are.
        is_untouched: the technique left the model as it is; `notes` may say why.
    """

    layer: str
    strength: Any
    accuracy: Accuracy | None = None
    paired: Paired | None = None
    loss: float = math.nan
    loss_change: float = math.nan
    output_error: float = math.nan
    saved_bytes: int = 0
    also: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()
    problem: str = ""
    is_untouched: bool = False

    @property
    def drop(self) -> float:
        """What is lost: accuracy as a share, or loss where there are no classes; never below zero."""
        change = -self.paired.difference if self.paired is not None else self.loss_change
        return max(change, 0.0)

    @property
    def is_seen(self) -> bool:
        """Whether the samples show a difference at the 5 % level (exact McNemar test)."""
        return self.paired is not None and self.paired.is_seen

    def to_dict(self) -> dict[str, Any]:
        """The record as plain data, for JSON."""
        plain = dataclasses.asdict(self)
        return {name: list(each) if isinstance(each, tuple) else each for name, each in plain.items()}

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> Effect:
        """The record `to_dict` wrote."""
        accuracy, paired = data.get("accuracy"), data.get("paired")
        return cls(
            **{
                **data,
                "accuracy": Accuracy(**accuracy) if accuracy else None,
                "paired": Paired(**paired) if paired else None,
                "also": tuple(data.get("also", ())),
                "notes": tuple(data.get("notes", ())),
            }
        )


@dataclass(frozen=True)
class Sensitivity(Sequence[Effect]):
    """Which layer hurts: the effects of a scan, in the model's order, each layer's from weak to strong.

    Attributes:
        technique: its name. step: its text, with the options that were not varied.
        option: the option that was varied; empty where there was none. unit: of its values.
        strengths: from weak to strong.
        leave: `all-others` (one layer at a time is compressed) or `one-out` (all layers but one are).
        n, split: the samples. accuracy, loss: of the untouched model on them.
        layers: those that were asked for, in the model's order.
        is_partial: stopped before the end.
    """

    technique: str
    step: str
    option: str
    strengths: tuple[Any, ...]
    effects: tuple[Effect, ...]
    layers: tuple[str, ...]
    n: int
    split: str = "validation"
    accuracy: Accuracy | None = None
    loss: float = math.nan
    leave: str = ALONE
    unit: str = ""
    family: str = ""
    is_partial: bool = False

    @overload
    def __getitem__(self, index: int) -> Effect: ...
    @overload
    def __getitem__(self, index: slice) -> tuple[Effect, ...]: ...
    def __getitem__(self, index: int | slice) -> Effect | tuple[Effect, ...]:
        return self.effects[index]

    def __len__(self) -> int:
        return len(self.effects)

    def __iter__(self) -> Iterator[Effect]:
        return iter(self.effects)

    def of(self, layer: str) -> tuple[Effect, ...]:
        """The effects of one layer, from weak to strong."""
        return tuple(each for each in self.effects if each.layer == layer)

    @property
    def ranked(self) -> tuple[str, ...]:
        """The layers that were scanned, what hurts most first: by the most that is lost, and by output
        error where that is equal. Leaving one out, first comes the layer that helps most."""

        def hurts(layer: str) -> tuple[float, float]:
            found = [each for each in self.of(layer) if not each.problem]
            most = max(found, key=lambda each: (each.drop, each.output_error), default=None)
            return (most.drop, most.output_error) if most is not None else (-1.0, -1.0)

        scanned = [layer for layer in self.layers if self.of(layer)]
        is_reversed = self.leave == ALONE
        return tuple(sorted(scanned, key=hurts, reverse=is_reversed))

    @property
    def summary(self) -> str:
        """One sentence: what was scanned and what hurts most."""
        what = (
            f"{self.step} in one layer at a time"
            if self.leave == ALONE
            else f"{self.step}, one layer left out"
        )
        told = f"{what}, {self.n:,} {self.split} samples"
        if self.is_partial:
            told += f", stopped at {len(self)} of {len(self.layers) * max(len(self.strengths), 1)}"
        if not self.effects:
            return f"{told}: nothing was scanned"
        if all(each.is_untouched for each in self.effects):
            why = next((f" ({each.notes[-1]})" for each in self.effects if each.notes), "")
            return f"{told}: no layer was changed{why}"
        first = self.ranked[0]
        word = "hurts most" if self.leave == ALONE else "is best left alone"
        shown = max(self.of(first), key=lambda each: (not each.problem, each.drop, each.output_error))
        return f"{told}: {first} {word} ({effect_text(shown)} {self.at(shown)})"

    def at(self, effect: Effect) -> str:
        """The strength in words: `at 0.9`, `at 4 bits`."""
        return "" if effect.strength is None else f"at {strength_text(effect.strength, self.unit)}"

    def table(self) -> list[dict[str, Any]]:
        """Rows of plain values, for a data frame: `pandas.DataFrame(scan.table())`."""
        return [
            {
                "layer": each.layer,
                self.option or "strength": each.strength,
                "accuracy": each.accuracy.value if each.accuracy else None,
                "low": each.accuracy.low if each.accuracy else None,
                "high": each.accuracy.high if each.accuracy else None,
                "difference": each.paired.difference if each.paired else None,
                "difference_low": each.paired.low if each.paired else None,
                "difference_high": each.paired.high if each.paired else None,
                "p_value": each.paired.p_value if each.paired else None,
                "loss": each.loss,
                "output_error": each.output_error,
                "saved_bytes": each.saved_bytes,
                "also": ", ".join(each.also),
                "problem": each.problem,
            }
            for each in self.effects
        ]

    def lines(self) -> list[tuple[str, ...]]:
        """The rows of the table in words, a header first."""
        return [_HEAD, *(self._line(each) for each in self.effects)]

    def to_dict(self) -> dict[str, Any]:
        """The scan as plain data, for JSON."""
        plain = {each.name: getattr(self, each.name) for each in dataclasses.fields(self)}
        return {
            **plain,
            "strengths": list(self.strengths),
            "layers": list(self.layers),
            "accuracy": dataclasses.asdict(self.accuracy) if self.accuracy else None,
            "effects": [each.to_dict() for each in self.effects],
        }

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> Sensitivity:
        """The scan `to_dict` wrote."""
        accuracy = data.get("accuracy")
        return cls(
            **{
                **data,
                "strengths": tuple(data["strengths"]),
                "layers": tuple(data["layers"]),
                "accuracy": Accuracy(**accuracy) if accuracy else None,
                "effects": tuple(map(Effect.from_dict, data["effects"])),
            }
        )

    def _line(self, each: Effect) -> tuple[str, ...]:
        if each.problem:
            return each.layer, strength_text(each.strength, self.unit), each.problem, "", "", ""
        accuracy = each.accuracy
        value = (
            units.share_range(accuracy.value, accuracy.low, accuracy.high)
            if accuracy
            else f"loss {each.loss:.4g}"
        )
        return (
            each.layer,
            strength_text(each.strength, self.unit),
            value,
            effect_text(each),
            units.share(each.output_error),
            units.size(each.saved_bytes),
        )

    def __repr__(self) -> str:
        head, *rows = self.lines()
        widths = [max(len(line[column]) for line in (head, *rows)) for column in range(len(head))]
        table = (
            "  ".join(c.ljust(w) for c, w in zip(line, widths, strict=True)).rstrip()
            for line in (head, *rows)
        )
        return "\n".join([self.summary, *table])

    def _repr_html_(self) -> str:
        head, *rows = self.lines()
        cells = "".join(f"<th>{escape(each)}</th>" for each in head)
        body = "".join(f"<tr>{''.join(f'<td>{escape(c)}</td>' for c in line)}</tr>" for line in rows)
        table = f"<table><thead><tr>{cells}</tr></thead><tbody>{body}</tbody></table>"
        return f"<p>{escape(self.summary)}</p>{table}"


def effect_text(each: Effect) -> str:
    """`−3.2 points (−4.9 to −1.6)`, or the change of the loss; said where the samples show no difference."""
    if each.problem:
        return each.problem
    if each.is_untouched:
        return "left as it is"
    if each.paired is None:
        return f"loss {units.signed(each.loss_change, 4)}"
    pair = each.paired
    told = f"{units.points(pair.difference)} points ({units.points(pair.low)} to {units.points(pair.high)})"
    return told if pair.is_seen else f"{told}, no difference seen"


def strength_text(strength: Any, unit: str = "") -> str:
    """A strength as it is written: `0.9`, `4 bits`; `as it is` for a technique that has none."""
    if strength is None:
        return "as it is"
    number = f"{strength:g}" if isinstance(strength, (int, float)) else str(strength)
    return f"{number} {unit}".strip()
