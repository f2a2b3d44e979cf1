"""The terms of a loss while a student learns: a line each, told apart by colour and by dashes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from workbench.charts import labels, theme, training

if TYPE_CHECKING:
    import altair as alt

HINT = "Each term of the loss, once a student learns"
HEIGHT = 170
_SMOOTHING = 0.9  # share of the past in the running mean
_MOST = 120  # points of a line
_LEAST = 1e-9  # what a term that has reached zero is drawn at: the axis is logarithmic
# what a training record holds that is no term
_OTHERS = ("epoch", "loss")
_ACCENT = "accent"  # blue would be too dark on a dark ground
_LOOKS: tuple[tuple[str, list[int]], ...] = (
    (_ACCENT, [1, 0]),
    (theme.VERMILLION, [6, 3]),
    (theme.GREEN, [2, 2]),
    (theme.PURPLE, [8, 2, 2, 2]),
    (theme.ORANGE, [4, 2]),
    (theme.SKY, [1, 3]),
    (theme.VERMILLION, [12, 3]),
    (theme.GREEN, [8, 3, 2, 3, 2, 3]),
)


def names(records: Sequence[Mapping[str, Any]]) -> list[str]:
    """The terms that training records hold, in the order they are given."""
    found = (key for record in records for key in record)
    return [key for key in dict.fromkeys(found) if not _is_other(key)]


def rows(records: Sequence[Mapping[str, Any]], epochs: float | None = None) -> list[dict[str, Any]]:
    """The rows of training records (`{"epoch": 0.2, "loss": 1.1, "labels": 0.3, "soft_targets": 0.8}`).

    With `epochs`, how many there will be, the x axis is as long as the training from its first step.
    """
    terms = names(records)
    if not terms:
        return [
            {"kind": "frame", "epoch": epochs or 1, "value": 1},
            {"kind": "frame", "epoch": 0, "value": 0.01},
            {"kind": "hint", "hint": HINT},
        ]
    drawn = [row for term in terms for row in _line(term, records)]
    first = drawn[0]["value"]
    frame = [] if epochs is None else [{"kind": "frame", "epoch": epochs, "value": first}]
    return [*frame, *drawn]


def summary(records: Sequence[Mapping[str, Any]]) -> str:
    """What the chart shows, in words, for a screen reader."""
    told = []
    for term in names(records):
        line = _line(term, records)
        told.append(f"{_words(term)} from {line[0]['value']:.3g} to {line[-1]['value']:.3g}")
    return f"Terms of the loss: {'; '.join(told) or 'nothing yet'}."


def chart() -> alt.LayerChart:
    """The chart without rows; its one data source is named `rows`."""
    import altair as alt

    named = alt.Chart(theme.source())
    base = named.transform_filter("datum.kind === 'term'")
    y = alt.Y(
        "value:Q",
        title="term of the loss",
        scale=alt.Scale(type="log", nice=False),
        axis=alt.Axis(tickCount=4, format="~g"),
    )
    looks = range(len(_LOOKS))
    color = alt.Color(
        "look:O",
        scale=alt.Scale(domain=list(looks), range=[_color(n) for n in looks]),
        legend=None,
    )
    dash = alt.StrokeDash(
        "look:O", scale=alt.Scale(domain=list(looks), range=[_LOOKS[n][1] for n in looks]), legend=None
    )
    x = training.epochs()
    tooltip = [
        alt.Tooltip("term:N"),
        alt.Tooltip("epoch:Q", format=".2f"),
        alt.Tooltip("value:Q", title="running mean", format=".4g"),
    ]
    ends = named.transform_filter("datum.kind === 'end'")
    layers = [
        labels.frame_layer(named).encode(x=x, y=y),
        base.mark_line(strokeWidth=2).encode(
            x=x, y=y, color=color, strokeDash=dash, detail="term:N", tooltip=tooltip
        ),
        ends.mark_text(align="right", dx=-2, dy=-8, stroke=theme.ink("paper"), strokeWidth=4).encode(
            x=x, y=y, text="term:N"
        ),
        ends.mark_text(align="right", dx=-2, dy=-8).encode(x=x, y=y, text="term:N"),
        labels.hint_layer(named),
    ]
    return theme.themed(alt.layer(*layers), "Each term of the loss over epochs.", HEIGHT)


def _line(term: str, records: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """A term's running mean, thinned; its last point also carries the label."""
    look = names(records).index(term) % len(_LOOKS)
    mean: float | None = None
    drawn = []
    for record in records:
        if (value := record.get(term)) is None:
            continue
        mean = value if mean is None else _SMOOTHING * mean + (1 - _SMOOTHING) * value
        drawn.append({"epoch": record["epoch"], "value": max(mean, _LEAST)})
    said = {"term": _words(term), "look": look}
    line = [{"kind": "term", **row, **said} for row in _thinned(drawn)]
    return [*line, {**line[-1], "kind": "end"}]


def _thinned(drawn: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """At most so many rows, evenly chosen, the first and the last always kept."""
    stride = max(1, -(-len(drawn) // _MOST))
    kept = drawn[::-1][::stride][::-1]
    return kept if kept[0] is drawn[0] else [drawn[0], *kept]


def _color(look: int) -> Any:
    color = _LOOKS[look][0]
    return theme.ink(color) if color == _ACCENT else color


def _is_other(key: str) -> bool:
    return key in _OTHERS or key.startswith("validation")


def _words(term: str) -> str:
    return term.replace("_", " ")
