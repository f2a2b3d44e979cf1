"""Directions of features: as features, but blind to how large they are."""

from __future__ import annotations

from torch import Tensor
from torch.nn import functional


def cosine(student: Tensor, teacher: Tensor, dim: int = 1) -> Tensor:
    """`1 - cosine` of the angle between two vectors of features, averaged over samples and positions; 0 to 2.

    Args:
        student, teacher: features of one shape; the student's has been through its adaptor.
        dim: the dimension that holds the vectors (channels).

    Source: Sanh et al. 2019 (DistilBERT), section 2, the cosine embedding loss.
    """
    return (1 - functional.cosine_similarity(student, teacher, dim=dim)).mean()
