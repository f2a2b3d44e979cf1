"""Answers to the exercises on distillation."""

from cases import Case

CASES = {
    "distillation-1": Case(right=2, wrong=[(1, "hotter"), (4, "cooler"), (0, "above 0")]),
    "distillation-2": Case(
        right=61_035,
        wrong=[(60_925, "bias"), (66_653, "as many as they were"), (61_025, "outputs"), (10, "three")],
    ),
    "distillation-3": Case(right=11, wrong=[(4, "still gets"), (50, "already at 49")]),
    "distillation-4": Case(
        right=["original", "first student", "second student"],
        wrong=[
            (["original"] * 3, "later teacher"),
            (["first student", "second student", "third student"], "not trained yet"),
            (["original"], "three teachers"),
        ],
    ),
}
