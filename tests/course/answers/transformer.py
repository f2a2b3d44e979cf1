"""Answers to the exercises on a transformer."""

from cases import Case

CASES = {
    "transformer-1": Case(
        right=33_792,
        wrong=[(131_072, "as it was"), (32_768, "share"), (1_024, "less than"), (35_000, "more than")],
    ),
    "transformer-2": Case(right=4, wrong=[(2, "each word alone"), (1, "more words"), (3, "pairs")]),
    "transformer-3": Case(
        right="blocks.3", wrong=[("blocks.2", "more are"), ("blocks.0", "one of")], is_slow=True
    ),
    "transformer-4": Case(
        right="PruneLayers(3) | Factorize(1, ranks={'words': 32}) | FineTune(1)",
        wrong=[
            ("PruneLayers(1)", "parameters are left"),
            ("Quantize(2)", "parts that go"),
            ("PruneLayers(3) | FineTune(3)", "2 epochs"),
            ("PruneChannels(0.75) | Factorize(1, ranks={'words': 1})", "it loses"),
            ("PruneLayer(3)", "did you mean"),
        ],
        is_slow=True,
    ),
}
