"""How good a model is on a split, batch by batch: accuracy with its interval, loss, the users' metrics."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING, Any

from workbench.errors import WorkbenchError
from workbench.job import Job, Progress, Steps, Stopped
from workbench.measurement import units
from workbench.measurement.intervals import wilson
from workbench.measurement.metrics import Metrics, macro
from workbench.measurement.subject import subject

if TYPE_CHECKING:
    import numpy as np

    from workbench.data import Batches
    from workbench.workload import Workload


@dataclass(frozen=True)
class Accuracy:
    """The share of right predictions, with its 95 % Wilson interval.

    Precision, recall and F1 are macro averages: the mean over the classes that occur. They are None while
    an evaluation is running.
    """

    value: float
    low: float
    high: float
    n: int
    split: str
    precision: float | None = None
    recall: float | None = None
    f1: float | None = None

    @classmethod
    def of(cls, right: int, n: int, split: str) -> Accuracy:
        """`right` of `n` samples of a split."""
        low, high = wilson(right, n)
        return cls(right / n if n else math.nan, low, high, n, split)

    def __str__(self) -> str:
        return f"{units.share_range(self.value, self.low, self.high)} on {self.n:,} {self.split}"


@dataclass(frozen=True, eq=False, repr=False)
class Evaluation:
    """What a model did on the samples of a split, in the order they came.

    Attributes:
        predictions, targets: int64 arrays of n classes; None for a workload that is not a classification.
        loss: the mean over the samples.
        metrics: the users' own, by name.
        is_partial: stopped or limited before the split's end.
    """

    split: str
    n: int
    predictions: np.ndarray | None
    targets: np.ndarray | None
    loss: float
    metrics: Mapping[str, float] = field(default_factory=dict)
    is_partial: bool = False

    @cached_property
    def accuracy(self) -> Accuracy | None:
        """The share of right predictions and its companions; None where there are no classes."""
        if self.predictions is None or self.targets is None:
            return None
        plain = Accuracy.of(int(self.correct.sum()), self.n, self.split)
        precision, recall, f1 = macro(self.targets, self.predictions)
        return Accuracy(plain.value, plain.low, plain.high, plain.n, plain.split, precision, recall, f1)

    @property
    def correct(self) -> np.ndarray:
        """A bool for each sample: whether its class was predicted."""
        if self.predictions is None:
            raise WorkbenchError("only a classifier's predictions are right or wrong")
        return self.predictions == self.targets

    def __repr__(self) -> str:
        judged = f"{self.accuracy}, " if self.accuracy is not None else f"{self.n:,} {self.split}, "
        rest = ", stopped before the end" if self.is_partial else ""
        return f"<Evaluation: {judged}loss {self.loss:.4g}{rest}>"

    def first(self, n: int) -> Evaluation:
        """The first `n` samples only, to be paired with an evaluation that was stopped there."""
        if self.predictions is None or self.targets is None or n >= self.n:
            return self
        return Evaluation(
            self.split, n, self.predictions[:n], self.targets[:n], self.loss, {}, is_partial=True
        )


def evaluate(work: Workload, model: Any = None, split: str = "validation", **options: Any) -> Evaluation:
    """A model on one split, sample by sample: predictions, accuracy, loss; options as for `evaluating`.

    >>> before, after = wb.evaluate(work), wb.evaluate(work, version)   # doctest: +SKIP
    >>> before.correct & ~after.correct                                 # the samples that were lost

    Args:
        model: the baseline where it is None; a model, a candidate or a version.

    Raises:
        WorkloadError, WorkbenchError: one line that says what to do.
    """
    threads = getattr(work, "threads", None)
    return Job(lambda: evaluating(work, model, split, **options), seed=0, threads=threads).run()


def evaluating(
    work: Workload,
    model: Any = None,
    split: str = "validation",
    limit: int | None = None,
    *,
    data: Batches | None = None,
    saw: Callable[[Any], None] | None = None,
) -> Steps[Evaluation]:
    """Evaluate on one split, a batch a step; stopped, it returns what the batches so far have shown.

    Each `Progress` holds the samples done and, in its record, the running `accuracy` (an `Accuracy`) of a
    classifier or the running `loss` of anything else.

    Args:
        model: the baseline where it is None; a model, a candidate or a version.
        limit: at most this many samples.
        data: a part of the split's data to read instead of the whole.
        saw: hears the outputs of every batch.

    Raises:
        WorkloadError: the split has no data, or a label is out of range. WorkbenchError: NaN outputs.
    """
    data = work.split(split) if data is None else data
    tally = _Tally(work, split, saw)
    candidate = subject(work, model)
    total = data.n if limit is None else min(limit, data.n or limit)
    try:
        for inputs, targets in data:
            inputs, targets, is_last = _limited(inputs, targets, limit, tally.n)
            tally.add(candidate.simulated, inputs, targets)
            yield tally.progress(total)
            if is_last:
                break
    except Stopped:
        if not tally.n:
            raise
    return tally.evaluation(data.n)


class _Tally:
    """What the batches so far have shown."""

    def __init__(self, work: Workload, split: str, saw: Callable[[Any], None] | None = None) -> None:
        self.n = 0
        self._saw = saw
        self._work = work
        self._split = split
        self._metrics = Metrics(work.metrics) if work.metrics else None
        self._right = 0
        self._loss = 0.0
        self._predictions: list[Any] = []
        self._targets: list[Any] = []

    def add(self, model: Any, inputs: Any, targets: Any) -> None:
        """Run one batch and count it."""
        import torch

        from workbench.data import length

        # not inference_mode: a model may keep a tensor it made here, and a copy of it may be trained later.
        # Entered for each batch, since the mode would outlive a yield.
        with torch.no_grad():
            outputs = self._work.call(model, inputs)
            _check_numbers(outputs, self.n)
            loss = self._work.loss(outputs, targets)
            if self._work.is_classification:
                self._work.check_targets(targets, outputs)
                self._count(outputs.argmax(1).cpu(), targets.cpu())
            if self._metrics:
                self._metrics.update(outputs, targets)
            if self._saw:
                self._saw(outputs)
        samples = length(targets)
        self._loss += float(loss) * samples
        self.n += samples

    def _count(self, predictions: Any, targets: Any) -> None:
        self._right += int((predictions == targets).sum())
        self._predictions.append(predictions)
        self._targets.append(targets)

    def progress(self, total: int | None) -> Progress:
        """Where it stands."""
        if not self._work.is_classification:
            loss = self._loss / self.n
            return Progress(self.n, total, f"loss {loss:.4g} on {self.n:,}", {"loss": loss})
        accuracy = Accuracy.of(self._right, self.n, self._split)
        return Progress(self.n, total, f"accuracy {accuracy}", {"accuracy": accuracy})

    def evaluation(self, whole: int | None) -> Evaluation:
        """The result.

        Raises:
            WorkbenchError: no batch came.
        """
        import torch

        if not self.n:
            raise WorkbenchError(
                f"the {self._split} data are empty: reading them gave no batch; "
                f"give at least one: Workload(net, {self._split}=loader)"
            )
        classes = [
            torch.cat(each).to(torch.int64).numpy() if each else None
            for each in (self._predictions, self._targets)
        ]
        metrics = self._metrics.values() if self._metrics else {}
        is_partial = whole is not None and self.n < whole
        return Evaluation(self._split, self.n, *classes, self._loss / self.n, metrics, is_partial)


def _limited(inputs: Any, targets: Any, limit: int | None, seen: int) -> tuple[Any, Any, bool]:
    """A batch cut to what the limit leaves, and whether it is the last one."""
    from workbench.data import length, slices

    if limit is None or (left := limit - seen) > length(targets):
        return inputs, targets, False
    return slices(inputs, slice(0, left)), slices(targets, slice(0, left)), True


def _check_numbers(outputs: Any, seen: int) -> None:
    """Refuse outputs that are not numbers: an accuracy of them would look like a bad model."""
    from workbench.data import mapped

    def check(tensor: Any) -> None:
        if tensor.is_floating_point() and bool(tensor.isnan().any()):
            raise WorkbenchError(
                f"the model gives NaN (first in the batch after sample {seen:,}); "
                "look for NaN in the inputs, and for weights that have grown without bound"
            )

    mapped(check, outputs)
