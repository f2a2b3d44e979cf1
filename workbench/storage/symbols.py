"""The ways to write a run of whole numbers: in a fixed number of bits, or entropy-coded."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np

from workbench.errors import StorageError
from workbench.fields import Fields
from workbench.storage import bits, entropy
from workbench.storage.content import Offer, Part

_FIXED = "bits"


def _read_fixed(parameters: Fields, data: memoryview, count: int) -> np.ndarray:
    return bits.unpack(data, parameters.integer("width", high=bits.WIDEST), count)


READERS: dict[str, Callable[[Fields, memoryview, int], np.ndarray]] = {
    _FIXED: _read_fixed,
    entropy.NAME: entropy.read,
}
CODERS = (entropy.offer,)  # tried at level "coded"


def offer(numbers: Callable[[int], np.ndarray], count: int, width: int, level: str, stride: int = 1) -> Offer:
    """The shortest way to write `count` whole numbers below `2**width`.

    `numbers(stride)` is called when they are needed, with 1 for all of them: the packed size is known without
    them, and the coded size, where `stride` is above 1, is estimated from some of them.
    """

    def write() -> Part:
        return Part([_FIXED, {"width": width}], bits.pack(numbers(1), width))

    fixed = Offer(bits.packed_bytes(count, width), write)
    if level != "coded" or not count:
        return fixed
    if stride > 1:
        coded = math.ceil(entropy.expected_bytes(numbers(stride).reshape(-1), count))
        return min(fixed, Offer(coded, write), key=lambda each: each.size)
    return min([fixed, *(coder(numbers(1).reshape(-1)) for coder in CODERS)], key=lambda each: each.size)


def read(record: Any, data: memoryview, count: int) -> np.ndarray:
    """The `count` numbers that `record` says how to read.

    Raises:
        StorageError: an unknown way, or bytes that do not fit.
    """
    name, parameters = named(record, "codes")
    if name not in READERS:
        raise StorageError(f"unknown way to write codes: {name[:40]!r}; a newer workbench may know it")
    return READERS[name](parameters, data, count)


def named(record: Any, where: str) -> tuple[str, Fields]:
    """The name and the parameters of a record `[name, parameters]`."""
    if not isinstance(record, list) or len(record) != 2 or not isinstance(record[0], str):
        raise StorageError(f"{where}: expected a name and its parameters")
    return record[0], Fields(record[1], f"{where}: {record[0][:40]}")
