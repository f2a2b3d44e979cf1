"""The rules of the leaderboard: which net, how good it has to stay, and on which data that is judged."""

from __future__ import annotations

from dataclasses import dataclass

from workbench.errors import WorkbenchError


class CourseError(WorkbenchError):
    """A receipt that cannot be written or read; one line that says what to do."""


@dataclass(frozen=True)
class Board:
    """One leaderboard.

    Attributes:
        name: written in its receipts.
        example: the net that is compressed, with the data that the package ships.
        accuracy: the share of *test* samples that has to be right. Students see validation data while they
            choose; how their file does on test data is seen when the teacher verifies it.
    """

    name: str
    example: str
    accuracy: float

    @property
    def rule(self) -> str:
        """The rule in one sentence."""
        return (
            f"the smallest file of {self.example} with at least {100 * self.accuracy:g} % right on test data"
        )


BOARD = Board("smallest-file", "lenet-300-100", 0.97)
