"""The panel of pruning: the studio that begins with `PruneWeights`, and what is removed, hurts, is locked."""

from __future__ import annotations

from typing import TYPE_CHECKING

from workbench.panels.family import FamilyPanel
from workbench.panels.views.locks_box import LocksBox
from workbench.panels.views.removed_box import RemovedBox
from workbench.panels.views.sensitivity_box import SensitivityBox
from workbench.techniques.prune_weights import PruneWeights

if TYPE_CHECKING:
    from workbench.algorithms.channels.locks import Lock
    from workbench.exploration.records import Sensitivity


class Pruning(FamilyPanel):
    """Move the share of zeros and watch which weights stay; scan what each layer takes; see what is locked.

    >>> panel = wb.panels.Pruning(work)                       # doctest: +SKIP
    >>> panel.recipe = "PruneChannels(ratio=0.5)"             # other techniques of the family work the same
    >>> panel.sensitivity.start(); panel.wait(); panel.scan.ranked

    Arguments are those of `Workbench`.
    """

    begins_with = PruneWeights
    shows = (RemovedBox, SensitivityBox, LocksBox)

    @property
    def sensitivity(self) -> SensitivityBox:
        """The view that scans."""
        return self.view(SensitivityBox)

    @property
    def scan(self) -> Sensitivity | None:
        """What was scanned so far."""
        return self.sensitivity.scan

    @property
    def locks(self) -> tuple[Lock, ...]:
        """What "Why locked?" has found: a record per layer; empty before it was asked."""
        return self.view(LocksBox).shown

    def wait(self, timeout: float = 60.0) -> None:
        """Wait until the run, the preview and the scan are done.

        Raises:
            TimeoutError: they are not after `timeout` seconds.
        """
        self.sensitivity.wait(timeout)
        super().wait(timeout)
