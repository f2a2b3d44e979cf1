"""Small absolute values go first (Han et al. 2015, "Learning both Weights and Connections")."""

from __future__ import annotations

from torch import Tensor

from workbench.algorithms.importance.base import Criterion


class Magnitude(Criterion):
    """|w|."""

    def score(self, weight: Tensor, known: Tensor | None) -> Tensor:
        """The absolute values."""
        return weight.detach().abs()


CRITERION = Magnitude()
