"""Exercises on recipes of several steps, of the lesson `09-combining`."""

from __future__ import annotations

from typing import TYPE_CHECKING

from workbench.course.answers import ARecipe, Names, Number
from workbench.course.exercise import exercise, expect
from workbench.course.trials import example, version
from workbench.errors import listed

if TYPE_CHECKING:
    from workbench.recipe import Recipe

_WHOLE = 0.999
_NEXT = ("PruneWeights", "PruneChannels", "Factorize", "Quantize", "Ternarize", "Cast")
_FOUR = ("Factorize", "PruneChannels", "PruneWeights", "Quantize")


@exercise("combining-1", Number(1))
def the_claim_of_a_chain(times: float) -> None:
    """A quarter of the weights is left, eight in ten of them zero, 5 bits for 32: how many times smaller?"""
    left = (1 / 4, 1 - 0.8, 5 / 32)
    expect(
        abs(times - sum(1 / each for each in left)) > 0.01,
        "each works on what the others leave: they multiply",
    )
    share = left[0] * left[1] * left[2]
    expect(times * share < 1.01, "too much: eight in ten zeros leave two in ten, which is five times less")
    expect(times * share > 0.99, "too little: channels, zeros and bits all count")


@exercise("combining-2", Names(_NEXT))
def who_takes_the_values(names: list[str]) -> str:
    """Which techniques do not leave the whole promise of `ShareWeights(16)` standing?"""
    sharing = "ShareWeights(clusters=16)"
    breaking = set()
    for name in _NEXT:
        made = version(example("digits"), f"{sharing} | {name}()")
        kept = [each.kept for each in made.promises if each.by == sharing]
        if min(kept) < _WHOLE:
            breaking.add(name)
    expect(
        not (innocent := sorted({*names} - breaking)),
        f"after {listed(innocent)} there are still no more than 16 values",
    )
    missing = len(breaking - {*names})
    expect(
        not missing, f"{missing} more {'does' if missing == 1 else 'do'}: try each, and read version.standing"
    )
    return "a weight has one set of values, the last one, and new layers have values of their own"


@exercise("combining-3", ARecipe())
def keep_every_promise(recipe: Recipe) -> str:
    """Which order of PruneWeights, PruneChannels, Factorize and Quantize keeps every promise?"""
    used = sorted(type(step).__name__ for step in recipe)
    expect(used == list(_FOUR), f"use {listed(_FOUR)}, each once, and nothing else")
    promises = version(example("digits"), recipe).promises
    idle = [type(step).__name__ for step in recipe if all(each.by != str(step) for each in promises)]
    expect(not idle, f"with these options a step changes nothing: {listed(idle)}")
    broken = [str(each) for each in promises if each.kept < _WHOLE]
    expect(not broken, f"not all stand at the end: {'; '.join(broken)}")
    return "each step found its work undisturbed"


@exercise("combining-4", ARecipe())
def small_and_still_good(recipe: Recipe) -> str:
    """Which recipe, of ten epochs at most, stores `digits` in 3,800 bytes with 98 % right on validation?"""
    epochs = sum(
        getattr(step, "epochs", 0) * getattr(step, "generations", 1) for step in recipe if step.trains
    )
    expect(epochs <= 10, f"it trains for {epochs} epochs; ten in all are allowed")
    report = version(example("digits"), recipe).report
    stored = report.size.stored
    expect(stored <= 3_800, f"it stores {stored:,} bytes; at most 3,800 are allowed")
    value = report.accuracy.value
    expect(value >= 0.98, f"small enough, but only {100 * value:.2f} % of the validation images are right")
    return "now look at its test accuracy, once"
