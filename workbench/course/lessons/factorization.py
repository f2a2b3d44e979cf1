"""Exercises on thin layers, of the lesson `07-factorization`."""

from __future__ import annotations

from workbench.course.answers import Choice, share, whole
from workbench.course.exercise import exercise, expect
from workbench.course.trials import candidate, example, points_lost, zeros


@exercise("factorization-1", whole(1))
def break_even(rank: float) -> None:
    """What is the largest rank at which a layer of 800 to 500, split in two, has fewer weights than whole?"""
    whole_one = 800 * 500

    def thin(rank: float) -> float:
        return rank * 800 + rank * 500

    expect(
        thin(rank) < whole_one,
        f"at rank {rank} the thin layers have {thin(rank):,} weights, the whole one {whole_one:,}",
    )
    expect(thin(rank + 1) >= whole_one, "one rank more still has fewer weights than the whole one")


@exercise("factorization-2", share())
def far_down_without_training(ratio: float) -> str:
    """What is the smallest ratio, in steps of 0.05, that costs `digits` at most one point, untrained?"""
    expect(abs(20 * ratio - round(20 * ratio)) < 1e-6, "take a multiple of 0.05")
    expect(ratio > 0, "nothing would be left of the layers")
    lost = _lost(ratio)
    expect(lost <= 1, f"too far down: at {ratio:g} it loses {lost:.1f} points of validation accuracy")
    below = round(ratio - 0.05, 2)
    expect(
        below == 0 or _lost(below) > 1,
        f"you can go further down: {below:g} loses no more than a point either",
    )
    return "the next step down loses more than a point"


@exercise("factorization-3", whole(1))
def larger_than_whole(count: float) -> str:
    """How many weights does fc1 (784 to 300) have after `Factorize(1.0, where='any')`, without biases?"""
    rank = 300  # of a 300 × 784 matrix: full
    expect(
        count != 784 * 300, "that is the whole layer; where='any' splits it even where that makes it larger"
    )
    expect(count >= rank * 784, "the first thin layer alone has 784 inputs for each rank")
    expect(count / rank - 784 >= 300, "and the second has each rank as an input of 300 outputs")
    expect(count / rank - 784 <= 300, "that is more than two thin layers of full rank have")
    return "so a ratio of 1 with the default, where='smaller', leaves every layer whole"


@exercise("factorization-4", Choice(("prune first", "factorize first")))
def which_order_keeps_zeros(order: str) -> str:
    """In which order of `PruneWeights(0.9)` and `Factorize(0.2)` are nine in ten weights zero at the end?"""
    steps = ["PruneWeights(0.9)", "Factorize(0.2)"]
    recipe = " | ".join(steps if order == "prune first" else reversed(steps))
    left = zeros(candidate(example("lenet-300-100"), recipe))
    expect(
        left >= 0.899,
        f"after {recipe} only {left:.0%} of the weights are zero: a product of thin matrices is dense",
    )
    return "structure first, masks after it"


def _lost(ratio: float) -> float:
    return points_lost(example("digits"), f"Factorize({ratio!r})")
