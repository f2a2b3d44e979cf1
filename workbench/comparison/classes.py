"""Class by class: precision and recall of two models on the same samples, with how many samples say so."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from workbench.measurement.intervals import wilson

if TYPE_CHECKING:
    import numpy as np

    from workbench.measurement.accuracy import Evaluation


@dataclass(frozen=True)
class Rate:
    """A share of samples with its 95 % Wilson interval; the value is None where there was no sample."""

    value: float | None
    low: float
    high: float
    n: int

    @classmethod
    def of(cls, right: int, n: int) -> Rate:
        """`right` of `n`."""
        low, high = wilson(right, n)
        return cls(right / n if n else None, low, high, n)


@dataclass(frozen=True)
class ClassChange:
    """One class before and after.

    Attributes:
        n: samples with this label; the `n` of a precision is how often the class was predicted.
        broken, mended: samples of this label that only the first, or only the second, got right.
    """

    number: int
    name: str
    n: int
    recall_before: Rate
    recall_after: Rate
    precision_before: Rate
    precision_after: Rate
    broken: int
    mended: int

    @property
    def recall_change(self) -> float | None:
        """As a share; None without samples."""
        before, after = self.recall_before.value, self.recall_after.value
        return after - before if before is not None and after is not None else None


def by_class(before: Evaluation, after: Evaluation, names: tuple[str, ...] = ()) -> tuple[ClassChange, ...]:
    """One record for each class that occurs, as a label or a prediction of either, in the classes' order."""
    targets = before.targets
    assert targets is not None and before.predictions is not None and after.predictions is not None
    highest = max(int(each.max(initial=-1)) for each in (targets, before.predictions, after.predictions))
    changes = (
        _one(number, names[number] if number < len(names) else str(number), before, after)
        for number in range(highest + 1)
    )
    return tuple(each for each in changes if each.n or each.precision_before.n or each.precision_after.n)


def _one(number: int, name: str, before: Evaluation, after: Evaluation) -> ClassChange:
    labelled = before.targets == number
    was, now = before.correct & labelled, after.correct & labelled
    n = int(labelled.sum())
    return ClassChange(
        number=number,
        name=name,
        n=n,
        recall_before=Rate.of(int(was.sum()), n),
        recall_after=Rate.of(int(now.sum()), n),
        precision_before=_precision(before, number, was),
        precision_after=_precision(after, number, now),
        broken=int((was & ~now).sum()),
        mended=int((now & ~was).sum()),
    )


def _precision(evaluation: Evaluation, number: int, right: np.ndarray) -> Rate:
    return Rate.of(int(right.sum()), int((evaluation.predictions == number).sum()))
