"""Relations between samples: which are near one another for the teacher, and at what angles."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional

ANGLES = 2.0  # weight of angles beside distances, as in the paper's experiments (25 and 50)


def relations(student: Tensor, teacher: Tensor, angles: float = ANGLES) -> Tensor:
    """Huber losses of pairwise distances and of angles in triplets, over the samples of a batch.

    Distances are in units of their own mean, so the two spaces may have different sizes and different
    numbers of features. Source: Park et al. 2019 (RKD), equations 4 to 8.

    Args:
        student, teacher: features, flattened to (n, any). A batch of one sample has no relations: 0.
        angles: weight of the angles; they take n³ values.
    """
    ours, theirs = student.flatten(1), teacher.flatten(1)
    if len(ours) < 2:
        return ours.sum() * 0
    value = functional.smooth_l1_loss(_distances(ours), _distances(theirs))
    if angles:
        value = value + angles * functional.smooth_l1_loss(_angles(ours), _angles(theirs))
    return value


def _distances(features: Tensor) -> Tensor:
    """Between all pairs, in units of the mean of those that are not 0; shape (n, n)."""
    squares = features.pow(2).sum(1)
    gaps = (squares[:, None] + squares[None, :] - 2 * features @ features.T).clamp_min(0)
    itself = torch.eye(len(features), dtype=torch.bool, device=features.device)
    # the root has no gradient at 0, which is where a sample meets itself
    distances = gaps.masked_fill(itself, 1).clamp_min(1e-12).sqrt().masked_fill(itself, 0)
    count = max(1, int((distances > 1e-6).sum()))
    return distances / (distances.sum() / count).clamp_min(1e-12)


def _angles(features: Tensor) -> Tensor:
    """The cosine at each sample between the directions to two others; shape (n, n, n)."""
    towards = features[None, :, :] - features[:, None, :]
    lengths = towards.pow(2).sum(2, keepdim=True).clamp_min(1e-12).sqrt()
    unit = towards / lengths
    return torch.bmm(unit, unit.transpose(1, 2))
