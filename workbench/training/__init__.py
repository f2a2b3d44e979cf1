"""Train a candidate's free weights under its constraints, as a generator that can be stopped."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import torch

from workbench.candidate import Candidate
from workbench.data import length
from workbench.job import Progress, Steps, Stopped
from workbench.training.judging import Best
from workbench.training.learner import Learner
from workbench.training.objective import Moment as Moment
from workbench.training.objective import Objective as Objective

if TYPE_CHECKING:
    from workbench.data import Batches
    from workbench.workload import Workload

_FUSED_FROM = 500_000  # numbers to train; one kernel for a whole step is twice as fast for large nets only
_JUDGE_EVERY = 400  # batches; within a long epoch, so that a stop has something recent to keep


@dataclass(frozen=True)
class Training:
    """How to train: epochs, step size and its decay, optimizer.

    Attributes:
        patience: epochs without a gain on the validation data after which it ends early; None for never.
    """

    epochs: int = 2
    learning_rate: float = 1e-3
    decay: str = "cosine"
    optimizer: str = "adam"
    weight_decay: float = 0.0
    patience: int | None = None

    def steps(
        self, candidate: Candidate, work: Workload, seed: int = 0, objective: Objective | None = None
    ) -> Steps[Candidate]:
        """Train a copy of `candidate`; return it with the weights that did best on the validation data.

        Yields one `Progress` a batch, whose record holds `epoch`, `loss` and the objective's terms; at the
        end of each epoch (and before the first) also `validation_accuracy` and `validation_n`, or
        `validation_loss`. The candidate's schedules are carried out on the way.

        Raises:
            WorkloadError: no training data. WorkbenchError: the loss or the weights are no longer finite.
        """
        data = work.split("train")
        learner = Learner(candidate, work, objective)
        optimizer = self._optimizer([*learner.leaves, *(objective.parameters() if objective else ())])
        best = Best(learner)
        try:
            with learner.watched():
                yield from self._training(learner, optimizer, best, data, seed)
        except Stopped:
            best.keep_latest()
        return learner.finished(best.candidate())

    def _training(
        self, learner: Learner, optimizer: torch.optim.Optimizer, best: Best, data: Batches, seed: int
    ) -> Steps[None]:
        batches: float = 0
        learner.advance(0.0)
        yield from best.judge(0, self.epochs)
        for epoch in range(self.epochs):
            done = 0
            for inputs, targets in learner.usable(data.shuffled(seed * 10_007 + epoch)):
                batches = batches or _guess(data.n, targets)  # by the first, not a short last one
                passed = epoch + min(done / batches, 1)
                self._set_rate(optimizer, passed)
                learner.advance(passed / self.epochs)
                value, terms = learner.step(optimizer, inputs, targets, Moment(epoch, done))
                done += 1
                record = {"epoch": passed, "loss": value, **terms}
                yield Progress(passed, self.epochs, _words(passed, self.epochs, value), record)
                if done % _JUDGE_EVERY == 0:
                    yield from best.judge(passed, self.epochs)
            if not done:
                raise learner.without_batches()
            batches = done
            learner.advance((epoch + 1) / self.epochs)
            yield from best.judge(epoch + 1, self.epochs)
            if self.patience is not None and best.epochs_without_gain >= self.patience:
                break

    def _optimizer(self, leaves: list[Any]) -> torch.optim.Optimizer:
        if self.optimizer == "sgd":
            return torch.optim.SGD(leaves, self.learning_rate, momentum=0.9, weight_decay=self.weight_decay)
        is_large = sum(each.numel() for each in leaves) >= _FUSED_FROM
        is_fused = is_large and all(each.dtype == torch.float32 for each in leaves)
        return torch.optim.Adam(
            leaves, self.learning_rate, weight_decay=self.weight_decay, fused=is_fused or None
        )

    def _set_rate(self, optimizer: torch.optim.Optimizer, passed: float) -> None:
        if self.decay == "cosine":
            for group in optimizer.param_groups:
                group["lr"] = self.learning_rate * 0.5 * (1 + math.cos(math.pi * passed / self.epochs))


def _guess(n: int | None, targets: Any) -> float:
    """Batches in an epoch, before one has been counted."""
    return max(1.0, (n or 100 * length(targets)) / max(1, length(targets)))


def _words(passed: float, epochs: int, loss: float) -> str:
    return f"epoch {passed:.1f} of {epochs}, loss {loss:.3f}"
