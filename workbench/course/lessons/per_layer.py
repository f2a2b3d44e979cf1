"""Exercises on sensitivity and on settings for each layer, of the lesson `10-choosing-per-layer`."""

from __future__ import annotations

import itertools
from collections.abc import Mapping
from typing import TYPE_CHECKING

from workbench.course.answers import ARecipe, Choice, Number, Table
from workbench.course.exercise import exercise, expect
from workbench.course.trials import example, version

if TYPE_CHECKING:
    from workbench.recipe import Recipe

# by layer and bits: kilobytes saved, and the squared output error in millionths
_OPTIONS = {
    "a": {8: (0, 0), 4: (40, 10), 2: (60, 90)},
    "b": {8: (0, 0), 4: (10, 2), 2: (15, 30)},
    "c": {8: (0, 0), 4: (20, 30), 2: (30, 400)},
}
_TO_SAVE = 70
_LAYERS = ("conv1", "conv2", "fc1", "fc2")


@exercise("per-layer-1", Number(0, 100, unit="percent"))
def add_the_errors(percent: float) -> None:
    """Each alone, three layers move the outputs by 3, 4 and 12 %: by how much do they move them together?"""
    alone = (3, 4, 12)
    expect(percent >= max(alone), "that is less than one of them does alone")
    expect(percent != sum(alone), "that much only if all errors point the same way; add their squares")
    squares = sum(each**2 for each in alone)
    expect(abs(percent**2 - squares) < 0.5, "the square of the answer is the sum of the three squares")


@exercise("per-layer-2", Table(tuple(_OPTIONS)))
def choose_by_hand(bits: Mapping[str, float]) -> str:
    """Which bits for the layers a, b and c save at least 70 KB at the least squared error?"""
    for layer, width in bits.items():
        expect(width in _OPTIONS[layer], f"layer {layer} can have 8, 4 or 2 bits")
    saved, cost = _added(bits)
    expect(saved >= _TO_SAVE, f"that saves {saved} KB")
    every = (dict(zip(_OPTIONS, widths, strict=True)) for widths in itertools.product((8, 4, 2), repeat=3))
    least = min(_added(each)[1] for each in every if _added(each)[0] >= _TO_SAVE)
    expect(
        cost <= least, f"that saves {saved} KB and costs {cost}; another choice saves enough and costs less"
    )
    return "what saves most is not always what pays best"


@exercise("per-layer-3", Choice(_LAYERS))
def who_pays_best(layer: str) -> str:
    """From 3 bits to 2, which layer of `digits` adds the least squared output error per byte it saves?"""
    from workbench.exploration.sensitivity import sensitivity
    from workbench.techniques.quantize import Quantize

    scan = sensitivity(example("digits"), Quantize, strengths=(3, 2))

    def price(name: str) -> float:
        weak, strong = scan.of(name)
        return (strong.output_error**2 - weak.output_error**2) / (strong.saved_bytes - weak.saved_bytes)

    cheapest = min(map(price, _LAYERS))
    times = price(layer) / cheapest
    expect(
        times <= 1, f"another layer is {times:.0f} times cheaper" if times >= 2 else "another one is cheaper"
    )
    return "it holds most of the bytes"


@exercise("per-layer-4", ARecipe())
def twelve_kilobytes(recipe: Recipe) -> str:
    """Which Quantize, with bits for each layer, stores `digits` in 12,000 bytes for half a point at most?"""
    expect(
        [type(step).__name__ for step in recipe] == ["Quantize"],
        "write one step, Quantize(..., layers={...})",
    )
    report = version(example("digits"), recipe).report
    stored, lost = report.size.stored, -100 * report.paired.difference
    expect(stored <= 12_000, f"it stores {stored:,} bytes; at most 12,000 are allowed")
    expect(lost <= 0.5 + 1e-9, f"small enough, but it loses {lost:.2f} points of validation accuracy")
    return "a single width for all layers does not get there"


def _added(bits: Mapping[str, float]) -> tuple[int, int]:
    """What a choice saves and what it costs."""
    taken = [_OPTIONS[layer][int(width)] for layer, width in bits.items()]
    return sum(saved for saved, _ in taken), sum(cost for _, cost in taken)
