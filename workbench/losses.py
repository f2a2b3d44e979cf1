"""The loss of a batch where nobody gives one, and whether labels and losses are what they must be."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor
from torch.nn import functional

from workbench.data import described
from workbench.errors import WorkloadError, shown


def is_classification(targets: Any, outputs: Any) -> bool:
    """Whether each sample has one whole-number label and a row of two or more scores."""
    if not isinstance(targets, Tensor) or targets.is_floating_point() or targets.is_complex():
        return False
    return targets.ndim == 1 and isinstance(outputs, Tensor) and outputs.ndim == 2 and outputs.shape[1] > 1


def check_labels(targets: Tensor, outputs: Tensor) -> None:
    """Refuse labels that are not among the model's classes, or not as many as there are outputs.

    Args:
        targets: whole numbers, shape (n,) or (n, positions...).
        outputs: scores, shape (n, classes) or (n, classes, positions...).
    """
    if len(targets) != len(outputs):
        raise WorkloadError(
            f"a batch has {len(outputs)} outputs and {len(targets)} targets; give one target for each input"
        )
    check_range(targets, outputs.shape[1])


def check_range(targets: Tensor, classes: int) -> None:
    """Refuse labels that are not among so many classes, naming the first."""
    wrong = targets[(targets < 0) | (targets >= classes)]
    if len(wrong):
        raise WorkloadError(
            f"label {int(wrong[0])} is out of range: the model has {classes} outputs, "
            f"so labels run from 0 to {classes - 1}"
        )


def default_loss(outputs: Any, targets: Any) -> Tensor:
    """Cross entropy for whole-number targets, mean squared error for others.

    Raises:
        WorkloadError: outputs and targets that do not go together; the line says what they are.
    """
    for what, value in (("the model gives", outputs), ("the targets are", targets)):
        if not isinstance(value, Tensor):
            kind = type(value).__name__
            raise WorkloadError(
                f"{what} a {kind}; give loss=, a function of (outputs, targets) that takes it"
            )
    if not targets.is_floating_point() and _are_classes(outputs, targets):
        check_labels(targets, outputs)
        return functional.cross_entropy(outputs, targets.long())
    if targets.is_floating_point() and outputs.squeeze().shape == targets.squeeze().shape:
        # in one shape, since (n, 1) less (n,) would be (n, n)
        return functional.mse_loss(outputs, targets.reshape(outputs.shape).to(outputs.dtype))
    raise WorkloadError(
        f"the outputs are {described(outputs)} but targets are {described(targets)}; "
        "give loss=, a function of (outputs, targets)"
    )


def _are_classes(outputs: Tensor, targets: Tensor) -> bool:
    if outputs.ndim != targets.ndim + 1 or outputs.shape[1] < 2:
        return False
    return outputs.ndim == 2 or outputs.shape[2:] == targets.shape[1:]


def one_number(loss: Any) -> Tensor:
    """A loss as a tensor without dimensions.

    Raises:
        WorkloadError: it is something else.
    """
    if not isinstance(loss, Tensor) or loss.numel() != 1:
        given = described(loss) if isinstance(loss, Tensor) else shown(loss)
        raise WorkloadError(f"loss must give one number, a tensor without dimensions; got {given}")
    return loss.reshape(torch.Size())
