"""Train a candidate's free weights under its constraints, as a generator that can be stopped."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor, nn
from torch.func import functional_call

from workbench.candidate import Candidate
from workbench.constraints import Constraints
from workbench.data import length
from workbench.errors import WorkbenchError, WorkloadError
from workbench.job import Progress, Steps, Stopped
from workbench.plain import own_copy

if TYPE_CHECKING:
    from workbench.workload import Workload

Loss = Callable[[Any, Any, Any], Tensor]  # outputs, inputs, targets -> scalar

_JUDGE_EVERY = 400  # batches; within a long epoch, so that a stop has something recent to keep


@dataclass(frozen=True)
class Training:
    """How to train: epochs, step size and its decay, optimizer."""

    epochs: int = 2
    learning_rate: float = 1e-3
    decay: str = "cosine"
    optimizer: str = "adam"
    weight_decay: float = 0.0

    def steps(
        self, candidate: Candidate, work: Workload, seed: int = 0, loss: Loss | None = None
    ) -> Steps[Candidate]:
        """Train a copy of `candidate`; return it with the weights that did best on the validation data.

        Yields one `Progress` a batch, whose record holds `epoch` and `loss`; at the end of each epoch (and
        before the first) also `validation_accuracy` and `validation_n`, or `validation_loss`.

        Raises:
            WorkloadError: no training data. WorkbenchError: the loss or the weights are no longer finite.
        """
        data = work.split("train")
        learner = _Learner(candidate, work)
        optimizer = self._optimizer(learner)
        batches: float = 0
        best = _Best(learner)
        try:
            yield from best.judge(0, self.epochs)
            for epoch in range(self.epochs):
                done = 0
                for inputs, targets in learner.usable(data.shuffled(seed * 10_007 + epoch)):
                    batches = batches or _guess(data.n, targets)  # by the first, not a short last one
                    passed = epoch + min(done / batches, 1)
                    self._set_rate(optimizer, passed)
                    value = learner.step(optimizer, inputs, targets, loss)
                    done += 1
                    record = {"epoch": passed, "loss": value}
                    yield Progress(passed, self.epochs, _words(passed, self.epochs, value), record)
                    if done % _JUDGE_EVERY == 0:
                        yield from best.judge(passed, self.epochs)
                if not done:
                    raise learner.without_batches()
                batches = done
                yield from best.judge(epoch + 1, self.epochs)
        except Stopped:
            best.keep_latest()
        return best.candidate()

    def _optimizer(self, learner: _Learner) -> torch.optim.Optimizer:
        if self.optimizer == "sgd":
            return torch.optim.SGD(
                learner.leaves, self.learning_rate, momentum=0.9, weight_decay=self.weight_decay
            )
        return torch.optim.Adam(learner.leaves, self.learning_rate, weight_decay=self.weight_decay)

    def _set_rate(self, optimizer: torch.optim.Optimizer, passed: float) -> None:
        if self.decay == "cosine":
            for group in optimizer.param_groups:
                group["lr"] = self.learning_rate * 0.5 * (1 + math.cos(math.pi * passed / self.epochs))


class _Learner:
    """A copy of the candidate whose free weights are leaves, with the chain applied in every forward pass.

    Tensors that the constraints learn (shared values) are leaves too, each once however many use it; a weight
    whose values come from its constraints is none.
    """

    def __init__(self, candidate: Candidate, work: Workload) -> None:
        self.work = work
        self.start = candidate
        self.model: nn.Module = own_copy(candidate.model)
        trains = {name for name in candidate.constraints if self.model.get_parameter(name).requires_grad}
        learned = Constraints({name: candidate.constraints[name] for name in trains}).learned()
        self.learned = {key: tensor.detach().clone().requires_grad_() for key, tensor in learned.items()}
        self.constraints: Constraints = candidate.constraints.replacing(self.learned)
        self.latent: dict[str, Tensor] = {}
        for name in self.constraints:
            is_leaf = name in trains and not self.constraints.has_own_values(name)
            self.latent[name] = candidate.free(name).clone().requires_grad_(is_leaf)
        constrained = {id(self.model.get_parameter(name)) for name in self.latent}
        free = [p for p in self.model.parameters() if p.requires_grad and id(p) not in constrained]
        leaves = [*self.latent.values(), *self.learned.values()]
        self.leaves = [each for each in leaves if each.requires_grad] + free
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

    def step(self, optimizer: torch.optim.Optimizer, inputs: Any, targets: Any, loss: Loss | None) -> float:
        """One step on one batch; the loss before it."""
        self.model.train()
        optimizer.zero_grad(set_to_none=True)
        with torch.enable_grad():
            outputs = self._call(inputs)
            value = loss(outputs, inputs, targets) if loss else self.work.loss(outputs, targets)
            if not bool(torch.isfinite(value)):
                raise WorkbenchError(
                    f"training stopped: the loss is {value.item()}; a smaller learning_rate usually helps"
                )
            value.backward()
        optimizer.step()
        return float(value.detach())

    def _call(self, inputs: Any) -> Any:
        weights = {}
        for name, latent in self.latent.items():
            weight = self.constraints.constrain(name, latent)
            weights |= {f"model.{each}": weight for each in self._names[name]}
        # not tied by functional_call: it puts back the wrong tensor where one layer stands in two places
        return functional_call(self._caller, weights, (inputs,), tie_weights=False)

    def written(self) -> Candidate:
        """A snapshot on tensors of its own: the free weights of now, constrained ones in the model."""
        model = own_copy(self.model).eval()
        for parameter in model.parameters():
            parameter.grad = None
        latent = {name: tensor.detach().clone() for name, tensor in self.latent.items()}
        values = {id(leaf): leaf.detach().clone() for leaf in self.learned.values()}
        return self.start.trained(model, latent, self.constraints.replacing(values))


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


class _Best:
    """The best candidate seen, judged on the validation data; the latest where there are none."""

    def __init__(self, learner: _Learner) -> None:
        self._learner = learner
        self._kept: Candidate | None = None
        self._score = -math.inf

    def judge(self, epoch: float, total: int) -> Steps[None]:
        """Evaluate the learner as it is now, and keep it if nothing before was better."""
        if not self._learner.is_finite:
            raise WorkbenchError(
                "training stopped: the weights grew without bound; a smaller learning_rate usually helps"
            )
        candidate = self._learner.start if epoch == 0 else self._learner.written()
        score, record = -math.inf, {}
        if self._learner.work.validation is not None:
            score, record = yield from _judged(candidate, self._learner.work, epoch, total)
        if self._kept is None or score >= self._score:
            self._kept, self._score = candidate, score
        yield Progress(epoch, total, f"epoch {epoch:g} of {total}", {"epoch": float(epoch), **record})

    def keep_latest(self) -> None:
        """At a stop: where nothing is judged, what was learned up to here is the best."""
        if self._learner.work.validation is None and self._learner.is_finite:
            self._kept = self._learner.written()

    def candidate(self) -> Candidate:
        """The best one."""
        return self._kept if self._kept is not None else self._learner.start


def _judged(
    candidate: Candidate, work: Workload, epoch: float, total: int
) -> Steps[tuple[float, dict[str, float]]]:
    from workbench.measurement.accuracy import evaluating

    steps = evaluating(work, candidate, split="validation")
    while True:
        try:
            next(steps)
        except StopIteration as end:
            evaluation = end.value
            break
        yield Progress(epoch, total, f"epoch {epoch:.1f} of {total}: validating")
    if evaluation.accuracy is not None:
        accuracy = evaluation.accuracy
        record = {"validation_accuracy": accuracy.value, "validation_n": accuracy.n}
        return accuracy.value, record
    return -float(evaluation.loss), {"validation_loss": float(evaluation.loss)}


def _guess(n: int | None, targets: Any) -> float:
    """Batches in an epoch, before one has been counted."""
    return max(1.0, (n or 100 * length(targets)) / max(1, length(targets)))


def _words(passed: float, epochs: int, loss: float) -> str:
    return f"epoch {passed:.1f} of {epochs}, loss {loss:.3f}"
