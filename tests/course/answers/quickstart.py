"""Answers to the exercises of the first lesson."""

import making
from cases import Case


def small_enough():
    return making.version("PruneWeights(0.9) | FineTune(20) | Quantize(5)", of="digits")


def not_small_enough():
    return making.version("Quantize(8)", of="digits")


def too_bad():
    return making.version("PruneWeights(0.99) | Quantize(4)", of="digits")


CASES = {
    "quickstart-1": Case(
        right=153_128, wrong=[(38_282, "32 bits"), (1_225_024, "are bits"), (306_256, "more")]
    ),
    "quickstart-2": Case(
        right=small_enough,
        wrong=[(not_small_enough, "times smaller"), (too_bad, "loses"), (20, "a version")],
        is_slow=True,
    ),
    "quickstart-3": Case(
        right=1600, wrong=[(800, "square root"), (200, "wider"), (6400, "fewer are enough")]
    ),
}
