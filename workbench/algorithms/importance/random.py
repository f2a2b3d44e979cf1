"""Any weights go, drawn by the seed: the control that every other criterion must beat."""

from __future__ import annotations

import torch
from torch import Tensor

from workbench.algorithms.importance.base import Criterion, Known, Look


class Random(Criterion):
    """A number drawn once for each weight, so that a higher sparsity removes the same weights and more."""

    def known(self, look: Look) -> Known:
        """One number from 0 to 1 for each weight."""
        generator = torch.Generator().manual_seed(look.seed)
        shapes = {name: look.candidate.model.get_parameter(name).shape for name in look.names}
        return Known({name: torch.rand(shape, generator=generator) for name, shape in shapes.items()})

    def score(self, weight: Tensor, known: Tensor | None) -> Tensor:
        """The numbers drawn."""
        assert known is not None, "drawn for every weight by `known`"
        return known


CRITERION = Random()
