"""The course: exercises that say at once whether an answer is right, and a leaderboard a teacher can verify.

Names are loaded when they are first used, so that importing the course needs neither torch nor a front end.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from workbench.course.checking import check, judge
    from workbench.course.figures import figure, table
    from workbench.course.leaderboard import BOARD, hand_in, standings, verify
    from workbench.course.registry import exercises
    from workbench.course.trials import candidate, evaluation, packed_bytes, points_lost

_WHERE = {
    "BOARD": "leaderboard",
    "candidate": "trials",
    "check": "checking",
    "evaluation": "trials",
    "exercises": "registry",
    "figure": "figures",
    "hand_in": "leaderboard",
    "judge": "checking",
    "packed_bytes": "trials",
    "points_lost": "trials",
    "standings": "leaderboard",
    "table": "figures",
    "verify": "leaderboard",
}

__all__ = [
    "BOARD",
    "candidate",
    "check",
    "evaluation",
    "exercises",
    "figure",
    "hand_in",
    "judge",
    "packed_bytes",
    "points_lost",
    "standings",
    "table",
    "verify",
]


def __getattr__(name: str) -> Any:
    if name not in _WHERE:
        raise AttributeError(f"module 'workbench.course' has no attribute {name!r}")
    return getattr(importlib.import_module(f"workbench.course.{_WHERE[name]}"), name)
