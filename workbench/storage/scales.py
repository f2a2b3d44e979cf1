"""The constraints that round to numbers times a scale, as parts of the file: scales, zero points, levels."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from torch import Tensor

from workbench.constraints import Grid, Levels, Precision, Scaled, Signs, Ternary, as_float16
from workbench.constraints.precision import NAMES
from workbench.errors import StorageError
from workbench.fields import Fields
from workbench.storage import bits
from workbench.storage.content import Content, Part, Reading
from workbench.tensors import as_bytes, from_raw, plain, raw

_MOST_LEVELS = 256


def write_grid(grid: Grid, content: Content) -> Part:
    """Bits in the record; scales, as float16 where that holds every one exactly; zero points, packed."""
    record, data = _written(grid)
    record = {"bits": grid.bits, **record}
    if grid.zero is None:
        return Part([Grid.__name__, record], data)
    zero = plain(grid.zero, "a grid's zero points").reshape(-1).numpy().astype(np.uint16)
    return Part([Grid.__name__, {**record, "zero": True}], bytes(data) + bits.pack(zero, grid.bits))


def read_grid(parameters: Fields, data: memoryview, reading: Reading) -> Grid:
    """The grid that `write_grid` wrote."""
    has_zero = parameters.flag("zero")
    width = parameters.integer("bits", low=1 if has_zero else 2, high=16)
    scale, rest, fields = _read(parameters, data, reading)
    if not has_zero:
        return Grid(width, _whole(scale, rest), **fields)
    zero = torch.from_numpy(bits.unpack(rest, width, scale.numel()).astype(np.int32)).reshape(scale.shape)
    return Grid(width, scale, zero=zero, **fields)


def write_signs(signs: Signs, content: Content) -> Part:
    """The scales."""
    record, data = _written(signs)
    return Part([Signs.__name__, record], data)


def read_signs(parameters: Fields, data: memoryview, reading: Reading) -> Signs:
    """The signs that `write_signs` wrote."""
    scale, rest, fields = _read(parameters, data, reading)
    return Signs(_whole(scale, rest), **fields)


def write_ternary(ternary: Ternary, content: Content) -> Part:
    """The scales; thresholds are not kept, since values are."""
    record, data = _written(ternary)
    return Part([Ternary.__name__, record], data)


def read_ternary(parameters: Fields, data: memoryview, reading: Reading) -> Ternary:
    """The scales that `write_ternary` wrote, each value the nearest of three."""
    scale, rest, fields = _read(parameters, data, reading)
    return Ternary(_whole(scale, rest), **fields)


def write_levels(levels: Levels, content: Content) -> Part:
    """The scales; then the levels as float32, or the name of the parameter that they were written with."""
    record, data = _written(levels)
    shared = content.shared
    if (first := shared.written.get(id(levels.levels))) is not None:
        return Part([Levels.__name__, {**record, "of": first}], data)
    values = plain(levels.levels, f"the levels of {content.name}").float()
    shared.written[id(levels.levels)] = content.name
    shared.tensors[content.name] = values
    return Part(
        [Levels.__name__, {**record, "count": len(values)}], bytes(data) + bytes(as_bytes(raw(values)))
    )


def read_levels(parameters: Fields, data: memoryview, reading: Reading) -> Levels:
    """The levels that `write_levels` wrote."""
    scale, rest, fields = _read(parameters, data, reading)
    if "of" in parameters:
        first = parameters.text("of", longest=2000)
        if first not in reading.shared.tensors:
            raise StorageError(f"no levels were written with {first[:60]!r}")
        return Levels(reading.shared.tensors[first], _whole(scale, rest), **fields)
    count = parameters.integer("count", low=1, high=_MOST_LEVELS)
    if len(rest) != 4 * count:
        raise StorageError(f"{count} levels take {4 * count} bytes, got {len(rest):,}")
    levels = from_raw(np.frombuffer(rest, np.uint8).copy(), torch.float32, (count,))
    if not bool((levels[1:] > levels[:-1]).all()):
        raise StorageError("the levels of a grid must rise")
    reading.shared.tensors[reading.name] = levels
    return Levels(levels, scale, **fields)


def write_precision(precision: Precision, content: Content) -> Part:
    """The name of the type."""
    return Part([Precision.__name__, {"dtype": precision.dtype}], b"")


def read_precision(parameters: Fields, data: memoryview, reading: Reading) -> Precision:
    """The precision that `write_precision` wrote."""
    name = parameters.text("dtype", longest=20)
    if name not in NAMES or len(data):
        raise StorageError(f"unknown precision {name!r}")
    return Precision(name)


def _written(constraint: Scaled) -> tuple[dict[str, Any], memoryview]:
    """What the record says of scales and their layout, and the scales' bytes."""
    scale = plain(constraint.settled().scale, "a grid's scale").float()
    record: dict[str, Any] = {"shape": list(scale.shape)}
    if constraint.group:
        record |= {"group": constraint.group, "axis": constraint.axis}
    if constraint.gain is not None:
        record["learned"] = True
    if torch.equal(as_float16(scale), scale):
        return {**record, "half": True}, as_bytes(raw(scale.half()))
    return record, as_bytes(raw(scale))


def _read(
    parameters: Fields, data: memoryview, reading: Reading
) -> tuple[Tensor, memoryview, dict[str, Any]]:
    """The scales, the bytes after them, and the other fields of a constraint."""
    shape = tuple(parameters.integers("shape"))
    group = parameters.integer("group", default=0)
    axis = parameters.integer("axis", default=0)
    fits = _fits_groups if group else _fits_broadcast
    dtype = torch.float16 if parameters.flag("half") else torch.float32
    length = dtype.itemsize * math.prod(shape)
    if not fits(shape, reading.shape, group, axis) or len(data) < length:
        raise StorageError("the scales of a grid do not fit its tensor")
    scale = from_raw(np.frombuffer(data[:length], np.uint8).copy(), dtype, shape).float()
    gain = torch.ones_like(scale) if parameters.flag("learned") else None
    return scale, data[length:], {"group": group, "axis": axis, "gain": gain}


def _fits_broadcast(shape: Sequence[int], full: Sequence[int], group: int, axis: int) -> bool:
    pairs = zip(shape[::-1], full[::-1], strict=False)
    return len(shape) <= len(full) and axis == 0 and all(own in (1, other) for own, other in pairs)


def _fits_groups(shape: Sequence[int], full: Sequence[int], group: int, axis: int) -> bool:
    if axis >= len(full) or not math.prod(full):
        return False
    length = math.prod(full) // full[axis]
    return group <= length and tuple(shape) == (full[axis], -(-length // group))


def _whole(scale: Tensor, rest: memoryview) -> Tensor:
    if len(rest):
        raise StorageError("the scales of a grid do not fit its tensor")
    return scale
