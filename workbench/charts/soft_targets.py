"""What a teacher says about one sample: a bar per class at a temperature, and a tick at temperature 1."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from workbench.charts import axes, labels, theme
from workbench.measurement import units

if TYPE_CHECKING:
    import altair as alt

HINT = "Soft targets of a sample, where a step teaches them"
HEIGHT = 150


@dataclass(frozen=True)
class Softened:
    """A teacher's probabilities for one sample, at a temperature and plain.

    Attributes:
        classes: their names, and the right one among them.
    """

    temperature: float
    classes: tuple[str, ...]
    soft: tuple[float, ...]
    plain: tuple[float, ...]
    right: str = ""


def rows(softened: Softened | None) -> list[dict[str, Any]]:
    """A row per class."""
    if softened is None:
        frame = [{"kind": "frame", "class": str(n), "share": 1} for n in range(10)]
        return [*frame, {"kind": "hint", "hint": HINT}]
    zipped = zip(softened.classes, softened.soft, softened.plain, strict=True)
    return [
        {
            "kind": "class",
            "class": f"{name} ✓" if name == softened.right else name,
            "place": place,
            "share": soft,
            "plain": plain,
        }
        for place, (name, soft, plain) in enumerate(zipped)
    ]


def summary(softened: Softened | None) -> str:
    """What the chart shows, in words, for a screen reader."""
    if softened is None:
        return f"Soft targets: nothing yet. {HINT}."
    said = sorted(zip(softened.soft, softened.classes, strict=True), reverse=True)[:3]
    told = ", ".join(f"{name} {units.share(share)}" for share, name in said)
    right = f" The label is {softened.right}." if softened.right else ""
    return f"The teacher about one sample at temperature {softened.temperature:g}: {told}.{right}"


def chart() -> alt.LayerChart:
    """The chart without rows; its one data source is named `rows`."""
    import altair as alt

    named = alt.Chart(theme.source())
    base = named.transform_filter("datum.kind === 'class'")
    order = alt.EncodingSortField("place")
    x = alt.X("class:N", title="class", sort=order, axis=alt.Axis(labelAngle=0))
    y = alt.Y(
        "share:Q",
        title="teacher says, %",
        scale=alt.Scale(domain=[0, 1]),
        axis=alt.Axis(labelExpr=axes.SHARE, tickCount=4),
    )
    tooltip = [
        alt.Tooltip("class:N"),
        alt.Tooltip("share:Q", title="at this temperature", format=".1%"),
        alt.Tooltip("plain:Q", title="at temperature 1", format=".2%"),
    ]
    layers = [
        labels.frame_layer(named).encode(x=x, y=y),
        base.mark_bar(color=theme.ink("accent")).encode(x=x, y=y, tooltip=tooltip),
        base.mark_tick(color=theme.ink(), thickness=2).encode(x=x, y=alt.Y("plain:Q"), tooltip=tooltip),
        labels.hint_layer(named),
    ]
    described = "The teacher's probability of each class for one sample; ticks are those at temperature 1."
    return theme.themed(alt.layer(*layers), described, HEIGHT)


def softened(logits: Sequence[float], temperature: float, classes: Sequence[str], right: int) -> Softened:
    """The record of a sample from the teacher's logits, shape (classes,)."""
    import math

    def probabilities(divisor: float) -> tuple[float, ...]:
        highest = max(logits)
        powers = [math.exp((each - highest) / divisor) for each in logits]
        return tuple(each / sum(powers) for each in powers)

    return Softened(
        temperature, tuple(classes), probabilities(temperature), probabilities(1.0), classes[right]
    )
