"""Decoupled soft targets: how sure the teacher is of the right class, and what it thinks of the others."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional


def decoupled(
    student: Tensor, teacher: Tensor, targets: Tensor, temperature: float, others: float = 8.0
) -> Tensor:
    """`T² · (KL of right against wrong + others · KL among the wrong classes)`, averaged over samples.

    In plain soft targets the second part is weighted by the teacher's doubt, so that what a sure teacher
    knows of the wrong classes is hardly taught. Source: Zhao et al. 2022, equation 7 (α = 1, β = others).

    Args:
        student, teacher: logits, shape (n, classes), three or more classes (of two, one is wrong and nothing
            is left to tell: the second part is 0).
        targets: the right classes, whole numbers, shape (n,).
        others: weight of the wrong classes among themselves.
    """
    right = functional.one_hot(targets.long(), student.shape[1]).bool()
    binary = functional.kl_div(
        _right_or_wrong(student / temperature, right),
        _right_or_wrong(teacher / temperature, right),
        reduction="batchmean",
        log_target=True,
    )
    among = functional.kl_div(
        _among_wrong(student / temperature, right),
        _among_wrong(teacher / temperature, right),
        reduction="batchmean",
        log_target=True,
    )
    return temperature**2 * (binary + others * among)


def _right_or_wrong(logits: Tensor, right: Tensor) -> Tensor:
    """Log probabilities of the right class and of all wrong ones together, shape (n, 2)."""
    of_right = logits[right].unsqueeze(1)
    of_wrong = logits[~right].reshape(len(logits), -1).logsumexp(1, keepdim=True)
    return functional.log_softmax(torch.cat([of_right, of_wrong], dim=1), dim=1)


def _among_wrong(logits: Tensor, right: Tensor) -> Tensor:
    """Log probabilities of the wrong classes the right one ruled out, shape (n, classes - 1)."""
    return functional.log_softmax(logits[~right].reshape(len(logits), -1), dim=1)
