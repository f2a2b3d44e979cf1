"""Exercises on size, speed and accuracy, of the lesson `01-what-the-numbers-mean`."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from workbench.course.answers import ARecipe, Number, share
from workbench.course.exercise import exercise, expect
from workbench.course.trials import example, version

if TYPE_CHECKING:
    from workbench.recipe import Recipe

_PLACES = 500 * 800
_KEPT = 0.1


@exercise("numbers-1", Number(0, unit="bytes"))
def what_was_claimed(count: float) -> None:
    """How many bytes does arithmetic claim for the kept tenth of 500 × 800 weights, at 3 bits each?"""
    bits = 8 * count
    expect(bits < 3 * _PLACES, "only a tenth of the weights is kept")
    expect(not math.isclose(bits, 8 * 3 * _KEPT * _PLACES), "those are bits; eight of them make a byte")
    expect(math.isclose(bits, 3 * _KEPT * _PLACES), "count the weights that are kept, three bits for each")


@exercise("numbers-2", Number(0, unit="bytes"))
def what_was_forgotten(count: float) -> str:
    """At least how many bytes does it take to say which tenth of 400,000 weights is kept?"""
    per_place = 8 * count / _PLACES
    fewest = -_KEPT * math.log2(_KEPT) - (1 - _KEPT) * math.log2(1 - _KEPT)
    expect(per_place < 0.99, "a bit for each place is enough, and fewer will do: kept weights are rare")
    expect(per_place > fewest / 10, "each place takes its entropy in bits; eight bits make a byte")
    expect(
        abs(per_place - fewest) < 0.01 * fewest,
        "a code can do with less" if per_place > fewest else "no code can do with so little",
    )
    return "more than the kept weights take themselves"


@exercise("numbers-3", Number(1, unit="images"))
def how_many_images(n: float) -> None:
    """With how many images does the 95 % interval of 99 % right reach a tenth of a point to each side?"""
    from workbench.measurement.intervals import wilson

    low, high = wilson(round(0.99 * n), round(n))
    reach = (high - low) / 2
    told = f"with {n:,.0f} images it reaches {100 * reach:.3f} points to each side"
    expect(reach <= 0.00105, f"{told}: take more")
    expect(reach >= 0.00095, f"{told}: fewer will do")


@exercise("numbers-4", share())
def heads_and_tails(p_value: float) -> str:
    """What is the p-value of a paired test with 12 images lost and 3 gained?"""
    from workbench.measurement.intervals import mcnemar

    both_sides = mcnemar(12, 3)
    expect(
        abs(2 * p_value - both_sides) > 1e-4,
        "that is one side; it could just as well have been 12 gained and 3 lost",
    )
    expect(
        abs(p_value - both_sides) < 1e-3,
        "count the ways for at most 3 of 15 coins to show heads, divide by 2 to the 15th, take both sides",
    )
    return "a difference is seen at the 5 % level, but would not be at 1 %"


@exercise("numbers-5", ARecipe())
def a_claim_that_is_far_off(recipe: Recipe) -> str:
    """Which recipe for `digits`, without training, stores at least twice as much as it claims?"""
    expect(not any(step.trains for step in recipe), "leave the training out: the file is what counts here")
    size = version(example("digits"), recipe).report.size
    ratio = size.stored / size.claimed
    expect(
        ratio >= 2, f"it claims {size.claimed:,} bytes and stores {size.stored:,}: {ratio:.2f} times as many"
    )
    return "the rest is where the kept weights lie, the names of the tensors, and the recipe"
