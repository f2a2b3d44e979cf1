"""The global random states (Python, NumPy, torch) as one thing: seeded for a while, then given back.

Nothing in this file needs torch.
"""

from __future__ import annotations

import random
import sys
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from numbers import Integral
from typing import Any

from workbench.errors import OptionError, shown


class RandomStates:
    """A stream of random numbers of its own: the global states inside `with`, again and again."""

    _lock = threading.RLock()  # two threads that swap at once would restore each other's

    def __init__(self, seed: int) -> None:
        self._seed = whole_seed(seed)
        self._own: dict[str, Any] | None = None
        self._callers: dict[str, Any] = {}

    def __enter__(self) -> None:
        self._lock.acquire()
        try:
            self._callers = _random_states()
            if self._own is None:
                _seed_all(self._seed)
            else:
                _set_random_states(self._own)
        except BaseException:  # an interrupt comes anywhere; a lock kept would hold all later work up
            self._lock.release()
            raise

    def __exit__(self, *exception: object) -> None:
        try:
            self._own = _random_states()
            _set_random_states(self._callers)
        finally:
            self._lock.release()


@contextmanager
def isolated_random(seed: int) -> Iterator[None]:
    """Seed the global random states inside the block, and put the caller's back after it."""
    with RandomStates(seed):
        yield


def _random_states() -> dict[str, Any]:
    states: dict[str, Any] = {"random": random.getstate()}
    if numpy := sys.modules.get("numpy"):
        states["numpy"] = numpy.random.get_state()
    if torch := sys.modules.get("torch"):
        states["torch"] = torch.get_rng_state()
        if torch.cuda.is_available():
            states["cuda"] = torch.cuda.get_rng_state_all()
    return states


def _set_random_states(states: Mapping[str, Any]) -> None:
    random.setstate(states["random"])
    if "numpy" in states:
        sys.modules["numpy"].random.set_state(states["numpy"])
    if "torch" in states:
        sys.modules["torch"].set_rng_state(states["torch"])
    if "cuda" in states:
        sys.modules["torch"].cuda.set_rng_state_all(states["cuda"])


def _seed_all(seed: int) -> None:
    random.seed(seed)
    if numpy := sys.modules.get("numpy"):
        numpy.random.seed(seed % 2**32)
    if torch := sys.modules.get("torch"):
        torch.manual_seed(seed)


def whole_seed(seed: Any) -> int:
    """A seed as a whole number from 0 to 2**63 - 1, which every generator takes.

    Raises:
        OptionError: it is no whole number.
    """
    if isinstance(seed, bool) or not isinstance(seed, Integral):
        raise OptionError(f"seed must be a whole number, got {shown(seed)}")
    return int(seed) % 2**63


def step_seed(seed: int, index: int) -> int:
    """The seed of one step of a recipe, small enough to be multiplied again."""
    return (seed * 1_009 + index) % 2**31
