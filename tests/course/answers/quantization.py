"""Answers to the exercises on rounding."""

from cases import Case

CASES = {
    "quantization-1": Case(
        right=0.9 / 7,
        wrong=[(0.6 / 7, "either sign"), (0.12, "outside"), (0.9 / 3, "finer"), (-1, "at least 0")],
    ),
    "quantization-2": Case(right=4.25, wrong=[(4, "too"), (20, "once"), (4.5, "group")]),
    "quantization-3": Case(right=4, wrong=[(2, "too few"), (8, "try 7"), (4.5, "whole")]),
    "quantization-4": Case(
        right="mse", wrong=[("minmax", "another"), ("max", "did you mean"), (3, "one of")]
    ),
    "quantization-5": Case(
        right="Quantize(4, layers={'conv1': 3, 'conv2': 3, 'fc1': 3})",
        wrong=[
            ("Quantize(4)", "bytes"),
            ("Quantize(6, layers={'conv2': 3, 'fc1': 3, 'fc2': 5})", "step to beat"),
            ("Quantize(2)", "loses"),
            ("PruneWeights(0.9) | Quantize(4)", "one step"),
            ("Quantise(4)", "did you mean"),
        ],
    ),
}
