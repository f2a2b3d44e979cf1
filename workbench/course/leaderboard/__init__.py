"""The leaderboard: the smallest file at a given accuracy.

A student's `hand_in(version, "Ada")` writes a receipt, one JSON file with the packed model in it. A teacher's
`standings("receipts")` loads every model of a folder, judges it anew and ranks what holds. Nothing that a
receipt says about itself is believed.
"""

from workbench.course.leaderboard.board import BOARD, Board
from workbench.course.leaderboard.ranking import Standings, standings
from workbench.course.leaderboard.receipts import Receipt, hand_in, read
from workbench.course.leaderboard.verifying import Standing, verify

__all__ = ["BOARD", "Board", "Receipt", "Standing", "Standings", "hand_in", "read", "standings", "verify"]
