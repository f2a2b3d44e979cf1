"""Values on a uniform grid: their codes in as many bits as the grid has, and the grid's scales.

A grid of b bits has `2**b - 1` codes, from -top to top; they are written shifted by top. The number left over
stands for a value that the mask removed, where all values are written; so a mask costs nothing beside codes
of all values. Where only stored values are written and none is zero, zero has no number.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from functools import cache

import numpy as np
import torch

from workbench.constraints import Grid, as_float16
from workbench.errors import StorageError
from workbench.fields import Fields
from workbench.storage import positions, symbols
from workbench.storage.content import Content, Offer, Part, Read, Reading, Way
from workbench.tensors import as_bytes, from_raw, plain, raw

NAME = "grid"


def ways(content: Content) -> Iterator[Way]:
    """The codes of all values, or of the stored ones beside their positions."""
    grid = content.constraint(Grid)
    if grid is None or not content.tensor.is_floating_point() or not content.is_clean:
        return
    codes = cache(lambda step: _codes(content, grid, step))
    mask, stored = content.mask, content.stored
    every = symbols.offer(
        lambda step: _all(codes(step), grid, None if mask is None else mask[::step]),
        content.count,
        grid.bits,
        content.level,
        content.stride,
    )
    yield Way(NAME, _offer(every, {}))
    is_told = content.is_estimate and grid.bits > 2 and content.level == "packed"  # zeros change no width
    has_zeros = is_told or content.nonzero_count < content.stored_count
    width = grid.bits if has_zeros else (2 * grid.top - 1).bit_length()
    kept = symbols.offer(
        lambda step: _stored(codes(step)[stored[::step]], grid, has_zeros),
        content.stored_count,
        width,
        content.level,
        content.stride,
    )
    where = positions.of(content)
    yield Way(NAME, _offer(kept, {} if has_zeros else {"nonzero": True}), where)


def read(parameters: Fields, data: memoryview, reading: Reading) -> Read:
    """The tensor, computed from its codes as the grid does it, and its mask where all values are written."""
    grid = next((each for each in reading.constraints if isinstance(each, Grid)), None)
    if grid is None or not reading.dtype.is_floating_point:
        raise StorageError("codes of a grid need the grid and a tensor of floating-point numbers")
    count = reading.stored_count
    numbers = symbols.read(parameters.given.get("codes"), data, count).astype(np.int32)
    removed = 2 * grid.top + 1
    if numbers.size and (numbers.min() < 0 or numbers.max() > removed):
        raise StorageError(f"a code lies outside the grid of {grid.bits} bits")
    codes = numbers - grid.top
    mask = None
    if reading.stored is None:
        mask = numbers != removed
        codes[~mask] = 0
        values = codes.astype(np.float32)
    else:
        if parameters.flag("nonzero"):
            codes[codes >= 0] += 1
        values = np.zeros(reading.count, np.float32)
        values[reading.stored] = codes
    values = torch.from_numpy(values).reshape(reading.shape).mul_(grid.scale)
    return Read(values.to(reading.dtype), mask if reading.has_mask else None)


def write_constraint(grid: Grid, content: Content) -> Part:
    """The grid itself: its bits in the record; its scales, as float16 where that holds every one exactly."""
    scale = plain(grid.scale, "a grid's scale").float()
    record = {"bits": grid.bits, "shape": list(scale.shape)}
    if torch.equal(as_float16(scale), scale):
        return Part([Grid.__name__, {**record, "half": True}], as_bytes(raw(scale.half())))
    return Part([Grid.__name__, record], as_bytes(raw(scale)))


def read_constraint(parameters: Fields, data: memoryview, reading: Reading) -> Grid:
    """The grid that `write_constraint` wrote."""
    bits = parameters.integer("bits", low=2, high=16)
    shape = tuple(parameters.integers("shape"))
    fits = len(shape) <= len(reading.shape) and all(
        own in (1, full) for own, full in zip(shape[::-1], reading.shape[::-1], strict=False)
    )
    dtype = torch.float16 if parameters.flag("half") else torch.float32
    if not fits or len(data) != dtype.itemsize * int(np.prod(shape, dtype=np.int64)):
        raise StorageError("the scales of a grid do not fit its tensor")
    values = np.frombuffer(data, np.uint8).copy()
    return Grid(bits, from_raw(values, dtype, shape).float())


def _offer(codes: Offer, parameters: dict[str, bool]) -> Offer:
    def write() -> Part:
        part = codes.write()
        return Part([NAME, {"codes": part.record, **parameters}], part.data)

    return Offer(codes.size, write)


def _codes(content: Content, grid: Grid, step: int) -> np.ndarray:
    """Every `step`-th code."""
    tensor, scale = content.tensor, grid.scale
    if step == 1:
        return grid.codes(tensor).reshape(-1).numpy()
    if scale.numel() == scale.shape[:1].numel() == tensor.shape[0]:  # a scale for each row
        rows = torch.arange(0, tensor.numel(), step) // (tensor.numel() // tensor.shape[0])
        scale = scale.reshape(-1)[rows]
    elif scale.numel() > 1:
        scale = scale.expand(tensor.shape).reshape(-1)[::step]
    return replace(grid, scale=scale.reshape(-1)).codes(tensor.reshape(-1)[::step]).numpy()


def _all(codes: np.ndarray, grid: Grid, mask: np.ndarray | None) -> np.ndarray:
    numbers = (codes + grid.top).astype(np.uint16)
    if mask is not None:
        numbers[~mask] = 2 * grid.top + 1
    return numbers


def _stored(codes: np.ndarray, grid: Grid, has_zeros: bool) -> np.ndarray:
    return (codes + grid.top if has_zeros else codes + grid.top - (codes > 0)).astype(np.uint16)
