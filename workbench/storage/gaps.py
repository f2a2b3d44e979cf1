"""Positions as gaps: how many values are skipped before each one that is stored, in Golomb-Rice code.

A gap g is written as g >> k in unary and its k lowest bits as they are; k is chosen per tensor. For weights
pruned at random this comes within a few hundredths of a bit of the entropy, and it needs no escape symbols.
(Rice, "Some practical universal noiseless coding techniques", 1979.)

Bytes: the low bits, packed (`bits.py`); then the unary parts as one stream of bits, lowest bit of a byte
first, each as many zeros as its value and a one.
"""

from __future__ import annotations

import math

import numpy as np

from workbench.errors import StorageError
from workbench.fields import Fields
from workbench.storage import bits
from workbench.storage.content import Offer, Part

NAME = "gaps"
_SAMPLE = (32, 8192)  # runs of values, and how many in each, where an estimate is enough
SAMPLED = _SAMPLE[0] * _SAMPLE[1]
_FEW = 100_000  # gaps that are counted one by one even then


def offer(stored: np.ndarray, is_estimate: bool, level: str) -> Offer | None:
    """The gaps of flat bool `stored`; None where a bitmap is surely shorter."""
    count = int(np.count_nonzero(stored))
    if count * 2.5 > stored.size:  # at half the values, a gap takes two bits and a bitmap two as well
        return None
    is_sampled = is_estimate and count > _FEW and stored.size > SAMPLED
    gaps = some(stored) if is_sampled else every(stored)
    low = _best_low(gaps)
    if is_sampled:
        unary = count + math.ceil(int(np.sum(gaps >> low)) * count / max(1, gaps.size))
    else:
        unary = count + int(np.sum(gaps >> low))
    size = bits.packed_bytes(count, low) + (unary + 7) // 8
    return Offer(size, lambda: Part([NAME, {"count": count, "low": low}], _written(every(stored), low)))


def read(parameters: Fields, data: memoryview, count: int) -> np.ndarray:
    """Flat bool of `count` values.

    Raises:
        StorageError: the gaps do not fit the tensor.
    """
    stored_count = parameters.integer("count", high=count)
    low = parameters.integer("low", high=bits.WIDEST)
    low_bytes = bits.packed_bytes(stored_count, low)
    unary = np.frombuffer(data[low_bytes:], np.uint8)
    if len(data) < low_bytes or unary.size > (stored_count + (count >> low)) // 8 + 1:
        raise StorageError(f"the gaps of {stored_count:,} values do not take {len(data):,} bytes")
    ends = np.flatnonzero(np.unpackbits(unary, bitorder="little"))
    if ends.size != stored_count:
        raise StorageError(f"the file has {ends.size:,} gaps where it says {stored_count:,}")
    high = np.diff(ends, prepend=-1) - 1
    gaps = (high << low) + bits.unpack(data[:low_bytes], low, stored_count)
    positions = np.cumsum(gaps + 1) - 1
    if stored_count and positions[-1] >= count:
        raise StorageError("the gaps run past the end of the tensor")
    stored = np.zeros(count, np.bool_)
    stored[positions] = True
    return stored


def every(stored: np.ndarray) -> np.ndarray:
    return np.diff(np.flatnonzero(stored), prepend=-1) - 1


def some(stored: np.ndarray) -> np.ndarray:
    """Some of the gaps: those inside runs of values spread evenly over the tensor."""
    runs, length = _SAMPLE
    starts = np.linspace(0, stored.size - length, runs).astype(np.int64)
    return np.concatenate([every(stored[start : start + length])[1:] for start in starts])


def _best_low(gaps: np.ndarray) -> int:
    """How many low bits make the code shortest; the best lies beside the logarithm of the mean."""
    mean = float(gaps.mean()) if gaps.size else 0.0
    middle = int(math.log2(mean * 0.7)) if mean > 1.5 else 0
    tried = range(max(0, middle - 1), min(bits.WIDEST, middle + 2) + 1)
    return min(tried, key=lambda low: gaps.size * low + int(np.sum(gaps >> low)))


def _written(gaps: np.ndarray, low: int) -> bytes:
    ends = np.cumsum((gaps >> low) + 1) - 1
    unary = np.zeros(int(ends[-1]) + 1 if ends.size else 0, np.uint8)
    unary[ends] = 1
    low_bits = bits.pack((gaps & (2**low - 1)).astype(np.uint16), low)
    return low_bits + np.packbits(unary, bitorder="little").tobytes()
