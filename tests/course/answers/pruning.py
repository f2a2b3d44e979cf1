"""Answers to the exercises on pruning single weights."""

from cases import Case

CASES = {
    "pruning-1": Case(
        right=[1, 0, 1, 0, 0, 1, 0, 1],
        wrong=[
            ([1, 1, 1, 0, 0, 1, 0, 1], "first four"),
            ([1, 0, 1, 0, 1, 1, 0, 0], "last four"),
            ([2, 0, 2, 0, 0, 2, 0, 2], "write 1"),
            ([1, 0, 1], "8 numbers"),
        ],
    ),
    "pruning-2": Case(
        right=0.7, wrong=[(0.4, "rises fast"), (0.6, "cube"), (0.8, "last pruning"), (70, "like 0.8")]
    ),
    "pruning-3": Case(right=0.85, wrong=[(0.5, "further"), (0.95, "too far"), (0.77, "multiple")]),
    "pruning-4": Case(right=8, wrong=[(16, "more than the codes allow"), (7, "zero"), (7.5, "whole")]),
}
