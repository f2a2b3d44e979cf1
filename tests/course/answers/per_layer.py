"""Answers to the exercises on sensitivity and on settings for each layer."""

from cases import Case

CASES = {
    "per-layer-1": Case(
        right=13,
        wrong=[(19, "same way"), (6, "alone"), (15, "sum of the three squares"), (169, "from 0 to 100")],
    ),
    "per-layer-2": Case(
        right={"a": 4, "b": 4, "c": 4},
        wrong=[
            ({"a": 2, "b": 4, "c": 8}, "costs less"),
            ({"a": 4, "b": 8, "c": 8}, "saves 40 KB"),
            ({"a": 3, "b": 4, "c": 4}, "8, 4 or 2"),
            ({"a": 4, "b": 4}, "missing"),
        ],
    ),
    "per-layer-3": Case(right="fc1", wrong=[("conv1", "cheaper"), ("conv2", "cheaper"), ("fc3", "one of")]),
    "per-layer-4": Case(
        right="Quantize(6, layers={'conv2': 3, 'fc1': 3, 'fc2': 5})",
        wrong=[
            ("Quantize(4)", "at most 12,000"),
            ("Quantize(2)", "small enough"),
            ("PruneWeights(0.9) | Quantize(4)", "one step"),
        ],
    ),
}
