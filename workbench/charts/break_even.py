"""From which share of zeros on sparse kernels win: how they do at rising shares, one line per layer."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from workbench.charts import labels, theme

if TYPE_CHECKING:
    import altair as alt

    from workbench.runtimes.sparse_kernels import Trial

HINT = "Nothing was timed"
HEIGHT = 200


def rows(trials: Mapping[str, Sequence[Trial]]) -> list[dict[str, Any]]:
    """A row per trial, by what was timed, and one for the end of each line that carries its name."""
    found: list[dict[str, Any]] = []
    for name, each in trials.items():
        in_order = sorted(each, key=lambda trial: trial.sparsity)
        points = [
            {"kind": "trial", "name": name, "sparsity": trial.sparsity, "speedup": trial.speedup}
            for trial in in_order
        ]
        found += points
        if points:
            is_winning = points[-1]["speedup"] >= 1
            found.append({**points[-1], "kind": "end", "dy": -9 if is_winning else 11})
    return found or [{"kind": "hint", "hint": HINT}]


def summary(trials: Mapping[str, Sequence[Trial]]) -> str:
    """What the chart shows, in words, for a screen reader."""
    told = []
    for name, each in trials.items():
        start = _crossing(each)
        told.append(f"{name}: {'no win' if start is None else f'faster from {start:.0%} zeros'}.")
    return " ".join(["Sparse against dense kernels.", *told]) if told else HINT + "."


def chart() -> alt.LayerChart:
    """The chart without rows; its one data source is named `rows`."""
    import altair as alt

    named = alt.Chart(theme.source())
    trials = named.transform_filter("datum.kind === 'trial'")
    ends = named.transform_filter("datum.kind === 'end'")
    x = alt.X(
        "sparsity:Q",
        title="share of zeros",
        scale=alt.Scale(zero=False, nice=False, domainMax=1),
        axis=alt.Axis(format="%", grid=False),
    )
    y = alt.Y(
        "speedup:Q",
        title="dense time ÷ sparse time",
        scale=alt.Scale(type="log", nice=False, padding=8),
        axis=alt.Axis(format="~g", values=[0.1, 0.25, 0.5, 1, 2, 4, 8, 16, 32]),
    )
    tooltip = [
        alt.Tooltip("name:N", title="layer"),
        alt.Tooltip("sparsity:Q", title="zeros", format=".0%"),
        alt.Tooltip("speedup:Q", title="times as fast", format=".2f"),
    ]
    dash = alt.StrokeDash("name:N", legend=None)
    line = trials.mark_line(color=theme.GREEN, strokeWidth=2).encode(x=x, y=y, strokeDash=dash)
    dots = trials.mark_point(color=theme.GREEN, filled=True, size=26, opacity=1).encode(
        x=x, y=y, detail="name:N", tooltip=tooltip
    )
    text = ends.mark_text(align="right", dx=-4, dy=alt.ExprRef("datum.dy")).encode(x=x, y=y, text="name:N")
    even = named.mark_rule(stroke=theme.ink(), strokeDash=[6, 3]).encode(y=alt.datum(1))
    described = "How much faster sparse kernels are than dense ones at rising shares of zeros; even at 1."
    return theme.themed(alt.layer(even, line, dots, text, labels.hint_layer(named)), described, HEIGHT)


def _crossing(trials: Sequence[Trial]) -> float | None:
    found = None
    for each in sorted(trials, key=lambda trial: -trial.sparsity):
        if not each.is_faster:
            break
        found = each.sparsity
    return found
