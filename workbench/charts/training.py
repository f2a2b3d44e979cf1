"""The loss while a step trains: each batch faint, its running mean strong; epochs on the x axis."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from workbench.charts import labels, theme

if TYPE_CHECKING:
    import altair as alt

HINT = "A step that trains, FineTune for one, draws its loss here"
HEIGHT = 150
_SMOOTHING = 0.8  # share of the past in the running mean
_MOST = 400  # more points than pixels help nobody


def rows(records: Sequence[Mapping[str, Any]], epochs: float | None = None) -> list[dict[str, Any]]:
    """The rows of training records (`{"epoch": 0.25, "loss": 0.7}`), thinned evenly to at most 400.

    With `epochs`, how many there will be, the x axis is as long as the training from its first step.
    """
    losses = [record for record in records if record.get("loss") is not None]
    if not losses:
        return [{"kind": "frame", "epoch": epochs or 1, "loss": 1}, {"kind": "hint", "hint": HINT}]
    smooth, drawn = losses[0]["loss"], []
    for record in losses:
        smooth = _SMOOTHING * smooth + (1 - _SMOOTHING) * record["loss"]
        drawn.append({"kind": "loss", "epoch": record["epoch"], "loss": record["loss"], "smooth": smooth})
    frame = [] if epochs is None else [{"kind": "frame", "epoch": epochs, "loss": losses[0]["loss"]}]
    return [*frame, *thinned(drawn)]


def summary(records: Sequence[Mapping[str, Any]]) -> str:
    """What the chart shows, in words, for a screen reader."""
    losses = [record for record in records if record.get("loss") is not None]
    if not losses:
        return f"Training loss: nothing yet. {HINT}."
    first, last = losses[0], losses[-1]
    return (
        f"Training loss: {first['loss']:.3g} at epoch {first['epoch']:.1f}, "
        f"{last['loss']:.3g} at epoch {last['epoch']:.1f}."
    )


def chart() -> alt.LayerChart:
    """The chart without rows; its one data source is named `rows`."""
    import altair as alt

    base = alt.Chart(theme.source()).transform_filter("datum.kind === 'loss'")
    x = epochs()
    y = alt.Y("loss:Q", title="loss", scale=alt.Scale(zero=True), axis=alt.Axis(tickCount=4))
    tooltip = [
        alt.Tooltip("epoch:Q", title="epoch", format=".2f"),
        alt.Tooltip("loss:Q", title="loss of the batch", format=".4f"),
        alt.Tooltip("smooth:Q", title="running mean", format=".4f"),
    ]
    layers = [
        labels.frame_layer(alt.Chart(theme.source())).encode(x=x, y=y),
        base.mark_line(color=theme.ink("accent"), strokeWidth=1, strokeOpacity=0.4).encode(x=x, y=y),
        base.mark_line(color=theme.ink("accent"), strokeWidth=2).encode(
            x=x, y=alt.Y("smooth:Q"), tooltip=tooltip
        ),
        labels.hint_layer(alt.Chart(theme.source())),
    ]
    return theme.themed(alt.layer(*layers), "Training loss over epochs, each batch and its mean.", HEIGHT)


def epochs() -> alt.X:
    """The x axis that the charts of training share."""
    import altair as alt

    axis = alt.Axis(tickMinStep=1, tickCount=6, grid=False, format="~r")
    return alt.X("epoch:Q", title="epochs", scale=alt.Scale(domainMin=0, nice=False), axis=axis)


def thinned(drawn: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """At most 400 rows, evenly chosen, the last always kept."""
    stride = max(1, -(-len(drawn) // _MOST))
    return drawn[::-1][::stride][::-1]
