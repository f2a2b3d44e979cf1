"""Answers to the exercises on shared weights."""

from cases import Case

CASES = {
    "sharing-1": Case(right=1012, wrong=[(500, "list"), (512, "code"), (2512, "more"), (900, "8 bits")]),
    "sharing-2": Case(right=8, wrong=[(2, "too few"), (16, "try 12"), (5, "one of")]),
    "sharing-3": Case(right=1.75, wrong=[(2, "two bits"), (1.5, "mean")]),
    "sharing-4": Case(right="share first", wrong=[("prune first", "bytes")]),
    "sharing-5": Case(
        right=192, wrong=[(256, "one list"), (100, "whole lists"), (64, "same list"), (0, "less space")]
    ),
}
