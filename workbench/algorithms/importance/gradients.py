"""The gradients of the loss for weights that are not moved, a few training samples at a time."""

from __future__ import annotations

from collections.abc import Iterator

import torch
from torch import Tensor

from workbench.activations import attach
from workbench.algorithms.importance.base import Look
from workbench.algorithms.importance.samples import Samples
from workbench.errors import WorkbenchError
from workbench.plain import own_copy


class Gradients:
    """Iterates over gradients by parameter name; a weight the loss does not depend on has zeros."""

    def __init__(self, look: Look) -> None:
        self._look = look
        self._samples = Samples(look)

    def __iter__(self) -> Iterator[dict[str, Tensor]]:
        look = self._look
        model = own_copy(look.candidate.model)  # in eval mode: no dropout, and statistics that stay
        attach(model, look.candidate.activations)
        asked = {name: model.get_parameter(name).requires_grad_() for name in look.names}
        for inputs, targets in self._samples:
            with torch.enable_grad():
                loss = look.work.loss(look.work.call(model, inputs), targets)
                found = torch.autograd.grad(loss, list(asked.values()), allow_unused=True)
            if not bool(torch.isfinite(loss)):
                raise WorkbenchError(f"the loss on training data is {loss.item()}; no gradient can be taken")
            pairs = zip(asked.items(), found, strict=True)
            yield {n: torch.zeros_like(p) if g is None else g for (n, p), g in pairs}

    @property
    def notes(self) -> tuple[str, ...]:
        """What the samples have to say."""
        return self._samples.notes
