"""Rounded values: which number of its grid each one takes, in as many bits as the grid has numbers for.

Grids, levels and signs are all numbers times a scale, and a value is written as the index of its number. An
index beyond the last stands for a value that the mask removed, where all values are written; of a symmetric
grid that index is free, so a mask costs nothing beside codes of all values. Where only stored values are
written and none is zero, zero has no index.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from functools import cache
from typing import Any

import numpy as np
import torch

from workbench.constraints import Constraint, Scaled
from workbench.errors import StorageError
from workbench.fields import Fields
from workbench.storage import positions, symbols
from workbench.storage.content import Content, Offer, Part, Read, Reading, Way

NAME = "grid"
_MOST = 1 << 16  # indices that 16 bits hold


def scaled(constraints: Sequence[Constraint]) -> Scaled | None:
    """The constraint that rounds to numbers times a scale, or None."""
    return next((each for each in constraints if isinstance(each, Scaled)), None)


def ways(content: Content) -> Iterator[Way]:
    """The indices of all values, or of the stored ones beside their positions."""
    grid = scaled(content.constraints)
    if grid is None or not content.tensor.is_floating_point() or not content.is_clean:
        return
    grid = grid.on_cpu()
    indices = cache(lambda step: _indices(content, grid, step))
    mask, stored = content.mask, content.stored
    if mask is None or grid.count < _MOST:
        every = symbols.offer(
            lambda step: _all(indices(step), grid.count, None if mask is None else mask[::step]),
            content.count,
            (grid.count - (mask is None)).bit_length(),
            content.level,
            content.stride,
        )
        yield Way(NAME, _offer(every, {}))
    zero = grid.zero_index
    if zero is None and mask is None:
        return  # nothing to leave out: zero is no number, or another one from channel to channel
    is_told = content.is_estimate and grid.count > 3 and content.level == "packed"  # zeros change no width
    has_zeros = zero is None or is_told or content.nonzero_count < content.stored_count
    kept = symbols.offer(
        lambda step: _stored(indices(step)[stored[::step]], None if has_zeros else zero),
        content.stored_count,
        (grid.count - 1 - (not has_zeros)).bit_length(),
        content.level,
        content.stride,
    )
    where = positions.of(content)
    yield Way(NAME, _offer(kept, {} if has_zeros else {"nonzero": True}), where)


def read(parameters: Fields, data: memoryview, reading: Reading) -> Read:
    """The tensor, computed from its indices as the grid does it, and its mask where all are written."""
    grid = scaled(reading.constraints)
    if grid is None or not reading.dtype.is_floating_point:
        raise StorageError("codes of a grid need the grid and a tensor of floating-point numbers")
    numbers = symbols.read(parameters.given.get("codes"), data, reading.stored_count).astype(np.int32)
    has_removed = reading.stored is None and reading.has_mask
    zero = grid.zero_index
    is_nonzero = parameters.flag("nonzero")
    if is_nonzero and zero is None:
        raise StorageError("the grid has no zero that its codes could leave out")
    most = grid.count - 1 - is_nonzero + has_removed
    if numbers.size and (numbers.min() < 0 or numbers.max() > most):
        raise StorageError(f"a code lies outside the grid of {grid.count} numbers")
    stored, mask = reading.stored, None
    if has_removed:
        stored = mask = numbers != grid.count
        numbers = numbers[mask]
    elif is_nonzero:
        numbers[numbers >= zero] += 1
    if stored is None:
        indices = numbers
    else:
        indices = np.zeros(reading.count, np.int32)
        indices[stored] = numbers
    values = grid.of_indices(torch.from_numpy(indices).reshape(reading.shape))
    if stored is not None:
        values = torch.where(torch.from_numpy(stored).reshape(reading.shape), values, 0.0)
    return Read(values.to(reading.dtype), mask)


def _offer(codes: Offer, parameters: dict[str, bool]) -> Offer:
    def write() -> Part:
        part = codes.write()
        return Part([NAME, {"codes": part.record, **parameters}], part.data)

    return Offer(codes.size, write)


def _indices(content: Content, grid: Any, step: int) -> np.ndarray:
    """The index of every `step`-th value."""
    tensor = content.tensor
    if step == 1:
        return grid.indices(tensor).reshape(-1).numpy()
    return grid.sampled(tensor.shape, step).indices(tensor.reshape(-1)[::step]).numpy()


def _all(indices: np.ndarray, count: int, mask: np.ndarray | None) -> np.ndarray:
    return (indices if mask is None else np.where(mask, indices, count)).astype(np.uint16)


def _stored(indices: np.ndarray, left_out: int | None) -> np.ndarray:
    return (indices if left_out is None else indices - (indices > left_out)).astype(np.uint16)
