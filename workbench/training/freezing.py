"""Leave some layers as they are while the others train: transfer learning on the same net."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from torch import Tensor, nn

from workbench.candidate import Candidate
from workbench.errors import RecipeError, listed, nearest
from workbench.plain import own_copy
from workbench.training.objective import Moment, Objective

if TYPE_CHECKING:
    from workbench.workload import Workload


class Frozen(Objective):
    """The workload's own loss, with some layers in eval mode: no dropout, batch norm as it is."""

    def __init__(self, work: Workload, paths: Sequence[str]) -> None:
        self._work = work
        self._paths = tuple(paths)

    @contextmanager
    def watching(self, model: nn.Module) -> Iterator[None]:
        """The frozen layers are put into eval mode each time they are about to run."""
        with ExitStack() as stack:
            for path in self._paths:
                for layer in model.get_submodule(path).modules():
                    stack.callback(layer.register_forward_pre_hook(_as_in_eval).remove)
            yield

    def __call__(
        self, outputs: Any, inputs: Any, targets: Any, moment: Moment
    ) -> tuple[Tensor, dict[str, float]]:
        """The loss, without further terms."""
        return self._work.loss(outputs, targets), {}


def frozen(candidate: Candidate, names: Sequence[str]) -> Candidate:
    """The candidate on a copy whose layers of these names, and all inside them, do not train.

    Raises:
        RecipeError: a layer that is not there; the line names the nearest.
    """
    model = own_copy(candidate.model)
    known = [path for path, _ in model.named_modules() if path]
    for name in names:
        if name not in known:
            raise RecipeError(
                f"freeze names {name!r}, which is no layer{nearest(name, known)} (there are: {listed(known)})"
            )
        model.get_submodule(name).requires_grad_(False)
    return replace(candidate, model=model)


def thawed(candidate: Candidate, like: Candidate) -> Candidate:
    """The candidate with every parameter free to train as it was in `like`; its model is changed in place."""
    for name, parameter in candidate.model.named_parameters():
        parameter.requires_grad_(like.model.get_parameter(name).requires_grad)
    return candidate


def _as_in_eval(layer: nn.Module, inputs: Any) -> None:
    layer.training = False
