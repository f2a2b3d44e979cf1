"""A comparison as text and as HTML, and its tables as rows of texts that any page can set."""

from __future__ import annotations

from collections.abc import Sequence
from html import escape
from typing import TYPE_CHECKING

from workbench.measurement import units

if TYPE_CHECKING:
    from workbench.comparison.flipped import Flips
    from workbench.comparison.layers import LayerPair, LayerSide
    from workbench.comparison.side_by_side import Comparison

FIGURES = ("", "kind", "before", "after", "change", "is it real?")
LAYERS = ("layer", "shape", "parameters", "zeros", "bits", "error of outputs", "time", "rank ≤", "claimed")
CLASSES = (
    "class",
    "n",
    "recall before",
    "recall after",
    "precision before",
    "precision after",
    "broken",
    "mended",
)


def figure_rows(comparison: Comparison) -> list[tuple[str, ...]]:
    """A row a figure, under `FIGURES`."""
    return [
        (each.title, each.kind, each.before_text, each.after_text, each.change, each.verdict)
        for each in comparison.figures
    ]


def layer_rows(comparison: Comparison) -> list[tuple[str, ...]]:
    """A row a layer, under `LAYERS`; what differs is written `before → after`."""
    return [_layer(each) for each in comparison.layers]


def class_rows(flips: Flips) -> list[tuple[str, ...]]:
    """A row a class, under `CLASSES`."""
    return [
        (
            each.name,
            units.exact(each.n),
            *(
                f"{units.share(rate.value)} ({rate.n:,})"
                for rate in (
                    each.recall_before,
                    each.recall_after,
                    each.precision_before,
                    each.precision_after,
                )
            ),
            units.exact(each.broken),
            units.exact(each.mended),
        )
        for each in flips.classes
    ]


def text(comparison: Comparison) -> str:
    """The figures in aligned lines."""
    header = ("", "kind", comparison.before, comparison.after, "change", "is it real?")
    grid = [header, *figure_rows(comparison)]
    widths = [max(len(line[column]) for line in grid) for column in range(len(header))]
    lines = [
        "  ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True)).rstrip()
        for line in grid
    ]
    return "\n".join([*lines, *(f"\n{each}" for each in remarks(comparison))])


def html(comparison: Comparison) -> str:
    """The figures, the recipes and the layers as tables."""
    header = ("", "kind", comparison.before, comparison.after, "change", "is it real?")
    parts = [table(header, figure_rows(comparison), "Figures"), *(_p(each) for each in remarks(comparison))]
    if comparison.steps:
        parts.append(_p("Recipe: " + "; ".join(each.text for each in comparison.steps)))
    parts.append(table(LAYERS, layer_rows(comparison), "Layers"))
    return f'<div class="wb-comparison">{"".join(parts)}</div>'


def remarks(comparison: Comparison) -> list[str]:
    """What is said under the figures."""
    return [*([comparison.sentence] if comparison.sentence else []), *comparison.notes]


def table(header: Sequence[str], rows: Sequence[Sequence[str]], caption: str = "") -> str:
    """A table of texts whose first cells are its rows' names."""
    head = "".join(f'<th scope="col">{escape(each)}</th>' for each in header)
    body = "".join(_line(row) for row in rows)
    told = f"<caption>{escape(caption)}</caption>" if caption else ""
    return f'<table class="wb-table">{told}<thead><tr>{head}</tr></thead><tbody>{body}</tbody></table>'


def _line(row: Sequence[str]) -> str:
    cells = "".join(f"<td>{escape(each)}</td>" for each in row[1:])
    return f'<tr><th scope="row">{escape(row[0])}</th>{cells}</tr>'


def _p(told: str) -> str:
    return f"<p>{escape(told)}</p>"


def _layer(pair: LayerPair) -> tuple[str, ...]:
    before, after = pair.before, pair.after

    def both(write: object) -> str:
        texts = [write(each) if each is not None else units.UNKNOWN for each in (before, after)]  # type: ignore[operator]
        return texts[0] if texts[0] == texts[1] else f"{texts[0]} → {texts[1]}"

    is_timed = any(each is not None and each.milliseconds is not None for each in (before, after))
    return (
        pair.name,
        both(_shape),
        both(lambda side: units.count(side.parameters)),
        both(lambda side: units.share(side.zeros, 0)),
        both(lambda side: f"{side.bits:.3g}"),
        units.share(pair.error),
        both(lambda side: units.milliseconds(side.milliseconds)) if is_timed else units.UNKNOWN,
        both(lambda side: units.exact(side.rank)),
        both(lambda side: units.size(side.claimed_bytes)),
    )


def _shape(side: LayerSide) -> str:
    from workbench.tensors import by_shape  # needs torch, which a page of words does not

    return by_shape(side.shape) if side.parts == 1 else f"{side.parts} layers, {by_shape(side.shape)}"
