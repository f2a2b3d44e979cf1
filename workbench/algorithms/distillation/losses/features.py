"""Feature maps: a layer of the student is to predict a layer of the teacher, through a learned adaptor."""

from __future__ import annotations

from torch import Tensor
from torch.nn import functional


def features(student: Tensor, teacher: Tensor) -> Tensor:
    """The mean squared difference of two feature maps of one shape, in units of the teacher's mean square.

    The student's has been through its adaptor. Dividing by the teacher's mean square gives every pair of
    layers the same say: 1 is what a student that always predicts zero gets. Source: Romero et al. 2015
    (FitNets), equation 3; the division is ours.
    """
    scale = teacher.pow(2).mean().clamp_min(1e-12)
    return functional.mse_loss(student, teacher) / scale
