"""Small weights on quiet inputs go first (Sun et al. 2024, "A Simple and Effective Pruning Approach").

The score is |w| times the norm of the input that it is multiplied with. The paper compares the weights of
one output with each other; over a layer or a model, the norm is a root mean square, so that layers with more
data are not favoured.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn

from workbench.activations import attach
from workbench.algorithms.importance.base import Criterion, Known, Look
from workbench.algorithms.importance.samples import Samples
from workbench.attention import without_fused_attention
from workbench.candidate import with_parameters
from workbench.errors import listed
from workbench.layers import weights
from workbench.plain import own_copy

_SEEN = (nn.Linear, nn.modules.conv._ConvNd, nn.Embedding)  # outputs are sums of weight × input


class Wanda(Criterion):
    """|w| times the root mean square of its input."""

    needs_data = True

    def known(self, look: Look) -> Known:
        """Root mean square inputs over training samples; layers that hide their inputs are noted."""
        twin = with_parameters(look.candidate.model, {})  # hooks on a copy: the model may be in use elsewhere
        asked = [each for each in weights(twin) if each.name in look.names]
        seen = {each.name: _Inputs(each.module) for each in asked if isinstance(each.module, _SEEN)}
        attach(twin, look.candidate.activations)
        for each in asked:
            if each.name in seen:
                each.module.register_forward_hook(seen[each.name])
        samples = Samples(look)
        with torch.no_grad(), without_fused_attention():
            for inputs, _ in samples:
                look.work.call(twin, inputs)
        found = {name: each.norms() for name, each in seen.items()}
        norms = {name: each for name, each in found.items() if each is not None}
        hidden = [each.layer for each in asked if each.name not in norms]
        words = f"wanda goes by magnitude alone in {listed(hidden)}: their inputs cannot be watched"
        return Known(norms, samples.notes + ((words,) if hidden else ()))

    def score(self, weight: Tensor, known: Tensor | None) -> Tensor:
        """Absolute values, times the norms where there are any."""
        return weight.detach().abs() if known is None else weight.detach().abs() * known


class _Inputs:
    """The mean square of what each weight of one layer is multiplied with, fed by a forward hook."""

    def __init__(self, module: nn.Module) -> None:
        self._bare = own_copy(module).requires_grad_()  # without the hooks to come
        self._sum: Tensor | None = None
        self._rows = 0

    def __call__(self, module: nn.Module, inputs: tuple[Any, ...], output: Tensor) -> None:
        """Add a batch. The outputs of squared inputs, summed, have the sums wanted as their gradient: stride,
        padding, groups and shared positions are torch's own.
        """
        squared = inputs[0].detach()
        squared = squared.square() if squared.is_floating_point() else squared  # an embedding takes indices
        weight = self._bare.weight
        with torch.enable_grad():
            (gradient,) = torch.autograd.grad(self._bare(squared).sum(), weight)
        axis = 1 if isinstance(module, nn.modules.conv._ConvTransposeNd) else 0
        outputs = 1 if isinstance(module, nn.Embedding) else weight.shape[axis]
        self._rows += output.numel() // max(1, outputs)
        self._sum = gradient if self._sum is None else self._sum + gradient

    def norms(self) -> Tensor | None:
        """Root mean squares; None for a layer that was never called."""
        return None if self._sum is None else (self._sum / max(1, self._rows)).sqrt()


CRITERION = Wanda()
