"""Self-distillation: a net's own output teaches heads on its earlier layers, which pull those along."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor, nn
from torch.nn import functional

from workbench.algorithms.distillation.adaptors import fit
from workbench.algorithms.distillation.losses.soft_targets import soft_targets
from workbench.algorithms.distillation.points import Point, points
from workbench.algorithms.distillation.taps import Taps
from workbench.errors import WorkloadError
from workbench.training import Moment, Objective

if TYPE_CHECKING:
    from workbench.workload import Workload

_MOST = 3  # heads


class Heads(Objective):
    """Labels for the output and for every head, and the output's soft targets for every head.

    A head is the mean over positions and a linear layer; heads are thrown away after training. The output
    gives its soft targets without a gradient. Source: Zhang et al. 2019 ("Be your own teacher"), section 3,
    without its hints between features.

    Args:
        share: of the soft targets in a head's loss, against labels; 0 to 1.
    """

    def __init__(
        self, work: Workload, places: Sequence[Point], temperature: float, share: float = 0.5, seed: int = 0
    ) -> None:
        self._work, self._temperature, self._share = work, temperature, share
        self._places = tuple(places)
        classes = work.outputs.shape[1]
        generator = torch.Generator().manual_seed(seed)
        self._weights = [_linear(each.channels, classes, generator, work.device) for each in self._places]
        self._watched: Taps | None = None

    def parameters(self) -> list[Tensor]:
        """Weights and biases of the heads."""
        return [tensor for pair in self._weights for tensor in pair]

    @contextmanager
    def watching(self, model: nn.Module) -> Iterator[None]:
        """The layers under the heads are looked at."""
        try:
            with Taps(model, [each.path for each in self._places]) as self._watched:
                yield
        finally:
            self._watched = None

    def __call__(
        self, outputs: Any, inputs: Any, targets: Any, moment: Moment
    ) -> tuple[Tensor, dict[str, float]]:
        """The sum, and its terms: labels of the output, labels and soft targets of the heads (means)."""
        assert self._watched is not None, "training calls the objective while it watches"
        own = self._work.loss(outputs, targets)
        hard = own.new_zeros(())
        soft = own.new_zeros(())
        for place, (weight, bias) in zip(self._places, self._weights, strict=True):
            values = fit(self._watched.seen[place.path].float(), place)
            scores = functional.linear(values.flatten(2).mean(2) if values.ndim > 2 else values, weight, bias)
            hard = hard + self._work.loss(scores, targets)
            soft = soft + soft_targets(scores, outputs.detach(), self._temperature)
        count = len(self._places)
        total = own + (1 - self._share) * hard + self._share * soft
        terms = {"labels": own, "heads_labels": hard / count, "heads_soft_targets": soft / count}
        return total, {name: float(value.detach()) for name, value in terms.items()}


def head_places(model: nn.Module, work: Workload, names: Sequence[str] = ()) -> list[Point]:
    """The layers that get a head: those named, else up to three evenly over the depth.

    Raises:
        RecipeError: a layer that is not there. WorkloadError: no classes, or no layer to put a head on.
    """
    from workbench.algorithms.distillation.matching import find_point

    if not work.is_classification:
        raise WorkloadError("heads need one class for each sample; use algorithm='offline'")
    if names:
        return [find_point(name, model, work) for name in names]
    found = points(model, work)
    if not found:
        raise WorkloadError("this net has no layer to put a head on; use algorithm='born-again'")
    if len(found) <= _MOST:
        return found
    return [found[round((index + 1) * len(found) / (_MOST + 1)) - 1] for index in range(_MOST)]


def _linear(
    features: int, classes: int, generator: torch.Generator, device: torch.device
) -> tuple[Tensor, Tensor]:
    bound = features**-0.5
    weight = (2 * torch.rand(classes, features, generator=generator) - 1) * bound
    return weight.to(device).requires_grad_(), torch.zeros(classes, device=device).requires_grad_()
