"""Weights go first whose loss to zero would change the loss least, to first order.

Molchanov et al. 2017, "Pruning Convolutional Neural Networks for Resource Efficient Inference", and 2019,
"Importance Estimation for Neural Network Pruning", equation 8: the squared product of gradient and weight.
The mean gradient of a trained net is about zero, so squares are taken first, over a few samples at a time.
"""

from __future__ import annotations

from collections.abc import Mapping

from torch import Tensor

from workbench.algorithms.importance.base import Criterion, Gathering, Known, Look
from workbench.algorithms.importance.gradients import Gradients

_MEMORY = 0.95  # of the mean square from one step to the next: about the last twenty steps count


class Taylor(Criterion):
    """|w| times the root mean square of its gradient."""

    needs_data = True

    def known(self, look: Look) -> Known:
        """Root mean square gradients over training samples."""
        squares: dict[str, Tensor] = {}
        count = 0
        found = Gradients(look)
        for each in found:
            count += 1
            for name, gradient in each.items():
                squares[name] = squares[name] + gradient.square() if name in squares else gradient.square()
        return Known({name: (each / count).sqrt() for name, each in squares.items()}, found.notes)

    def score(self, weight: Tensor, known: Tensor | None) -> Tensor:
        """What the loss would change by, in size."""
        assert known is not None, "measured for every weight by `known`"
        return weight.detach().abs() * known

    def gathering(self, known: Mapping[str, Tensor]) -> Gathering:
        """With gradients that follow the training."""
        return _Following(self, known)


class _Following(Gathering):
    def observe(self, weights: Mapping[str, Tensor]) -> None:
        for name, weight in weights.items():
            if weight.grad is not None:
                square = self._known[name].square().mul_(_MEMORY)
                self._known[name] = square.add_(weight.grad.square(), alpha=1 - _MEMORY).sqrt_()


CRITERION = Taylor()
