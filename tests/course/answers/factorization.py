"""Answers to the exercises on thin layers."""

from cases import Case

CASES = {
    "factorization-1": Case(right=307, wrong=[(308, "400,400"), (100, "one rank more")]),
    "factorization-2": Case(right=0.4, wrong=[(0.1, "too far"), (0.6, "further"), (0.33, "multiple")]),
    "factorization-3": Case(
        right=325_200,
        wrong=[(235_200, "whole layer"), (100, "784"), (235_300, "300 outputs"), (400_000, "more")],
    ),
    "factorization-4": Case(right="factorize first", wrong=[("prune first", "dense")]),
}
