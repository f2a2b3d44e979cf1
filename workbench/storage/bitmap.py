"""Positions as a bitmap: one bit per value, set where the value is stored."""

from __future__ import annotations

import numpy as np

from workbench.errors import StorageError
from workbench.fields import Fields
from workbench.storage.content import Offer, Part

NAME = "bitmap"


def offer(stored: np.ndarray, is_estimate: bool, level: str) -> Offer:
    """A bitmap of flat bool `stored`: always an eighth of a byte per value."""

    def write() -> Part:
        return Part([NAME, {}], np.packbits(stored, bitorder="little").tobytes())

    return Offer((stored.size + 7) // 8, write)


def read(parameters: Fields, data: memoryview, count: int) -> np.ndarray:
    """Flat bool of `count` values."""
    if len(data) != (count + 7) // 8:
        raise StorageError(
            f"a bitmap of {count:,} values takes {(count + 7) // 8:,} bytes, got {len(data):,}"
        )
    return np.unpackbits(np.frombuffer(data, np.uint8), count=count, bitorder="little").view(np.bool_)
