"""What a student may learn from: one loss per file, and what each one needs.

Each is a function of tensors. To add one, add a file and its line in `KINDS`.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Kind:
    """What a term of the objective needs, and how much it counts where nobody says.

    Attributes:
        of: "outputs" of both nets, or "features" of pairs of layers.
        weight: the default.
        is_adapted: whether the student's features go through a learned adaptor first.
        needs_classes: whether the outputs must be logits of classes.
    """

    of: str
    weight: float
    help: str
    is_adapted: bool = False
    needs_classes: bool = False


LABELS = "labels"
_LABELS_BESIDE_OUTPUTS = 0.1  # "a considerably lower weight" (Hinton 2015, section 2)

KINDS = {
    "soft_targets": Kind("outputs", 1.0, "the teacher's classes at a temperature", needs_classes=True),
    "decoupled": Kind("outputs", 1.0, "soft targets, right and wrong classes apart", needs_classes=True),
    "outputs": Kind("outputs", 1.0, "the teacher's outputs as they are"),
    "features": Kind("features", 1.0, "feature maps, through learned adaptors", is_adapted=True),
    "attention": Kind("features", 5.0, "where layers look"),
    "relations": Kind("features", 25.0, "distances and angles between samples"),
    "cosine": Kind("features", 1.0, "directions of features, through learned adaptors", is_adapted=True),
}


def labels_weight(names: set[str]) -> float:
    """The default weight of the data's own labels: low beside the teacher's outputs, 1 without them."""
    return _LABELS_BESIDE_OUTPUTS if any(KINDS[name].of == "outputs" for name in names) else 1.0


__all__ = ["KINDS", "LABELS", "Kind", "labels_weight"]
