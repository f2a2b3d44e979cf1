"""Answers to the exercises on pruning structure."""

from cases import Case

READERS = ["blocks.0.conv1", "blocks.1.conv1", "blocks.2.conv1"]

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
        right=["head", *READERS],
        wrong=[
            (["blocks.0.conv2", *READERS], "conv1 of the same block"),
            (["stem", *READERS], "the image"),
            (READERS, "last block"),
            ([READERS[0], "head"], "every block"),
            (["stem", "blocks.7.conv2"], "did you mean"),
        ],
    ),
    "structure-4": Case(right=0.5, wrong=[(0.8, "first step"), (0.1, "count them")]),
}
