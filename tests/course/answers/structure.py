"""Answers to the exercises on pruning structure."""

from cases import Case

STREAM = ["blocks.0.conv2", "blocks.1.conv2", "blocks.2.conv2"]

CASES = {
    "structure-1": Case(
        right=1744,
        wrong=[
            (3472, "filters that go"),
            (1728, "bias"),
            (1745, "as many"),
            (6944, "slice"),
            (880, "reads 12"),
        ],
    ),
    "structure-2": Case(
        right=0.6, wrong=[(0.9, "too far"), (0.3, "further"), (0.61, "multiple"), (60, "like 0.8")]
    ),
    "structure-3": Case(
        right=["stem", *STREAM],
        wrong=[
            (["blocks.0.conv1", *STREAM], "conv2 of the same block"),
            ([*STREAM, "head"], "ten classes"),
            (STREAM[:1], "every block"),
            (["stem", "blocks.7.conv2"], "did you mean"),
        ],
    ),
    "structure-4": Case(right=0.5, wrong=[(0.8, "first step"), (0.1, "count them")]),
}
