"""Shared values: a list of float16 values, and for each weight which of them it has.

The list is the constraint's part of the file; parameters that share one list name the first that wrote it.
Where all codes are written, one number more stands for a value that the mask removed; the code of a removed
weight is not kept.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import torch

from workbench.constraints import Codebook, Mask, as_float16
from workbench.errors import StorageError
from workbench.fields import Fields
from workbench.storage import positions, symbols
from workbench.storage.content import Content, Offer, Part, Read, Reading, Way
from workbench.tensors import as_bytes, from_raw, plain, raw

NAME = "codebook"
_MOST_VALUES = 256


def ways(content: Content) -> Iterator[Way]:
    """The codes of all weights, or of those the mask keeps beside their positions."""
    book = content.constraint(Codebook)
    if book is None or not content.tensor.is_floating_point():
        return
    codes, count = plain(book.codes, content.name).reshape(-1).numpy(), len(book.values)
    mask = content.mask
    width = (count - (mask is None)).bit_length()
    every = symbols.offer(
        lambda step: (
            codes[::step] if mask is None else np.where(mask[::step], codes[::step], np.uint16(count))
        ),
        content.count,
        width,
        content.level,
        content.stride,
    )
    yield Way(NAME, _offer(every))
    if mask is not None:
        width = (count - 1).bit_length()
        kept = symbols.offer(
            lambda step: codes[::step][mask[::step]],
            content.stored_count,
            width,
            content.level,
            content.stride,
        )
        yield Way(NAME, _offer(kept), positions.of(content))


def read(parameters: Fields, data: memoryview, reading: Reading) -> Read:
    """The tensor, its mask where all codes are written, and the codebook with its codes."""
    book = next((each for each in reading.constraints if isinstance(each, Codebook)), None)
    if book is None or not reading.dtype.is_floating_point:
        raise StorageError("shared values need a codebook and a tensor of floating-point numbers")
    numbers = symbols.read(parameters.given.get("codes"), data, reading.stored_count).astype(np.int64)
    count = len(book.values)
    may_be_removed = reading.stored is None and reading.has_mask
    if numbers.size and (numbers.min() < 0 or numbers.max() >= count + may_be_removed):
        raise StorageError(f"a code lies outside the codebook of {count} values")
    stored = (numbers != count) if may_be_removed else reading.stored
    codes = np.zeros(reading.count, np.uint8)
    if stored is None:
        codes[:] = numbers
    else:
        codes[stored] = numbers[stored] if may_be_removed else numbers
    coded = Codebook(book.values, torch.from_numpy(codes).reshape(reading.shape))
    values = coded(torch.empty(0, dtype=reading.dtype))
    if stored is not None:
        values = Mask(torch.from_numpy(stored).reshape(reading.shape))(values)
    return Read(values, stored if may_be_removed else None, coded)


def write_constraint(book: Codebook, content: Content) -> Part:
    """The values as float16, or the name of the parameter that they were written with."""
    shared = content.shared
    if (first := shared.written.get(id(book.values))) is not None:
        return Part([Codebook.__name__, {"of": first}], b"")
    shared.written[id(book.values)] = content.name
    values = as_float16(plain(book.values, f"the codebook of {content.name}"))
    shared.tensors[content.name] = values
    return Part([Codebook.__name__, {"count": len(values)}], as_bytes(raw(values.half())))


def read_constraint(parameters: Fields, data: memoryview, reading: Reading) -> Codebook:
    """The codebook that `write_constraint` wrote, its codes still unread."""
    none = torch.zeros(0, dtype=torch.uint8)
    if "of" in parameters:
        first = parameters.text("of", longest=2000)
        if first not in reading.shared.tensors or len(data):
            raise StorageError(f"no codebook was written with {first[:60]!r}")
        return Codebook(reading.shared.tensors[first], none)
    count = parameters.integer("count", low=1, high=_MOST_VALUES)
    if len(data) != 2 * count:
        raise StorageError(f"a codebook of {count} values takes {2 * count} bytes, got {len(data):,}")
    values = from_raw(np.frombuffer(data, np.uint8).copy(), torch.float16, (count,)).float()
    reading.shared.tensors[reading.name] = values
    return Codebook(values, none)


def _offer(codes: Offer) -> Offer:
    def write() -> Part:
        part = codes.write()
        return Part([NAME, {"codes": part.record}], part.data)

    return Offer(codes.size, write)
