"""The best candidate of a training, judged on the validation data."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from workbench.errors import WorkbenchError
from workbench.job import Progress, Steps

if TYPE_CHECKING:
    from workbench.candidate import Candidate
    from workbench.training.learner import Learner
    from workbench.workload import Workload


class Best:
    """The best candidate seen; the latest where there are no validation data.

    While a schedule runs nothing is kept as the best: it has less of what was asked for.

    Attributes:
        epochs_without_gain: epochs since the best one.
    """

    def __init__(self, learner: Learner) -> None:
        self._learner = learner
        self._kept: Candidate | None = None
        self._is_settled = False
        self._score = -math.inf
        self._epoch = 0.0
        self.epochs_without_gain = 0.0

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
        is_settled = self._learner.is_settled
        is_gain = score > self._score or not (is_settled and self._is_settled)
        if is_gain or score == self._score:
            self._kept, self._score, self._is_settled = candidate, score, is_settled
        self._epoch = epoch if is_gain else self._epoch
        self.epochs_without_gain = epoch - self._epoch
        yield Progress(epoch, total, f"epoch {epoch:g} of {total}", {"epoch": float(epoch), **record})

    def keep_latest(self) -> None:
        """At a stop: where nothing is judged, or nothing that counts was, the latest is the best."""
        is_unjudged = self._learner.work.validation is None or not self._learner.is_settled
        if is_unjudged and self._learner.is_finite:
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
