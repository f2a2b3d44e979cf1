"""Answers to the exercises on size, speed and accuracy."""

import math

from cases import Case

ENTROPY = -0.1 * math.log2(0.1) - 0.9 * math.log2(0.9)

CASES = {
    "numbers-1": Case(
        right=15_000,
        wrong=[(150_000, "tenth"), (120_000, "bits"), (20_000, "three bits"), (-1, "at least 0")],
    ),
    "numbers-2": Case(
        right=50_000 * ENTROPY,
        wrong=[
            (50_000, "rare"),
            (40_000, "with less"),
            (20_000, "so little"),
            (ENTROPY, "entropy in bits"),
        ],
    ),
    "numbers-3": Case(right=38_000, wrong=[(3_000, "take more"), (100_000, "fewer will do")]),
    "numbers-4": Case(right=0.0352, wrong=[(0.0176, "one side"), (0.5, "both sides"), (3.5, "from 0 to 1")]),
    "numbers-5": Case(
        right="PruneWeights(0.95) | Quantize(3)",
        wrong=[
            ("Quantize(4)", "stores"),
            ("PruneWeights(0.95) | Quantize(3) | FineTune(1)", "leave the training out"),
            ("PruneWeights(80)", "0.8"),
        ],
    ),
}
