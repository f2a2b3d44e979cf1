"""Weights go first that training moves toward zero (Sanh et al. 2020, "Movement Pruning").

The score of a weight is the sum over training steps of -gradient × weight (equation 5). It is made for a
gradual schedule, where it gathers as the net trains; without one, the sum is over samples at weights that
stay as they are.
"""

from __future__ import annotations

from collections.abc import Mapping

from torch import Tensor

from workbench.algorithms.importance.base import Criterion, Gathering, Known, Look
from workbench.algorithms.importance.gradients import Gradients


class Movement(Criterion):
    """-gradient × weight, summed up."""

    needs_data = True

    def known(self, look: Look) -> Known:
        """The sum over training samples, nothing being moved."""
        found = Gradients(look)
        sums: dict[str, Tensor] = {}
        for each in found:
            for name, gradient in each.items():
                moved = -gradient * look.candidate.free(name)
                sums[name] = sums[name] + moved if name in sums else moved
        return Known(sums, found.notes)

    def score(self, weight: Tensor, known: Tensor | None) -> Tensor:
        """The sums."""
        assert known is not None, "summed for every weight by `known`"
        return known

    def gathering(self, known: Mapping[str, Tensor]) -> Gathering:
        """The sums go on with every step."""
        return _Moving(self, known)


class _Moving(Gathering):
    def observe(self, weights: Mapping[str, Tensor]) -> None:
        for name, weight in weights.items():
            if weight.grad is not None:
                self._known[name] = self._known[name] - weight.grad * weight.detach()


CRITERION = Movement()
