"""Exercises on pruning single weights, of the lesson `02-pruning-weights`."""

from __future__ import annotations

from workbench.course.answers import Numbers, share, whole
from workbench.course.exercise import exercise, expect
from workbench.course.trials import example, points_lost

_WEIGHTS = (3, -1, 4, 1, -5, 9, -2, 6)


@exercise("pruning-1", Numbers(8))
def stays_under_two_of_four(kept: list[float]) -> None:
    """Of the weights 3, −1, 4, 1, −5, 9, −2, 6: which stay (1) and which go (0) under 2:4?"""
    expect(set(kept) <= {0, 1}, "write 1 for a weight that stays and 0 for one that goes")
    for place, four in (("first", slice(0, 4)), ("last", slice(4, 8))):
        pairs = list(zip(map(abs, _WEIGHTS[four]), kept[four], strict=True))
        stays, goes = ([size for size, is_kept in pairs if is_kept == wanted] for wanted in (1, 0))
        expect(len(stays) == 2, f"two of the {place} four stay; in your answer {len(stays)} of them do")
        expect(min(stays) > max(goes), f"in the {place} four, one that goes is larger than one that stays")


@exercise("pruning-2", share())
def second_of_four_prunings(zeros: float) -> None:
    """What share of zeros is there after the second of four prunings, from 0 to 80 % on the cubic curve?"""
    left = (0.8 - zeros) / 0.8  # of what is to be removed in the end: (1 - t)³, at half of the way
    expect(zeros > 0.4, "the curve rises fast at first: after half of the prunings it is above half of 80 %")
    expect(zeros < 0.8, "80 % is reached with the last pruning, not with the second")
    expect(abs(left - 0.5**3) < 1e-3, "what is still to go shrinks with the cube of the time that is left")


@exercise("pruning-3", share())
def far_without_training(sparsity: float) -> str:
    """What is the largest sparsity, in steps of 0.05, that costs `digits` at most one point, untrained?"""
    from workbench.techniques.prune_weights import PruneWeights

    expect(abs(20 * sparsity - round(20 * sparsity)) < 1e-6, "take a multiple of 0.05")
    digits = example("digits")
    lost = points_lost(digits, PruneWeights(sparsity))
    expect(lost <= 1, f"too far: at {sparsity:g} it loses {lost:.1f} points of validation accuracy")
    beyond = round(min(1.0, sparsity + 0.05), 2)
    expect(
        points_lost(digits, PruneWeights(beyond)) > 1,
        f"you can go further: {beyond:g} loses no more than a point either",
    )
    return "the next step loses more than a point"


@exercise("pruning-4", whole(1))
def magnitudes_after_rounding(count: float) -> str:
    """How many magnitudes, zero included, can the weights of a channel have after rounding to 4 bits?"""
    codes = 2**4 - 1  # symmetric: the sixteenth is left out
    expect(2 * count - 1 != 2**4, "almost: the grid is symmetric, and one of the sixteen codes is not used")
    expect(
        2 * count - 1 <= codes,
        "that is more than the codes allow: each magnitude above zero takes two of them",
    )
    expect(2 * count - 1 >= codes, "a code and its negative make one magnitude, and zero is one more")
    return "many weights then have the same magnitude, and nothing says which of them should go first"
