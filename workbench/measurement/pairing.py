"""Two models on the same samples: how many predictions were lost and gained, and whether that is chance."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from workbench.errors import WorkbenchError
from workbench.measurement.intervals import mcnemar, paired_difference

if TYPE_CHECKING:
    from workbench.measurement.accuracy import Evaluation

_LEVEL = 0.05


@dataclass(frozen=True)
class Paired:
    """A model against the baseline, sample by sample.

    Attributes:
        n: samples both were judged on.
        lost, gained: samples only the baseline, or only the model, got right.
        p_value: McNemar's exact test, two-sided.
        difference, low, high: accuracy minus the baseline's, as a share, with its 95 % interval.
    """

    n: int
    lost: int
    gained: int
    p_value: float
    difference: float
    low: float
    high: float

    @property
    def is_seen(self) -> bool:
        """Whether the samples show a difference at the 5 % level."""
        return self.p_value < _LEVEL


def paired(before: Evaluation, after: Evaluation) -> Paired:
    """What changed from one evaluation to another on the same samples in the same order.

    Raises:
        WorkbenchError: they were not made on the same samples, or are not of a classifier.
    """
    if before.predictions is None or after.predictions is None:
        raise WorkbenchError("a paired test needs classes; this workload predicts numbers")
    if before.n != after.n or (before.targets != after.targets).any():
        raise WorkbenchError(
            f"the two models were not judged on the same samples in the same order ({before.n:,} and "
            f"{after.n:,} samples); give data that come in the same order at every reading"
        )
    was, now = before.correct, after.correct
    both, lost, gained = (int(each.sum()) for each in (was & now, was & ~now, ~was & now))
    low, high = paired_difference(both, lost, gained, before.n - both - lost - gained)
    return Paired(before.n, lost, gained, mcnemar(lost, gained), (gained - lost) / before.n, low, high)
