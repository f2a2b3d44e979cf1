"""What each step of a recipe flipped: samples broken to the left, mended to the right."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from workbench.charts import labels, theme
from workbench.measurement import units

if TYPE_CHECKING:
    import altair as alt

    from workbench.comparison.stages import FlipStages

HINT = "Find the step: the recipe is run again and judged after each of its steps"
LINE = 24  # pixels per step


def rows(stages: FlipStages | None) -> list[dict[str, Any]]:
    """Two rows a step: what it broke, below zero, and what it mended; a hint without any."""
    if stages is None or not stages.stages:
        return [
            {"kind": "frame", "step": "", "place": 0, "from": -1, "count": 1},
            {"kind": "hint", "hint": HINT},
        ]
    found = []
    for stage in stages.stages:
        step = {"kind": "step", "step": stage.name, "place": stage.number, "code": stage.step}
        more = {"accuracy": units.share(stage.accuracy.value), "otherwise": units.exact(stage.otherwise)}
        for way, count, sign in (("broken", stage.broken, -1), ("mended", stage.mended, 1)):
            text = f"{'✕' if sign < 0 else '✓'} {count:,} {way}"
            place = "right" if sign < 0 else "left"
            found.append(
                {
                    **step,
                    **more,
                    "way": way,
                    "count": sign * count,
                    "text": text,
                    "align": place,
                    "dx": 6 * sign,
                }
            )
    reach = max(1, *(abs(row["count"]) for row in found)) * 2.2  # room for the words beside the bars
    frame = {"kind": "frame", "step": found[0]["step"], "place": found[0]["place"]}
    return [*found, {**frame, "count": -reach}, {**frame, "count": reach}]


def summary(stages: FlipStages | None) -> str:
    """What the chart shows, in words, for a screen reader."""
    if stages is None or not stages.stages:
        return HINT + "."
    told = "; ".join(
        f"{each.name} broke {each.broken:,} and mended {each.mended:,}, "
        f"accuracy {units.share(each.accuracy.value)}"
        for each in stages.stages
    )
    return f"What each step flipped against the one before: {told}. {stages.sentence}"


def chart() -> alt.LayerChart:
    """The chart without rows; its one data source is named `rows`."""
    import altair as alt

    named = alt.Chart(theme.source())
    base = named.transform_filter("datum.kind === 'step'")
    order = alt.EncodingSortField("place", op="min")
    y = alt.Y("step:N", title=None, sort=order, axis=alt.Axis(ticks=False, domain=False, labelLimit=160))
    axis = alt.Axis(labelExpr="format(abs(datum.value), ',')", tickMinStep=1, tickCount=5)
    x = alt.X("count:Q", title="samples the step broke | mended", axis=axis, scale=alt.Scale(nice=False))
    tooltip = [
        alt.Tooltip("code:N", title="step"),
        alt.Tooltip("text:N", title="against the step before"),
        alt.Tooltip("otherwise:N", title="changed but wrong"),
        alt.Tooltip("accuracy:N", title="accuracy after it"),
    ]
    way = alt.Color(
        "way:N",
        scale=alt.Scale(domain=["broken", "mended"], range=[theme.VERMILLION, theme.SKY]),
        legend=None,
    )
    beside = {"align": alt.ExprRef("datum.align"), "dx": alt.ExprRef("datum.dx")}
    layers = [
        labels.frame_layer(named).encode(x=x, y=y),
        base.mark_bar(height=12).encode(x=x, y=y, color=way, tooltip=tooltip),
        base.mark_rule(stroke=theme.ink("line")).encode(x=alt.datum(0)),
        base.mark_text(baseline="middle", fill=theme.ink(), **beside).encode(x=x, y=y, text="text:N"),
        labels.hint_layer(named),
    ]
    described = "Samples that each step of the recipe broke, to the left, and mended, to the right."
    return theme.themed(alt.layer(*layers), described).properties(height=alt.Step(LINE))
