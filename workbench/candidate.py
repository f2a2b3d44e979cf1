"""What passes from step to step: a plain model, its free weights, and the constraints its weights satisfy."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor, nn

from workbench.activations import Rounding, attach
from workbench.constraints import Constraint, Constraints
from workbench.errors import listed
from workbench.plain import own_copy, plain_copy

if TYPE_CHECKING:
    from workbench.schedule import Schedule
    from workbench.workload import Workload


@dataclass(frozen=True, eq=False)
class Candidate:
    """A model on its way to being a version. Immutable; it may share tensors with other candidates.

    Attributes:
        model: a plain `nn.Module` in eval mode whose weights already satisfy the constraints.
        constraints: by parameter name.
        latent: the free weights of constrained parameters, from which training goes on; a parameter that is
            not named here is its own latent weight.
        notes: what the last step has to say: layers it left alone, promises it ended.
        activations: how values are rounded while the model runs, by place (see `workbench.activations`).
        schedules: what the next training has yet to do to the constraints.
        base: what the structure is written down against, where that is not the workload's own model: a
            student of another class, as it was given.
    """

    model: nn.Module
    constraints: Constraints = field(default_factory=Constraints)
    latent: Mapping[str, Tensor] = field(default_factory=dict)
    notes: tuple[str, ...] = ()
    activations: Mapping[str, Rounding] = field(default_factory=dict)
    schedules: tuple[Schedule, ...] = ()
    base: nn.Module | None = None

    @classmethod
    def of(cls, model: nn.Module) -> Candidate:
        """A candidate on a copy of `model`."""
        return cls(plain_copy(model))

    def copy(self) -> Candidate:
        """The same candidate on tensors of its own."""
        latent = {name: tensor.clone() for name, tensor in self.latent.items()}
        return replace(self, model=own_copy(self.model), latent=latent, notes=())

    @cached_property
    def simulated(self) -> nn.Module:
        """What runs: the plain model, or one on the same tensors whose activations are rounded by hooks."""
        if not self.activations:
            return self.model
        tensors = [*self.model.parameters(), *self.model.buffers()]
        running = own_copy(self.model, {id(each): each for each in tensors})
        attach(running, self.activations)
        return running

    def call(self, work: Workload, inputs: Any) -> Any:
        """What the compressed model gives for a batch of inputs, called the workload's way, no gradients."""
        with torch.no_grad():
            return work.call(self.simulated, inputs)

    def free(self, name: str) -> Tensor:
        """The latent weight of a parameter."""
        return self.latent.get(name, self.model.get_parameter(name)).detach()

    def constrained(
        self, new: Mapping[str, Constraint], weights: Mapping[str, Tensor] | None = None
    ) -> Candidate:
        """This candidate under further constraints; tensors that do not change are shared.

        `weights` are the constrained weights where they are known already.
        """
        constraints = self.constraints.adding(new)
        latent = dict(self.latent) | {name: self.free(name) for name in new}
        known = weights or {}
        with torch.no_grad():
            made = {n: known[n] if n in known else constraints.constrain(n, latent[n]) for n in new}
        latent = {name: tensor for name, tensor in latent.items() if not constraints.has_own_values(name)}
        return replace(
            self,
            model=with_parameters(self.model, made),
            constraints=constraints,
            latent=latent,
            notes=self.notes + self._replaced(constraints, new),
        )

    def rounding(self, new: Mapping[str, Rounding]) -> Candidate:
        """This candidate with activations rounded at further places; at a place there is one rounding."""
        return replace(self, activations={**self.activations, **new})

    def scheduled(self, schedule: Schedule) -> Candidate:
        """This candidate with something more for the next training to carry out."""
        return replace(self, schedules=(*self.schedules, schedule))

    def _replaced(self, constraints: Constraints, new: Mapping[str, Constraint]) -> tuple[str, ...]:
        """A note on the promises that a constraint of another type took the place of."""
        ended = {
            (type(old).__name__, type(new[name]).__name__)
            for name in new
            for old in self.constraints.get(name, ())
            if type(old) is not type(new[name]) and old not in constraints[name]
        }
        return tuple(f"{old} ended: {later} took its place" for old, later in sorted(ended))

    def noting(self, *notes: str) -> Candidate:
        """This candidate with more to say."""
        return replace(self, notes=self.notes + notes)

    def restructured(self, model: nn.Module) -> Candidate:
        """This candidate with another structure, in eval mode; its tensors are the candidate's from now on.

        Constraints stay where a parameter of the same name and shape is left, roundings where the layer is;
        the others end, and the notes say so. A step that knows which indices remain passes the constraints
        on itself.
        """
        shapes = {name: each.shape for name, each in model.named_parameters()}
        before = {name: each.shape for name, each in self.model.named_parameters()}
        kept = {name: chain for name, chain in self.constraints.items() if shapes.get(name) == before[name]}
        ended = [name for name in self.constraints if name not in kept]
        latent = {name: tensor for name, tensor in self.latent.items() if name in kept}
        notes = (f"the constraints of {listed(ended)} ended with their shape",) if ended else ()
        paths = {path for path, _ in model.named_modules()}
        rounded = {name: each for name, each in self.activations.items() if name.rpartition("/")[0] in paths}
        if lost := [name for name in self.activations if name not in rounded]:
            notes += (f"the rounding of {listed(lost)} ended with its layer",)
        scheduled = tuple(each for each in self.schedules if set(each.names) <= set(shapes))
        return replace(
            self,
            model=model.eval(),
            constraints=Constraints(kept),
            latent=latent,
            notes=self.notes + notes,
            activations=rounded,
            schedules=scheduled,
        )

    def trained(
        self,
        model: nn.Module,
        latent: Mapping[str, Tensor],
        constraints: Constraints | None = None,
        activations: Mapping[str, Rounding] | None = None,
    ) -> Candidate:
        """This candidate after training: other free weights, its constraints written into `model`.

        `constraints` and `activations` are given where training changed them too: what they learn, or by a
        schedule.
        """
        constraints = self.constraints if constraints is None else constraints
        with torch.no_grad():
            for name, weight in latent.items():
                model.get_parameter(name).copy_(constraints.constrain(name, weight))
        free = {name: weight for name, weight in latent.items() if not constraints.has_own_values(name)}
        activations = self.activations if activations is None else activations
        return replace(
            self, model=model, constraints=constraints, latent=free, activations=activations, notes=()
        )


def with_parameters(model: nn.Module, weights: Mapping[str, Tensor]) -> nn.Module:
    """`model` with some parameters replaced by name (tied ones too); every other tensor is shared."""
    kept: dict[int, Any] = {id(tensor): tensor for tensor in [*model.parameters(), *model.buffers()]}
    for name, weight in weights.items():
        old = model.get_parameter(name)
        kept[id(old)] = nn.Parameter(weight.detach(), requires_grad=old.requires_grad)
    return own_copy(model, kept)
