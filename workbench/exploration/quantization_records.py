"""What rounding does to a model, as records: the noise of each layer, the ranges of activations."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from html import escape
from typing import Any

from workbench.measurement import units

_HEAD = ("layer", "bits", "weights", "outputs", "in the model", "clipped")


@dataclass(frozen=True)
class LayerError:
    """What rounding does to one layer, in decibels; `inf` where nothing is changed, NaN where not known.

    Attributes:
        bits: of a weight of its largest tensor. parameters: weights that could be rounded.
        weights: of the weights against the free ones they were rounded from.
        outputs: of what the layer gives for the inputs it has in the model that is not rounded: its own part.
        arriving: of what it gives in the rounded model: its own part and what the layers before it have lost.
    """

    layer: str
    bits: int
    parameters: int
    weights: float
    outputs: float = math.nan
    arriving: float = math.nan


@dataclass(frozen=True)
class ActivationRange:
    """The grid at one place where activations are rounded, beside the values that came by.

    Attributes:
        place: `conv1/input`. bits: of the grid.
        low, high: the ends of the grid; of a dynamic one, of the values.
        seen_low, seen_high: the smallest and the largest value.
        clipped: the share of the values that lie more than half a step beyond the grid.
        is_dynamic: the grid is made anew in every call.
    """

    place: str
    bits: int
    low: float
    high: float
    seen_low: float
    seen_high: float
    clipped: float
    is_dynamic: bool = False

    @property
    def step(self) -> float:
        """The distance of two neighbours on the grid."""
        return (self.high - self.low) / (2**self.bits - 1)

    @property
    def used(self) -> float:
        """How much of the grid the values reach over; a small share wastes bits."""
        width = self.high - self.low
        inside = min(self.seen_high, self.high) - max(self.seen_low, self.low)
        return min(1.0, max(0.0, inside) / width) if width > 0 else 1.0


@dataclass(frozen=True)
class RoundedWeights:
    """Some weights of a layer and what they are rounded to.

    Attributes:
        name: the layer, and the channel where it is one.
        density: how many weights lie in each of some equally wide bins between `low` and `high`, before.
        values: the numbers they are rounded to, rising; uses: how many weights take each.
        lines: every number the grid has, used or not; empty where the weights shown have several grids.
        bits: of a weight. error: in decibels; NaN where it is not known what they were before.
        after: how many lie in each bin now, but for zeros; empty where `values` tell it, or nothing changed.
        said: the title, where it is another one.
    """

    name: str
    density: Sequence[float]
    low: float
    high: float
    values: Sequence[float] = ()
    uses: Sequence[int] = ()
    lines: Sequence[float] = ()
    bits: int = 32
    error: float = math.nan
    after: Sequence[float] = ()
    said: str = ""

    @property
    def title(self) -> str:
        """`fc1, channel 3: 4 bits, 18.3 dB`."""
        if self.said:
            return self.said
        told = f", {decibels(self.error)}" if math.isfinite(self.error) else ""
        return f"{self.name}: {self.bits} {'bit' if self.bits == 1 else 'bits'}{told}"


@dataclass(frozen=True)
class RoundingErrors(Sequence[LayerError]):
    """What rounding does to a model, layer by layer in the model's order.

    Attributes:
        of: what was rounded how, as text. ranges: where activations are rounded.
        outputs: of the model's own outputs, in decibels. n, split: the samples. is_partial: stopped early.
    """

    of: str
    layers: tuple[LayerError, ...]
    ranges: tuple[ActivationRange, ...] = ()
    outputs: float = math.nan
    n: int = 0
    split: str = "validation"
    is_partial: bool = False

    def __getitem__(self, index: Any) -> Any:
        return self.layers[index]

    def __len__(self) -> int:
        return len(self.layers)

    def __iter__(self) -> Iterator[LayerError]:
        return iter(self.layers)

    @property
    def ranked(self) -> tuple[str, ...]:
        """Layers by their own part of the error, the noisiest first."""
        return tuple(each.layer for each in sorted(self.layers, key=_noise))

    @property
    def summary(self) -> str:
        """One sentence: the noisiest layer, and what comes out of the model."""
        told = f"{self.of}, {self.n:,} {self.split} samples"
        told += ", stopped early" if self.is_partial else ""
        changed = [each for each in self.layers if math.isfinite(_noise(each))]
        if not changed and any(math.isnan(each.weights) for each in self.layers):
            return f"{told}: what the weights were before they were rounded is not kept"
        if not changed:
            return f"{told}: no layer was changed"
        worst = min(changed, key=_noise)
        clipped = [each for each in self.ranges if each.clipped > 0]
        told += f": {worst.layer} is the noisiest ({decibels(_noise(worst))})"
        told += f", the model's outputs have {decibels(self.outputs)}" if self.n else ""
        if clipped:
            most = max(clipped, key=lambda each: each.clipped)
            told += f"; {most.place} clips {units.share(most.clipped, 2)}"
        return told

    def lines(self) -> list[tuple[str, ...]]:
        """The rows of the table in words, a header first."""
        clipped = {each.place.rpartition("/")[0]: each.clipped for each in self.ranges if _is_input(each)}
        return [_HEAD, *(_line(each, clipped.get(each.layer)) for each in self.layers)]

    def table(self) -> list[dict[str, Any]]:
        """Rows of plain values, for a data frame."""
        return [vars(each) for each in self.layers]

    def __repr__(self) -> str:
        lines = self.lines()
        widths = [max(len(line[column]) for line in lines) for column in range(len(_HEAD))]
        rows = ("  ".join(c.ljust(w) for c, w in zip(line, widths, strict=True)).rstrip() for line in lines)
        return "\n".join([self.summary, *rows])

    def _repr_html_(self) -> str:
        head, *rows = self.lines()
        cells = "".join(f"<th>{escape(each)}</th>" for each in head)
        body = "".join(f"<tr>{''.join(f'<td>{escape(c)}</td>' for c in line)}</tr>" for line in rows)
        table = f"<table><thead><tr>{cells}</tr></thead><tbody>{body}</tbody></table>"
        return f"<p>{escape(self.summary)}</p>{table}"


def sqnr(signal: float, noise: float) -> float:
    """Decibels of an energy over the energy of an error; `inf` without error, NaN where it is not known."""
    if math.isnan(noise):
        return math.nan
    if noise <= 0:
        return math.inf
    return 10 * math.log10(signal / noise) if signal > 0 else -math.inf


def decibels(value: float) -> str:
    """`21.4 dB`; `exact` where nothing was changed, a dash where it is not known."""
    if math.isnan(value):
        return units.UNKNOWN
    return "exact" if value == math.inf else f"{units.signed(value).removeprefix('+')} dB"


def _noise(each: LayerError) -> float:
    """What a layer is ranked by: its own outputs, or its weights where outputs are not known."""
    return each.weights if math.isnan(each.outputs) else each.outputs


def _is_input(each: ActivationRange) -> bool:
    return each.place.endswith("/input")


def _line(each: LayerError, clipped: float | None) -> tuple[str, ...]:
    values: Iterable[float] = (each.weights, each.outputs, each.arriving)
    told = units.UNKNOWN if clipped is None else units.share(clipped, 2)
    return each.layer, f"{each.bits}", *map(decibels, values), told
