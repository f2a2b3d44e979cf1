"""Answers to the exercises on recipes of several steps."""

from cases import Case

CASES = {
    "combining-1": Case(
        right=128, wrong=[(15.4, "multiply"), (32, "too little"), (512, "too much"), (0.5, "at least 1")]
    ),
    "combining-2": Case(
        right=["Factorize", "Quantize", "Ternarize"],
        wrong=[
            (["Factorize", "PruneChannels", "Quantize"], "after PruneChannels"),
            (["Factorize", "Quantize"], "1 more"),
            ([], "3 more"),
            (["Prune"], "names among"),
        ],
    ),
    "combining-3": Case(
        right="PruneChannels(0.3) | Factorize(0.3) | PruneWeights(0.5) | Quantize(4)",
        wrong=[
            ("PruneWeights(0.5) | PruneChannels(0.3) | Factorize(0.3) | Quantize(4)", "not all stand"),
            ("PruneChannels(0.3) | PruneWeights(0.5) | Quantize(4)", "each once"),
            ("PruneChannels(0.3) | Factorize(0.3) | PruneWeights(0.0) | Quantize(4)", "changes nothing"),
        ],
    ),
    "combining-4": Case(
        right="PruneChannels(0.4) | FineTune(2) | PruneWeights(0.8) | Quantize(3) | FineTune(6)",
        wrong=[
            ("PruneWeights(0.8) | FineTune(11)", "ten in all"),
            ("PruneWeights(0.8)", "at most 3,800"),
            ("PruneWeights(0.99)", "validation images"),
        ],
        is_slow=True,
    ),
}
