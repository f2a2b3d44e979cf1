"""The encodings of values and constraints, and the choice: a new one is a module and a line here."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch

from workbench.constraints import Constraint, Grid, Mask
from workbench.errors import StorageError, listed
from workbench.storage import dense, grid, positions
from workbench.storage.content import Content, Part, Read, Reading, Way
from workbench.storage.fields import Fields
from workbench.storage.symbols import named
from workbench.storage.tensors import same_bits

VALUES = {each.NAME: each for each in (dense, grid)}


@dataclass(frozen=True)
class ConstraintEncoding:
    """How one type of constraint is written and read again."""

    write: Callable[[Any], Part]
    read: Callable[[Fields, memoryview, Reading], Constraint]


CONSTRAINTS = {
    Grid.__name__: ConstraintEncoding(grid.write_constraint, grid.read_constraint),
}


@dataclass(frozen=True)
class Encoded:
    """A tensor written: the parts of its constraints, its positions (or None) and its values."""

    constraints: tuple[Part, ...]
    positions: Part | None
    values: Part

    @property
    def parts(self) -> tuple[Part, ...]:
        """All parts in the order they are written."""
        return (*self.constraints, *([self.positions] if self.positions else []), self.values)

    @property
    def is_plain(self) -> bool:
        """Whether the values are simply the tensor's bytes."""
        return self.positions is None and self.values.record == [dense.NAME, {}]


def ways(content: Content) -> list[Way]:
    """Every way to write a tensor's values, the smallest first."""
    offered = [way for encoding in VALUES.values() for way in encoding.ways(content)]
    return sorted(offered, key=lambda way: way.size)


def constraint_parts(content: Content, name: str) -> tuple[Part, ...]:
    """The parts of a tensor's constraints; a mask's is empty, as positions or values tell it.

    Raises:
        StorageError: a type of constraint that has no encoding.
    """
    return tuple(_constraint_part(each, name) for each in content.constraints)


def encode(content: Content, name: str) -> Encoded:
    """The smallest of all ways that gives back every bit, checked by reading back what was just written."""
    constraints = constraint_parts(content, name)
    for way in ways(content):
        positions_part = way.positions.write() if way.positions else None
        encoded = Encoded(constraints, positions_part, way.values.write())
        if encoded.is_plain and content.mask is None:
            return encoded
        records = [part.record for part in constraints]
        read, again = decode(encoded, records, tuple(content.tensor.shape), content.tensor.dtype)
        if same_bits(read, content.tensor) and _same_mask(again, content):
            return encoded
    raise StorageError(f"{name} cannot be stored exactly")  # not reached: dense values always agree


def decode(
    encoded: Encoded, records: list[Any], shape: tuple[int, ...], dtype: torch.dtype
) -> tuple[torch.Tensor, tuple[Constraint, ...]]:
    """A tensor and its constraints, in chain order, from its parts.

    Raises:
        StorageError: unknown names, or parts that do not fit the shape.
    """
    names = [named(record, "constraints")[0] for record in records]
    has_mask = Mask.__name__ in names
    reading = Reading(shape, dtype, None, (), has_mask)
    others = {
        name: _read_constraint(part, reading)
        for name, part in zip(names, encoded.constraints, strict=True)
        if name != Mask.__name__
    }
    stored = None
    if encoded.positions is not None:
        name, parameters = named(encoded.positions.record, "positions")
        stored = positions.read(name, parameters, memoryview(encoded.positions.data), reading.count)
    read = _read_values(encoded.values, Reading(shape, dtype, stored, tuple(others.values()), has_mask))
    if has_mask:
        keep = stored if stored is not None else read.mask
        others[Mask.__name__] = Mask(torch.from_numpy(np.ascontiguousarray(keep)).reshape(shape))
    return read.tensor, tuple(others[name] for name in names)


def _read_values(part: Part, reading: Reading) -> Read:
    name, parameters = named(part.record, "values")
    if name not in VALUES:
        raise StorageError(f"unknown way to write values: {name[:40]!r}; a newer workbench may know it")
    return VALUES[name].read(parameters, memoryview(part.data), reading)


def _constraint_part(constraint: Constraint, name: str) -> Part:
    kind = type(constraint).__name__
    if kind == Mask.__name__:
        return Part([kind, {}], b"")
    if kind not in CONSTRAINTS:
        known = listed(sorted([*CONSTRAINTS, Mask.__name__]))
        raise StorageError(f"{name} has a constraint {kind}, which cannot be stored; those that can: {known}")
    return CONSTRAINTS[kind].write(constraint)


def _read_constraint(part: Part, reading: Reading) -> Constraint:
    name, parameters = named(part.record, "constraints")
    if name not in CONSTRAINTS:
        raise StorageError(f"unknown constraint {name[:40]!r}; a newer workbench may know it")
    return CONSTRAINTS[name].read(parameters, memoryview(part.data), reading)


def _same_mask(constraints: tuple[Constraint, ...], content: Content) -> bool:
    mask = next((each for each in constraints if isinstance(each, Mask)), None)
    if mask is None or content.mask is None:
        return mask is None and content.mask is None
    return np.array_equal(mask.keep.reshape(-1).numpy(), content.mask)
