"""Values as they are: all bytes, or those of the values that are stored. Exact for whatever they hold."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from workbench.constraints import Codebook
from workbench.errors import StorageError
from workbench.fields import Fields
from workbench.storage import positions
from workbench.storage.content import Content, Offer, Part, Read, Reading, Way
from workbench.tensors import as_bytes, from_raw, unsigned

NAME = "dense"


def ways(content: Content) -> Iterator[Way]:
    """All values, or the stored ones beside their positions."""
    if content.constraint(Codebook) is not None:
        return  # only its own encoding tells which weight has which value
    every = Offer(content.tensor.nbytes, lambda: Part([NAME, {}], as_bytes(content.raw)))
    if content.shows_mask:
        yield Way(NAME, every)
    where = positions.of(content)
    if content.is_clean:
        size = content.stored_count * content.tensor.element_size()
        yield Way(NAME, Offer(size, lambda: Part([NAME, {}], _stored(content))), where)
    if content.mask is not None:  # whatever the values are, they and the mask can be told apart
        everything = Offer(every.size, lambda: Part([NAME, {"all": True}], as_bytes(content.raw)))
        yield Way(NAME, everything, where)


def read(parameters: Fields, data: memoryview, reading: Reading) -> Read:
    """The tensor, and its mask where nothing else tells it."""
    is_all = reading.stored is None or parameters.flag("all")
    count = reading.count if is_all else reading.stored_count
    if len(data) != count * reading.dtype.itemsize:
        expected = count * reading.dtype.itemsize
        raise StorageError(f"{count:,} values take {expected:,} bytes, the file has {len(data):,}")
    stored = np.frombuffer(data, np.uint8).view(unsigned(reading.dtype))
    if is_all:
        values = stored.copy()
    else:
        values = np.zeros(reading.count, stored.dtype)
        values[reading.stored] = stored
    shows_mask = reading.has_mask and reading.stored is None
    return Read(from_raw(values, reading.dtype, reading.shape), values != 0 if shows_mask else None)


def _stored(content: Content) -> memoryview:
    return as_bytes(content.raw[content.stored])
