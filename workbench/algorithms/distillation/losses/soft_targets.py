"""Soft targets: the teacher's probabilities at a temperature, those of the wrong classes among them."""

from __future__ import annotations

from torch import Tensor
from torch.nn import functional


def soft_targets(student: Tensor, teacher: Tensor, temperature: float) -> Tensor:
    """`T² · KL(softmax(teacher / T) ‖ softmax(student / T))`, averaged over samples (and positions).

    The factor keeps the size of gradients when the temperature changes, so that weights beside other terms
    stay good. Source: Hinton, Vinyals, Dean 2015, section 2.

    Args:
        student, teacher: logits, shape (n, classes) or (n, classes, positions...).
        temperature: above 0; 1 gives the teacher's own probabilities, higher ones even them out.
    """
    ours = functional.log_softmax(student / temperature, dim=1)
    theirs = functional.log_softmax(teacher / temperature, dim=1)
    divergence = functional.kl_div(ours, theirs, reduction="none", log_target=True).sum(1)
    return temperature**2 * divergence.mean()
