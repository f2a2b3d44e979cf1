"""Validation accuracy at the end of each epoch, with its interval, beside the baseline's."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from workbench.charts import axes, labels, theme, training
from workbench.measurement import units

if TYPE_CHECKING:
    import altair as alt

HINT = "Accuracy at the end of each epoch"
HEIGHT = 150


def rows(
    records: Sequence[Mapping[str, Any]], baseline: float | None = None, epochs: float | None = None
) -> list[dict[str, Any]]:
    """A row per epoch that was validated, and the baseline's accuracy as a line.

    A record of an epoch's end holds `validation_accuracy` and, where they are known, `validation_low` and
    `validation_high`. With `epochs` the x axis is as long as the training from its first step.
    """
    measured = [record for record in records if record.get("validation_accuracy") is not None]
    if not measured:
        frame = [{"kind": "frame", "epoch": epochs or 1, "accuracy": share} for share in (0.9, 1)]
        return [*frame, {"kind": "hint", "hint": HINT}]
    drawn = [_row(record) for record in measured]
    line = [] if baseline is None else [{"kind": "baseline", "accuracy": baseline, "label": "baseline"}]
    frame = [] if epochs is None else [{"kind": "frame", "epoch": epochs, "accuracy": drawn[0]["accuracy"]}]
    return [*frame, *training.thinned(drawn), *line]


def summary(records: Sequence[Mapping[str, Any]], baseline: float | None = None) -> str:
    """What the chart shows, in words, for a screen reader."""
    measured = [record for record in records if record.get("validation_accuracy") is not None]
    beside = "" if baseline is None else f" The baseline has {units.share(baseline)}."
    told = ", ".join(
        f"{units.share(record['validation_accuracy'])} after epoch {record['epoch']:.0f}"
        for record in measured[-5:]
    )
    return f"Validation accuracy: {told or 'nothing yet'}.{beside}"


def chart() -> alt.LayerChart:
    """The chart without rows; its one data source is named `rows`."""
    import altair as alt

    named = alt.Chart(theme.source())
    base = named.transform_filter("datum.kind === 'epoch'")
    axis = alt.Axis(labelExpr=axes.SHARE, tickCount=4)
    y = alt.Y("accuracy:Q", title="validation, %", scale=alt.Scale(zero=False, nice=True), axis=axis)
    tooltip = [alt.Tooltip("epoch:Q", format=".2f"), alt.Tooltip("text:N", title="accuracy")]
    line = named.transform_filter("datum.kind === 'baseline'")
    right = {"x": alt.ExprRef("width"), "align": "right", "dx": -4, "dy": -7}
    layers = [
        labels.frame_layer(named).encode(x=training.epochs(), y=y),
        line.mark_rule(strokeDash=[4, 4]).encode(y=y),
        line.mark_text(**right, fill=theme.ink("faint")).encode(y=y, text="label:N"),
        base.mark_rule(stroke=theme.ink("accent"), strokeOpacity=0.5).encode(
            x=training.epochs(), y=alt.Y("low:Q"), y2="high:Q"
        ),
        base.mark_line(color=theme.ink("accent"), strokeWidth=2).encode(x=training.epochs(), y=y),
        base.mark_point(color=theme.ink("accent"), filled=True, size=50, opacity=1).encode(
            x=training.epochs(), y=y, tooltip=tooltip
        ),
        labels.hint_layer(named),
    ]
    described = "Validation accuracy at the end of each epoch, beside the baseline."
    return theme.themed(alt.layer(*layers), described, HEIGHT)


def _row(record: Mapping[str, Any]) -> dict[str, Any]:
    accuracy = record["validation_accuracy"]
    low, high = record.get("validation_low"), record.get("validation_high")
    return {
        "kind": "epoch",
        "epoch": record["epoch"],
        "accuracy": accuracy,
        "low": low,
        "high": high,
        "text": units.share_range(accuracy, low, high),
    }
