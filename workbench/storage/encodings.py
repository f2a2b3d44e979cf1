"""The encodings of values and constraints, and the choice: a new one is a module and a line here."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import torch

from workbench.constraints import Codebook, Constraint, Grid, Levels, Mask, Precision, Signs, Ternary
from workbench.errors import StorageError, listed
from workbench.fields import Fields
from workbench.storage import codebook, dense, grid, narrow, positions, scales
from workbench.storage.content import Content, Part, Read, Reading, Way
from workbench.storage.symbols import named
from workbench.tensors import same_bits

VALUES = {each.NAME: each for each in (dense, grid, codebook, narrow)}


@dataclass(frozen=True)
class ConstraintEncoding:
    """How one type of constraint is written and read again."""

    write: Callable[[Any, Content], Part]
    read: Callable[[Fields, memoryview, Reading], Constraint]


CONSTRAINTS = {
    Grid.__name__: ConstraintEncoding(scales.write_grid, scales.read_grid),
    Levels.__name__: ConstraintEncoding(scales.write_levels, scales.read_levels),
    Signs.__name__: ConstraintEncoding(scales.write_signs, scales.read_signs),
    Ternary.__name__: ConstraintEncoding(scales.write_ternary, scales.read_ternary),
    Precision.__name__: ConstraintEncoding(scales.write_precision, scales.read_precision),
    Codebook.__name__: ConstraintEncoding(codebook.write_constraint, codebook.read_constraint),
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


def constraint_parts(content: Content) -> tuple[Part, ...]:
    """The parts of a tensor's constraints; a mask's is empty, as positions or values tell it.

    Raises:
        StorageError: a type of constraint that has no encoding.
    """
    return tuple(_constraint_part(each, content) for each in content.constraints)


def encode(content: Content) -> Encoded:
    """The smallest of all ways that gives back every bit, checked by reading back what was just written."""
    constraints = constraint_parts(content)
    for way in ways(content):
        positions_part = way.positions.write() if way.positions else None
        encoded = Encoded(constraints, positions_part, way.values.write())
        if encoded.is_plain and content.mask is None:
            return encoded
        records = [part.record for part in constraints]
        shape = tuple(content.tensor.shape)
        reading = Reading(shape, content.tensor.dtype, None, (), False, content.name, content.shared)
        read, again = decode(encoded, records, reading)
        if same_bits(read, content.tensor) and _same_mask(again, content):
            return encoded
    raise StorageError(f"{content.name} does not satisfy its constraints and cannot be stored with them")


def decode(
    encoded: Encoded, records: list[Any], reading: Reading
) -> tuple[torch.Tensor, tuple[Constraint, ...]]:
    """A tensor and its constraints, in chain order, from its parts; `reading` says what is known of it.

    Raises:
        StorageError: unknown names, or parts that do not fit the shape.
    """
    names = [named(record, "constraints")[0] for record in records]
    if len(set(names)) < len(names):
        raise StorageError("a constraint is there twice")
    reading = replace(reading, has_mask=Mask.__name__ in names)
    read_first = {
        name: _read_constraint(part, reading)
        for name, part in zip(names, encoded.constraints, strict=True)
        if name != Mask.__name__
    }
    stored = None
    if encoded.positions is not None:
        name, parameters = named(encoded.positions.record, "positions")
        stored = positions.read(name, parameters, memoryview(encoded.positions.data), reading.count)
    read = _read_values(
        encoded.values, replace(reading, stored=stored, constraints=tuple(read_first.values()))
    )
    found: dict[str, Constraint] = dict(read_first)
    if read.constraint is not None:
        found[type(read.constraint).__name__] = read.constraint
    if reading.has_mask:
        keep = stored if stored is not None else read.mask
        found[Mask.__name__] = Mask(torch.from_numpy(np.ascontiguousarray(keep)).reshape(reading.shape))
    return read.tensor, tuple(found[name] for name in names)


def _read_values(part: Part, reading: Reading) -> Read:
    name, parameters = named(part.record, "values")
    if name not in VALUES:
        raise StorageError(f"unknown way to write values: {name[:40]!r}; a newer workbench may know it")
    return VALUES[name].read(parameters, memoryview(part.data), reading)


def _constraint_part(constraint: Constraint, content: Content) -> Part:
    kind = type(constraint).__name__
    if kind == Mask.__name__:
        return Part([kind, {}], b"")
    if kind not in CONSTRAINTS:
        known = listed(sorted([*CONSTRAINTS, Mask.__name__]))
        raise StorageError(f"{content.name} has a {kind}, which cannot be stored; what can: {known}")
    return CONSTRAINTS[kind].write(constraint, content)


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
