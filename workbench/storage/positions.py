"""The ways to write which values of a tensor are stored. A new way is a module and a line here."""

from __future__ import annotations

import numpy as np

from workbench.errors import StorageError
from workbench.fields import Fields
from workbench.storage import bitmap, escaped, gaps
from workbench.storage.content import Content, Offer

NAME = "positions"
WAYS = {each.NAME: each for each in (bitmap, gaps, escaped)}


def of(content: Content) -> Offer:
    """The shortest way to write which values of a tensor are stored, sought once."""
    if NAME not in content.found:
        content.found[NAME] = smallest(content.stored, content.is_estimate, content.level)
    return content.found[NAME]


def smallest(stored: np.ndarray, is_estimate: bool = False, level: str = "packed") -> Offer:
    """The shortest way to write flat bool `stored`."""
    offers = [way.offer(stored, is_estimate, level) for way in WAYS.values()]
    return min((each for each in offers if each is not None), key=lambda each: each.size)


def read(name: str, parameters: Fields, data: memoryview, count: int) -> np.ndarray:
    """Which of `count` values are stored, flat bool.

    Raises:
        StorageError: an unknown way, or bytes that do not fit.
    """
    if name not in WAYS:
        raise StorageError(f"unknown way to write positions: {name[:40]!r}; a newer workbench may know it")
    return WAYS[name].read(parameters, data, count)
