"""Undo and redo without end over what a person does in a panel; nothing is deleted by them."""

from __future__ import annotations

from collections.abc import Hashable
from dataclasses import dataclass, replace

from workbench.panels.state.steps import Draft

SAME_MOVE = 1.5  # seconds; changes of one control that follow each other faster are one move


@dataclass(frozen=True)
class Moment:
    """What undo brings back: the steps, the version one works from, and the one a run begins from.

    Both are ids of versions; None is the original.
    """

    draft: Draft
    head: str | None = None
    start: str | None = None


@dataclass(frozen=True)
class Moments:
    """The moments before and after this one. `mark` and `time` say what made this one, and when."""

    now: Moment
    before: tuple[Moment, ...] = ()
    after: tuple[Moment, ...] = ()
    mark: Hashable = None
    time: float = 0.0

    def then(self, moment: Moment, mark: Hashable = None, time: float = 0.0) -> Moments:
        """With a new moment; one of the same mark soon after the last takes its place."""
        if moment == self.now:
            return self
        is_same_move = mark is not None and mark == self.mark and time - self.time < SAME_MOVE
        before = self.before if is_same_move else (*self.before, self.now)
        return Moments(moment, before, (), mark, time)

    def undone(self) -> Moments:
        """One moment back, or the same where there is none."""
        if not self.before:
            return self
        return Moments(self.before[-1], self.before[:-1], (self.now, *self.after))

    def redone(self) -> Moments:
        """One moment forward, or the same where there is none."""
        if not self.after:
            return self
        return Moments(self.after[0], (*self.before, self.now), self.after[1:])

    def amended(self, moment: Moment) -> Moments:
        """With another present that is no step of its own."""
        return replace(self, now=moment)
