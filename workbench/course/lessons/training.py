"""Exercises on training under rounding, of the lesson `05-training-under-quantization`."""

from __future__ import annotations

from workbench.course.answers import Choice, Names, Number
from workbench.course.exercise import exercise, expect
from workbench.course.trials import right

_WEIGHTS = ("conv1.weight", "conv2.weight", "fc1.weight", "fc2.weight")


@exercise("training-1", Number(0, unit="bits"))
def bits_of_five_values(bits: float) -> str:
    """At least how many bits does a code need to tell five equally frequent values apart?"""
    expect(2**bits >= 4.98, f"with {bits:g} bits, fewer than five values can be told apart")
    expect(
        2**bits <= 5.02,
        "that is enough for more than five values; a long stream of codes needs less for each",
    )
    return "a long stream of codes comes as close to that as you like"


@exercise("training-2", Choice(("ends", "all")))
def keep_the_ends(better: str) -> str:
    """Which trained net is better: one bit in all layers ('all') or 8 bits in the first and last ('ends')?"""
    every, ends = (right("digits", f"Binarize({each}) | FineTune(5)") for each in ("", "first_last=True"))
    best = "ends" if ends > every else "all"
    told = f"one bit in all: {every:.1f} % of the validation images right; 8 at the ends: {ends:.1f} %"
    expect(better == best, told)
    return "the ends have few weights, and everything passes through them"


@exercise("training-3", Number(0))
def a_better_step(rate: float) -> str:
    """Which learning rate makes `Quantize(2) | FineTune(5)` three points better than 0.001 does?"""
    expect(0 < rate <= 1, "a learning rate lies above 0, and is seldom as large as 1")
    before = right("digits", "Quantize(2) | FineTune(5)")
    after = right("digits", f"Quantize(2) | FineTune(5, learning_rate={rate!r})")
    expect(after >= before + 3, f"with {rate:g} it gets {after:.1f} % right, with 0.001 {before:.1f} %")
    return "free weights must travel from line to line, which takes larger steps than a last polish does"


@exercise("training-4", Names(_WEIGHTS))
def without_the_lie(trained: list[str]) -> str:
    """Only `fc2` is rounded, and rounding hands back its true gradient: which weights are still trained?"""
    expect(
        "fc2.weight" not in trained,
        "nudge a rounded weight: the loss does not notice, so its gradient is zero",
    )
    missing = set(_WEIGHTS[:3]) - set(trained)
    expect(
        not missing,
        f"the gradient of {', '.join(sorted(missing))} comes through the activations, which are not rounded",
    )
    return "one layer alone stands still"


@exercise("training-5", Number(-100, 100, unit="points"))
def what_order_is_worth(points: float) -> str:
    """By how many points is `Quantize(2) | FineTune(5)` better than `FineTune(5) | Quantize(2)`?"""
    first, last = right("digits", "Quantize(2) | FineTune(5)"), right("digits", "FineTune(5) | Quantize(2)")
    expect(abs(points) >= 1, "answer in points: 5 % of the images are 5 points")
    expect(
        abs(points - (first - last)) <= 1.5,
        "that is not what the validation images of digits give with seed 0",
    )
    return "training that does not know of the grid leaves the weights anywhere, and rounding then undoes it"
