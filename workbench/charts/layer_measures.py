"""What can be told of a layer: a column of the table and a kind of bars each.

The table of the layers and their chart both read this list; nothing else knows which columns there are.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

from workbench.measurement import units

if TYPE_CHECKING:
    from workbench.charts.layers import Layer

Read = Callable[["Layer"], float | None]


@dataclass(frozen=True)
class Measure:
    """One figure of a layer.

    Attributes:
        key, title: its name in code, and as the head of a column.
        kind: `claimed` (arithmetic), `measured`, or nothing where it is a plain count.
        help: what it is, in a sentence.
        now, before: read it from a layer; None where it is not known, or where there is nothing to compare.
        write: a number in words. words: what a layer's cell says, where that is more than the number.
        detail: what is said of it beside, where that is not how it differs from the original.
    """

    key: str
    title: str
    kind: str
    help: str
    now: Read
    before: Read
    write: Callable[[float], str]
    words: Callable[[Layer], str] | None = None
    detail: Callable[[Layer], str] | None = None

    @property
    def full_title(self) -> str:
        """`bytes, claimed`."""
        return f"{self.title}, {self.kind}" if self.kind else self.title

    def text(self, layer: Layer) -> str:
        """What a layer's cell says."""
        if (value := self.now(layer)) is None:
            return units.UNKNOWN
        return self.words(layer) if self.words is not None else self.write(value)

    def change(self, layer: Layer) -> str:
        """`▼ 26× of 940 KB`: against the original; empty where nothing has changed or is to be compared."""
        if self.detail is not None:
            return self.detail(layer)
        now, before = self.now(layer), self.before(layer)
        if now is None or before is None or now == before:
            return ""
        if now <= 0 or before <= 0:
            return f"was {self.write(before)}"
        return f"{units.smaller(now, before)} of {self.write(before)}"


def _percent(number: float) -> str:
    return units.share(number, 0 if number in (0.0, 1.0) else 1)


def _plain(number: float) -> str:
    return f"{number:g}" if float(number).is_integer() else f"{number:.1f}"


def _rank(layer: Layer) -> str:
    """`16 of 64` where the layer is split, else its full rank."""
    if not layer.ranks:
        return f"{layer.full_rank}"
    told = " · ".join(map(str, layer.ranks))
    return f"{told} of {layer.original_rank}" if layer.original_rank else told


def _now_rank(layer: Layer) -> float | None:
    return min(layer.ranks) if layer.ranks else layer.full_rank


_ALL = (
    Measure(
        "parameters",
        "parameters",
        "",
        "numbers the layer holds, zeros too; a tensor shared with an earlier layer is counted there",
        lambda each: each.parameters,
        lambda each: each.original_parameters,
        lambda number: units.exact(round(number)),
    ),
    Measure(
        "bytes",
        "bytes",
        "claimed",
        "bits times the parameters that are not pruned, with scales and codebooks; the file may be smaller",
        lambda each: each.kept_bytes,
        lambda each: each.original_bytes,
        units.size,
    ),
    Measure(
        "macs",
        "MACs",
        "claimed",
        "multiply-accumulates with its weights for one sample; dense kernels multiply zeros, too",
        lambda each: each.macs,
        lambda each: each.original_macs,
        units.count,
    ),
    Measure(
        "time",
        "time",
        "measured",
        "processor time inside the layer in a pass of one sample: PyTorch, one thread, median",
        lambda each: each.ms,
        lambda each: each.original_ms,
        units.milliseconds,
    ),
    Measure(
        "sensitivity",
        "sensitivity",
        "measured",
        "what the scan's technique costs in this layer alone, at its strongest; press Scan layers",
        lambda each: each.hurts,
        lambda each: None,
        lambda number: f"{number:.3g}",
        lambda each: each.hurts_text,
        lambda each: each.hurts_detail,
    ),
    Measure(
        "zeros",
        "zeros",
        "",
        "the share of its parameters that are exactly zero",
        lambda each: None if not each.parameters else 1 - each.nonzero / each.parameters,
        lambda each: each.original_zeros,
        _percent,
    ),
    Measure(
        "bits",
        "bits",
        "claimed",
        "of one weight of its largest tensor",
        lambda each: each.bits,
        lambda each: each.original_bits,
        _plain,
    ),
    Measure(
        "rank",
        "rank",
        "",
        "what its thin layers pass on to each other; of a whole layer the most its rank can be",
        _now_rank,
        lambda each: each.original_rank,
        _plain,
        _rank,
    ),
)
MEASURES = {each.key: each for each in _ALL}
