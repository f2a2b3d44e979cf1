"""Positions as gaps in entropy-coded symbols: shorter where gaps follow the data more than chance.

The number of values skipped before each stored one is written as symbols below `limit`; the symbol `limit`
means that many more. In a trained layer whole inputs are unused (the rim of an image), so gaps are far from
random, and their own frequencies say so. At level "coded" only. (Gaps with an escape symbol: Han et al. 2016,
"Deep Compression", section 2.)
"""

from __future__ import annotations

import math

import numpy as np

from workbench.errors import StorageError
from workbench.fields import Fields
from workbench.storage import entropy, gaps, symbols
from workbench.storage.content import Offer, Part

NAME = "escaped"
_LIMITS = (7, 31, 127, 255)
_FEW = 10_000  # gaps that are counted one by one even in an estimate


def offer(stored: np.ndarray, is_estimate: bool, level: str) -> Offer | None:
    """The gaps of flat bool `stored` as coded symbols, with the limit that makes them shortest."""
    count = int(np.count_nonzero(stored))
    if level != "coded" or not 0 < count < 0.4 * stored.size:  # beyond that a bitmap is as good
        return None
    is_sampled = is_estimate and count > _FEW and stored.size > gaps.SAMPLED
    skipped = gaps.some(stored) if is_sampled else gaps.every(stored)
    runs = {limit: _escaped(skipped, limit) for limit in _LIMITS}
    limit = min(_LIMITS, key=lambda each: entropy.expected_bytes(runs[each]))
    run = runs[limit]
    if is_sampled:
        size = entropy.expected_bytes(run, round(run.size * count / max(1, skipped.size)))
        return Offer(math.ceil(size), lambda: Part([NAME, {}], b""))  # an estimate is not written
    codes = symbols.offer(lambda step: run[::step], run.size, limit.bit_length(), level)

    def write() -> Part:
        part = codes.write()
        return Part([NAME, {"limit": limit, "length": run.size, "codes": part.record}], part.data)

    return Offer(codes.size, write)


def read(parameters: Fields, data: memoryview, count: int) -> np.ndarray:
    """Flat bool of `count` values.

    Raises:
        StorageError: the gaps do not fit the tensor.
    """
    limit = parameters.integer("limit", low=1, high=2**16 - 1)
    length = parameters.integer("length", high=count + count // limit + 1)
    run = symbols.read(parameters.given.get("codes"), data, length).astype(np.int64)
    ends = np.flatnonzero(run != limit)
    if (ends.size and run.max() > limit) or (length and (not ends.size or ends[-1] != length - 1)):
        raise StorageError("the gaps hold a symbol that is none, or stop in the middle of one")
    skipped = (np.diff(ends, prepend=-1) - 1) * limit + run[ends]
    at = np.cumsum(skipped + 1) - 1
    if at.size and at[-1] >= count:
        raise StorageError("the gaps run past the end of the tensor")
    stored = np.zeros(count, np.bool_)
    stored[at] = True
    return stored


def _escaped(skipped: np.ndarray, limit: int) -> np.ndarray:
    ends = np.cumsum(skipped // limit + 1) - 1
    run = np.full(int(ends[-1]) + 1 if ends.size else 0, limit, np.uint16)
    run[ends] = skipped % limit
    return run
