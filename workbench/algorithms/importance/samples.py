"""A bounded number of training samples, for as long as there is time."""

from __future__ import annotations

import time
from collections.abc import Iterator
from typing import Any

from workbench.algorithms.importance.base import Look
from workbench.data import length, slices

AT_ONCE = 32  # samples


class Samples:
    """Training samples in random order, a few at a time; iterated once."""

    def __init__(self, look: Look, at_once: int = AT_ONCE) -> None:
        self._look = look
        self._at_once = at_once
        self._data = look.work.split("train")
        self._taken = 0

    def __iter__(self) -> Iterator[tuple[Any, Any]]:
        ends = time.perf_counter() + self._look.seconds if self._look.seconds is not None else None
        for inputs, targets in self._data.shuffled(self._look.seed):
            for start in range(0, length(targets), self._at_once):
                left = self._look.samples - self._taken
                part = slice(start, start + min(self._at_once, left))
                few = slices(inputs, part), slices(targets, part)
                self._taken += length(few[1])
                yield few
                if self._taken >= self._look.samples or (ends is not None and time.perf_counter() >= ends):
                    return

    @property
    def notes(self) -> tuple[str, ...]:
        """What a preview that ran out of time has to say."""
        wanted = min(self._look.samples, self._data.n or self._look.samples)
        if self._look.seconds is None or self._taken >= wanted:
            return ()
        return (f"preview: importance from {self._taken:,} training samples instead of {wanted:,}",)
