"""The weights of a layer or a channel, before and after: where they lie, and what they are rounded to."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from workbench.charts import labels, theme
from workbench.measurement import units

if TYPE_CHECKING:
    import altair as alt

    from workbench.exploration.quantization_records import RoundedWeights

HINT = "Add Quantize to the recipe to see the lines that weights are rounded to"
HEIGHT = 190
_CUT = 1.1  # of the highest bin before: what is higher now ends at the chart's top
_MOST = 300  # lines; closer ones are one black bar


def rows(shown: RoundedWeights | None, hint: str = HINT) -> list[dict[str, Any]]:
    """A row per bin, one per line of the grid and one per value that is taken; a hint without any."""
    if shown is None or not len(shown.density):
        return [{"kind": "hint", "hint": hint}]
    highest = max(shown.density) or 1
    width = (shown.high - shown.low) / len(shown.density)
    bins = [
        {
            "kind": "bin",
            "from": shown.low + index * width,
            "to": shown.low + (index + 1) * width,
            "height": count / highest,
        }
        for index, count in enumerate(shown.density)
    ]
    bins += [
        {**bins[index], "kind": "after", "height": min(count / highest, _CUT)}
        for index, count in enumerate(shown.after)
    ]
    lines = [{"kind": "line", "value": value} for value in shown.lines[: _MOST + 1]]
    is_dense = len(shown.lines) > _MOST or len(shown.values) > _MOST
    return [*bins, *([] if is_dense else [*lines, *_values(shown)]), _title(shown, is_dense)]


def summary(shown: RoundedWeights | None) -> str:
    """What the chart shows, in words, for a screen reader."""
    if shown is None or not len(shown.density):
        return HINT + "."
    count = units.exact(sum(shown.uses)) if shown.uses else units.exact(round(sum(shown.density)))
    told = f"{count} weights of {shown.title}, between {shown.low:.3g} and {shown.high:.3g} before."
    if shown.said and not shown.values:
        return told
    if not shown.values:
        return f"{told} They are not rounded."
    told += f" They take {len(shown.values)} values, from {shown.values[0]:.3g} to {shown.values[-1]:.3g}"
    return told + (f", of {len(shown.lines)} that the grid has." if shown.lines else ".")


def chart() -> alt.LayerChart:
    """The chart without rows; its one data source is named `rows`."""
    import altair as alt

    named = alt.Chart(theme.source())
    bins = named.transform_filter("datum.kind === 'bin'")
    values = named.transform_filter("datum.kind === 'value'")
    after = named.transform_filter("datum.kind === 'after'")
    y = alt.Y("height:Q", title="weights", scale=alt.Scale(domain=[0, 1.15], nice=False))
    y.axis = alt.Axis(labels=False, ticks=False, grid=False)
    axis = alt.Axis(grid=False, tickCount=6)
    area = bins.mark_rect(fill=theme.ink("line"), fillOpacity=0.5).encode(
        x=alt.X("from:Q", title="weight", axis=axis), x2="to:Q", y=y, y2=alt.datum(0)
    )
    now = after.mark_rect(fill=theme.ink("accent"), fillOpacity=0.6).encode(
        x=alt.X("from:Q", title="weight", axis=axis), x2="to:Q", y=y, y2=alt.datum(0)
    )
    x = alt.X("value:Q", title="weight", axis=axis, scale=alt.Scale(nice=False, zero=False))
    lines = named.transform_filter("datum.kind === 'line'")
    grid = lines.mark_tick(thickness=1, stroke=theme.ink("faint"), size=12).encode(x=x, y=alt.datum(0.0))
    tooltip = [
        alt.Tooltip("value:Q", title="value", format=".4g"),
        alt.Tooltip("code:Q", title="number"),
        alt.Tooltip("uses:N", title="weights that take it"),
    ]
    stems = values.mark_rule(color=theme.ink("accent"), strokeWidth=2).encode(
        x=x, y=y, y2=alt.datum(0), tooltip=tooltip
    )
    heads = values.mark_point(
        color=theme.ink("accent"), shape="diamond", filled=True, size=38, opacity=1
    ).encode(x=x, y=y, tooltip=tooltip)
    told = named.transform_filter("datum.kind === 'title'")
    text = told.mark_text(align="left", baseline="top", x=4, y=2).encode(text="title:N")
    described = "Where weights lie before rounding, and how many take each value of the grid after it."
    drawn = alt.layer(area, now, grid, stems, heads, text, labels.hint_layer(named))
    return theme.themed(drawn, described, HEIGHT)


def _values(shown: RoundedWeights) -> list[dict[str, Any]]:
    most = max(shown.uses, default=0) or 1
    pairs = zip(shown.values, shown.uses, strict=True)
    return [
        {"kind": "value", "value": value, "height": uses / most, "code": index, "uses": units.exact(uses)}
        for index, (value, uses) in enumerate(pairs)
    ]


def _title(shown: RoundedWeights, is_dense: bool) -> dict[str, Any]:
    lines = max(len(shown.lines), len(shown.values))
    said = [] if shown.said else [shown.title]  # a long one stands above the chart, which it would squeeze
    if is_dense:
        said.append(f"{lines:,} lines: too close to draw")
    return {"kind": "title", "title": ", ".join(said)}
