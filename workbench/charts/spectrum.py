"""The spectrum of one layer: what each rank holds, the chosen rank, and where splitting stops paying."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from workbench.charts import labels, theme

if TYPE_CHECKING:
    import altair as alt

HINT = "This model has no layer that can be split"
HEIGHT = 190
_MOST = 240  # bars and points; more than pixels help nobody


@dataclass(frozen=True)
class Spectrum:
    """One side of one layer's split.

    Attributes:
        energies: the share of the squared weight (or output) that each rank explains, falling.
        rank: the chosen one; None where the layer stays whole.
        larger_above: the rank above which the split layer has more parameters than the layer.
        slower_above: the rank above which it is slower as measured here; None where it was not measured.
        side: `out` or `in` where a method has two ranks.
        now: the singular values of what is shown, over the largest of `energies`' own; empty where the same.
    """

    name: str
    energies: Sequence[float]
    rank: int | None
    larger_above: int | None = None
    slower_above: int | None = None
    side: str = ""
    now: Sequence[float] = ()

    @property
    def title(self) -> str:
        """The layer, and its side where there are two."""
        return f"{self.name}, {self.side} channels" if self.side else self.name

    @property
    def kept(self) -> float:
        """The share of the energy that the chosen rank keeps."""
        return 1.0 if self.rank is None else min(1.0, float(sum(self.energies[: self.rank])))


def rows(spectrum: Spectrum | None) -> list[dict[str, Any]]:
    """A row per rank (thinned to what can be drawn) and one per line; a hint where there is no spectrum."""
    if spectrum is None or not len(spectrum.energies):
        return [{"kind": "hint", "hint": HINT}]
    full = len(spectrum.energies)
    stride = -(-full // _MOST)
    top = max(float(spectrum.energies[0]), 1e-30)
    drawn, running = [], 0.0
    for index, energy in enumerate(spectrum.energies):
        running += float(energy)
        rank = index + 1
        if index % stride and rank != full:
            continue
        is_kept = spectrum.rank is None or rank <= spectrum.rank
        drawn.append(
            {
                "kind": "rank",
                "rank": rank,
                "value": (max(float(energy), 0.0) / top) ** 0.5,
                "kept": min(running, 1.0),
                "is_kept": is_kept,
                "text": f"{100 * min(running, 1.0):.1f} %",
            }
        )
    return drawn + _now(spectrum, stride) + _lines(spectrum, full)


def _now(spectrum: Spectrum, stride: int) -> list[dict[str, Any]]:
    """A row per singular value of what is shown now, and its label at the last of them."""
    found = [
        {"kind": "now", "rank": index + 1, "value": min(float(value), 1.05)}
        for index, value in enumerate(spectrum.now)
        if index % stride == 0
    ]
    label = [{**found[-1], "kind": "now label"}] if found else []
    return [*found, *label]


def summary(spectrum: Spectrum | None) -> str:
    """What the chart shows, in words, for a screen reader."""
    if spectrum is None or not len(spectrum.energies):
        return HINT + "."
    full = len(spectrum.energies)
    if spectrum.rank is None:
        told = f"Spectrum of {spectrum.title}: full rank {full}, left whole."
    else:
        told = (
            f"Spectrum of {spectrum.title}: rank {spectrum.rank} of {full} keeps {100 * spectrum.kept:.1f} %."
        )
    for line in _lines(spectrum, full):
        if line["line"] != "rank":
            told += f" {line['label'].capitalize()}{'' if line['rank'] == 0 else ' ' + str(line['rank'])}."
    return told


def chart() -> alt.LayerChart:
    """The chart without rows; its one data source is named `rows`."""
    import altair as alt

    named = alt.Chart(theme.source())
    ranks = named.transform_filter("datum.kind === 'rank'")
    lines = named.transform_filter("datum.kind === 'line'")
    x = alt.X("rank:Q", title="rank", scale=alt.Scale(domainMin=0, nice=False), axis=alt.Axis(grid=False))
    scale = alt.Scale(domain=[0, 1.05], nice=False)
    y = alt.Y("value:Q", title="singular value · energy kept", scale=scale, axis=alt.Axis(tickCount=4))
    tooltip = [
        alt.Tooltip("rank:Q", title="rank"),
        alt.Tooltip("value:Q", title="singular value, of the largest", format=".3f"),
        alt.Tooltip("text:N", title="kept up to here"),
    ]
    shade = alt.condition("datum.is_kept", alt.value(0.9), alt.value(0.3))
    bars = ranks.mark_rule(color=theme.GREEN, strokeWidth=2).encode(
        x=x, y=y, y2=alt.datum(0), opacity=shade, tooltip=tooltip
    )
    dots = ranks.mark_point(color=theme.GREEN, filled=True, size=14, opacity=1).encode(
        x=x, y=y, tooltip=tooltip
    )
    changed = named.transform_filter("datum.kind === 'now'").mark_line(
        color=theme.ink(), strokeWidth=1.5, strokeDash=[3, 2]
    )
    now = changed.encode(x=x, y=y)
    ends = named.transform_filter("datum.kind === 'now label'")
    named_now = ends.mark_text(align="right", baseline="bottom", dy=-4).encode(
        x=x, y=y, text=alt.value("now")
    )
    kept = ranks.mark_line(color=theme.ink("accent"), strokeWidth=2).encode(
        x=x, y=alt.Y("kept:Q", scale=scale)
    )
    dash = alt.StrokeDash(
        "line:N",
        scale=alt.Scale(domain=["rank", "larger", "slower"], range=[[1, 0], [6, 3], [2, 3]]),
        legend=None,
    )
    rule = lines.mark_rule(strokeWidth=1.5, stroke=theme.ink()).encode(x=x, strokeDash=dash)
    height = alt.Y("height:Q", scale=scale)
    place = {"align": alt.ExprRef("datum.align"), "dx": alt.ExprRef("datum.dx"), "baseline": "middle"}
    halo = lines.mark_text(**place, stroke=theme.ink("paper"), strokeWidth=5).encode(
        x=x, y=height, text="label:N"
    )
    text = lines.mark_text(**place).encode(x=x, y=height, text="label:N")
    described = (
        "Singular values of a layer, the energy that a rank keeps, and the ranks where splitting pays."
    )
    layers = alt.layer(bars, dots, kept, now, named_now, rule, halo, text, labels.hint_layer(named))
    return theme.themed(layers, described, HEIGHT)


def _lines(spectrum: Spectrum, full: int) -> list[dict[str, Any]]:
    """The chosen rank and the break-evens, each with its label at a height of its own."""
    found = [
        ("rank", spectrum.rank, f"rank {spectrum.rank}: {100 * spectrum.kept:.1f} % kept", 0.88),
        ("larger", spectrum.larger_above, _above("larger", spectrum.larger_above), 0.76),
        ("slower", spectrum.slower_above, _above("slower", spectrum.slower_above), 0.64),
    ]
    return [
        {"kind": "line", "line": line, "rank": at, "label": label, "height": height, **_beside(at, full)}
        for line, at, label, height in found
        if at is not None and (line == "rank" or at < full)
    ]


def _above(word: str, rank: int | None) -> str:
    return f"{word} at every rank" if rank == 0 else f"{word} above"


def _beside(rank: int, full: int) -> dict[str, Any]:
    """Where a line's label goes: on the side that has room."""
    return {"align": "right", "dx": -5} if rank > 0.6 * full else {"align": "left", "dx": 5}
