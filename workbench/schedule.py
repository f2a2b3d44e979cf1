"""Constraints that change while a model trains: what a schedule is, and its clock within one training.

A schedule belongs to a candidate until a step that trains has carried it out. It is a frozen record; what it
gathers while it runs (scores, what has been frozen) is its clock's.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

from torch import Tensor

if TYPE_CHECKING:
    from workbench.candidate import Candidate
    from workbench.constraints import Constraint


class Clock:
    """A schedule in one training: told of every step, asked for the constraints of the moment."""

    def observe(self, weights: Mapping[str, Tensor]) -> None:
        """Called after each backward pass; `weights` are the free weights by name, with their gradients."""

    def at(self, share: float, weights: Mapping[str, Tensor]) -> Mapping[str, Constraint] | None:
        """The constraints at a share of the training (0 to 1), or None where nothing changes.

        They take the place of those of their type: a later mask may keep what an earlier one did not.
        """
        raise NotImplementedError

    def summary(self) -> str:
        """How far it came, for a training that was stopped: `62% of the weights instead of 90%`."""
        return ""


@dataclass(frozen=True, eq=False)
class Schedule:
    """What training has yet to do to the constraints of some parameters.

    Attributes:
        names: the parameters concerned.
        ends: the share of the training, above 0 and up to 1, at which the constraints are final.
    """

    names: tuple[str, ...]
    ends: float

    def begin(self, candidate: Candidate) -> Clock:
        """The schedule's clock for a training that starts from `candidate`."""
        raise NotImplementedError
