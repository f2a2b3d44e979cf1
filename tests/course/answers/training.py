"""Answers to the exercises on training under rounding."""

from math import log2

from cases import Case

CASES = {
    "training-1": Case(right=log2(5), wrong=[(2, "fewer"), (3, "long stream")]),
    "training-2": Case("ends", [("all", "at the ends"), ("both", "one of")], is_slow=True),
    "training-3": Case(
        right=0.01,
        wrong=[(0.3, "% right"), (0.001, "with 0.001"), (5, "seldom"), (0, "above 0")],
        is_slow=True,
    ),
    "training-4": Case(
        right=["conv1.weight", "conv2.weight", "fc1.weight"],
        wrong=[(["fc1.weight"], "conv1"), (["fc2.weight"], "nudge"), (["fc2.wieght"], "did you mean")],
    ),
    "training-5": Case(right=18, wrong=[(0.18, "in points"), (3, "not what")], is_slow=True),
}
