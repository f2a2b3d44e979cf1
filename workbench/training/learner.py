"""A copy of a candidate whose free weights are leaves, with the chain applied in every forward pass."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor, nn
from torch.func import functional_call

from workbench.activations import Rounding, attach
from workbench.candidate import Candidate
from workbench.constraints import Constraints
from workbench.data import length
from workbench.errors import WorkbenchError, WorkloadError
from workbench.plain import own_copy

if TYPE_CHECKING:
    from workbench.training.objective import Moment, Objective
    from workbench.workload import Workload


class Learner:
    """What is trained: the free weights of constrained parameters, all other parameters that are not frozen,
    tensors that constraints and roundings learn (each once however many use it), and those of the objective.

    A weight whose values come from its constraints is not trained itself.
    """

    def __init__(self, candidate: Candidate, work: Workload, objective: Objective | None = None) -> None:
        self.work = work
        self.start = candidate
        self.model: nn.Module = own_copy(candidate.model)
        self._objective = objective
        trains = {name for name in candidate.constraints if self.model.get_parameter(name).requires_grad}
        learned = Constraints({name: candidate.constraints[name] for name in trains}).learned()
        learned |= {id(t): t for each in candidate.activations.values() for t in each.learned().values()}
        self.learned = {key: tensor.detach().clone().requires_grad_() for key, tensor in learned.items()}
        self.constraints: Constraints = candidate.constraints.replacing(self.learned)
        self.activations = _replacing(candidate.activations, self.learned)
        self._clocks = [each.begin(candidate) for each in candidate.schedules]
        self._ends = max((each.ends for each in candidate.schedules), default=0.0)
        self._share = 0.0
        self.latent: dict[str, Tensor] = {}
        scheduled = {name for each in candidate.schedules for name in each.names}
        for name in {**self.constraints, **dict.fromkeys(scheduled)}:
            is_leaf = self.model.get_parameter(name).requires_grad
            is_leaf = is_leaf and not self.constraints.has_own_values(name)
            self.latent[name] = candidate.free(name).clone().requires_grad_(is_leaf)
        self.leaves = self._found_leaves()
        if not self.leaves:
            is_empty = next(self.model.parameters(), None) is None
            why = "the model has no parameters" if is_empty else "every parameter is frozen (requires_grad)"
            raise WorkbenchError(f"nothing to train: {why}")
        self._names = {name: _names_of(self.model, name) for name in self.latent}
        self.is_fed = False
        self._caller = _Caller(self.model, work)
        self._has_batch_norm = any(
            isinstance(m, nn.modules.batchnorm._BatchNorm) for m in self.model.modules()
        )

    def _found_leaves(self) -> list[Tensor]:
        constrained = {id(self.model.get_parameter(name)) for name in self.latent}
        free = [p for p in self.model.parameters() if p.requires_grad and id(p) not in constrained]
        leaves = [*self.latent.values(), *self.learned.values()]
        return [each for each in leaves if each.requires_grad] + free

    def usable(self, batches: Iterator[Any]) -> Iterator[Any]:
        """The batches, less single samples where batch statistics would be undefined."""
        for inputs, targets in batches:
            self.is_fed = True
            if not self._has_batch_norm or length(inputs) > 1:
                yield inputs, targets

    def without_batches(self) -> WorkloadError:
        """What to say when an epoch had no usable batch."""
        if self.is_fed:
            return WorkloadError(
                "every training batch has one sample, and batch norm needs two; give larger batches"
            )
        return WorkloadError("train is empty: reading it gave no batch; give smaller batches or more samples")

    @property
    def is_finite(self) -> bool:
        """Whether every trained tensor holds finite numbers only."""
        return all(bool(torch.isfinite(each).all()) for each in self.leaves)

    @property
    def is_settled(self) -> bool:
        """Whether every schedule has ended: what is judged before that is not what was asked for."""
        return self._share >= self._ends

    def advance(self, share: float) -> None:
        """Let the schedules do what is due at a share of the training."""
        self._share = share
        for clock in self._clocks:
            if (new := clock.at(share, self._detached())) is not None:
                self.constraints = self.constraints.exchanging(new)

    def watched(self) -> AbstractContextManager[Any]:
        """The hooks of the objective, for as long as the training lasts."""
        return self._objective.watching(self.model) if self._objective else nullcontext()

    def step(
        self, optimizer: torch.optim.Optimizer, inputs: Any, targets: Any, moment: Moment
    ) -> tuple[float, Mapping[str, float]]:
        """One step on one batch; the loss before it, and its terms."""
        self.model.train()
        optimizer.zero_grad(set_to_none=True)
        terms: Mapping[str, float] = {}
        with torch.enable_grad():
            outputs = self._call(inputs)
            if self._objective is None:
                value = self.work.loss(outputs, targets)
            else:
                value, terms = self._objective(outputs, inputs, targets, moment)
            if not bool(torch.isfinite(value)):
                raise WorkbenchError(
                    f"training stopped: the loss is {value.item()}; a smaller learning_rate usually helps"
                )
            value.backward()
        for clock in self._clocks:
            clock.observe(self.latent)
        optimizer.step()
        return float(value.detach()), terms

    def _call(self, inputs: Any) -> Any:
        weights = {}
        for name, latent in self.latent.items():
            weight = self.constraints.constrain(name, latent)
            weights |= {f"model.{each}": weight for each in self._names[name]}
        rounding = attach(self.model, self.activations)
        try:
            # not tied by functional_call: it puts back the wrong tensor where one layer stands in two places
            return functional_call(self._caller, weights, (inputs,), tie_weights=False)
        finally:
            for each in rounding:  # the model that learns stays plain: it is what is copied and kept
                each.remove()

    def _detached(self) -> dict[str, Tensor]:
        return {name: tensor.detach() for name, tensor in self.latent.items()}

    def written(self) -> Candidate:
        """A snapshot on tensors of its own: the free weights of now, constrained ones in the model."""
        with _hooks_put_aside(self.model, self.start.model):
            model = own_copy(self.model).eval()
        for parameter in model.parameters():
            parameter.grad = None
        latent = {name: tensor.clone() for name, tensor in self._detached().items()}
        values = {id(leaf): leaf.detach().clone() for leaf in self.learned.values()}
        constraints = self.constraints.replacing(values)
        activations = _replacing(self.activations, values)
        return self.start.trained(model, latent, constraints, activations)

    def finished(self, candidate: Candidate) -> Candidate:
        """A candidate of this training once it is over: its schedules are done, or a note says how far."""
        if not candidate.schedules:
            return candidate
        notes = () if self.is_settled else tuple(filter(None, (each.summary() for each in self._clocks)))
        settled = candidate.constraints.settled()
        return replace(candidate, schedules=(), constraints=settled).noting(*notes)


def _replacing(roundings: Mapping[str, Rounding], tensors: Mapping[int, Tensor]) -> dict[str, Rounding]:
    """The roundings with other learned tensors in the place of those with the given `id`s."""

    def replaced(each: Rounding) -> Rounding:
        new = {name: tensors[id(t)] for name, t in each.learned().items() if id(t) in tensors}
        return replace(each, **new) if new else each

    return {name: replaced(each) for name, each in roundings.items()}


@contextmanager
def _hooks_put_aside(model: nn.Module, plain: nn.Module) -> Iterator[None]:
    """While this holds `model` has the hooks of `plain` only: what an objective hooked on is not copied."""
    kinds = ("_forward_hooks", "_forward_pre_hooks")
    aside: list[tuple[Any, dict[int, Any]]] = []
    for path, module in model.named_modules():
        for kind in kinds:
            hooks, known = getattr(module, kind), len(getattr(plain.get_submodule(path), kind))
            added = {key: hooks[key] for key in list(hooks)[known:]}
            aside.append((hooks, added))
            for key in added:
                del hooks[key]
    try:
        yield
    finally:
        for hooks, added in aside:
            hooks.update(added)


def _names_of(model: nn.Module, name: str) -> list[str]:
    """The names of a parameter, one for each layer that holds it: tied layers each have their own."""
    wanted = model.get_parameter(name)
    return [
        f"{path}.{key}" if path else key
        for path, module in model.named_modules()  # a layer that stands in two places comes once
        for key, parameter in module.named_parameters(recurse=False)
        if parameter is wanted
    ]


class _Caller(nn.Module):
    """The model called the workload's way, as a module: `functional_call` reaches the weights inside it."""

    def __init__(self, model: nn.Module, work: Workload) -> None:
        super().__init__()
        self.model = model
        self._call = work.call

    def forward(self, inputs: Any) -> Any:
        return self._call(self.model, inputs)
