"""Values of a shorter floating-point type, two bytes each: all of them, or those that are stored."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from workbench.constraints import Precision
from workbench.errors import StorageError
from workbench.fields import Fields
from workbench.storage import positions
from workbench.storage.content import Content, Offer, Part, Read, Reading, Way
from workbench.tensors import as_bytes, from_raw, raw

NAME = "narrow"
_BYTES = 2


def ways(content: Content) -> Iterator[Way]:
    """All values, or the stored ones beside their positions."""
    precision = content.constraint(Precision)
    if precision is None or not content.tensor.is_floating_point() or not content.is_clean:
        return

    def values() -> np.ndarray:
        return raw(precision.narrow(content.tensor).contiguous())

    if content.shows_mask:
        yield Way(NAME, Offer(_BYTES * content.count, lambda: Part([NAME, {}], as_bytes(values()))))
    kept = Offer(_BYTES * content.stored_count, lambda: Part([NAME, {}], as_bytes(values()[content.stored])))
    yield Way(NAME, kept, positions.of(content))


def read(parameters: Fields, data: memoryview, reading: Reading) -> Read:
    """The tensor at the model's own type, and its mask where it shows in the values."""
    precision = next((each for each in reading.constraints if isinstance(each, Precision)), None)
    if precision is None or not reading.dtype.is_floating_point:
        raise StorageError("two-byte values need their precision and a tensor of floating-point numbers")
    if len(data) != _BYTES * reading.stored_count:
        expected = _BYTES * reading.stored_count
        raise StorageError(f"{reading.stored_count:,} values take {expected:,} bytes, got {len(data):,}")
    values = np.frombuffer(data, np.uint8).copy().view(np.uint16)
    if reading.stored is not None:
        every = np.zeros(reading.count, np.uint16)
        every[reading.stored] = values
        values = every
    tensor = from_raw(values, precision.type, reading.shape).to(reading.dtype)
    shows_mask = reading.has_mask and reading.stored is None
    return Read(tensor, (tensor.reshape(-1) != 0).numpy() if shows_mask else None)
