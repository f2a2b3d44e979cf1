"""One tensor with its constraints, as the encodings see it, and what an encoding answers."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any, TypeVar

import numpy as np
import torch
from torch import Tensor

from workbench.constraints import Constraint, Mask
from workbench.tensors import raw

C = TypeVar("C", bound=Constraint)
Record = list[Any]  # [name, parameters] of one part of the file, as JSON

LEVELS = ("packed", "coded")
SMALLEST = "coded"
_SAMPLE = 200_000  # values of a tensor that are looked at where an estimate of coded bytes is enough


@dataclass(frozen=True)
class Part:
    """Bytes of the file together with the record that says how to read them."""

    record: Record
    data: bytes | memoryview


@dataclass(frozen=True)
class Offer:
    """One way to write something: how many bytes it takes, and the writing itself."""

    size: int
    write: Callable[[], Part]


@dataclass(frozen=True)
class Way:
    """One way to write a tensor's values: beside the positions of those that are stored, or without.

    Attributes:
        name: of the encoding of values.
        values: its offer.
        positions: which values are stored; None where all are, and a mask shows in the values.
    """

    name: str
    values: Offer
    positions: Offer | None = None

    @property
    def size(self) -> int:
        """All its bytes."""
        return self.values.size + (self.positions.size if self.positions else 0)


@dataclass(frozen=True, eq=False)
class Shared:
    """Tensors that constraints of several parameters hold together: written once, read as one object.

    Attributes:
        written: the parameter that a tensor was written with, by the tensor's id.
        tensors: the tensor written or read with a parameter.
    """

    written: dict[int, str] = field(default_factory=dict)
    tensors: dict[str, Tensor] = field(default_factory=dict)


@dataclass(frozen=True, eq=False)
class Content:
    """A tensor to be stored.

    Attributes:
        tensor: plain (see `tensors.plain`).
        constraints: what its values satisfy, in chain order.
        level: "packed" or "coded".
        is_estimate: sizes are wanted only, and may come from a sample.
        name: under which it is stored.
        shared: what the tensors stored before it have written for all.
        found: what has been worked out and is wanted again.
    """

    tensor: Tensor
    constraints: tuple[Constraint, ...] = ()
    level: str = "packed"
    is_estimate: bool = False
    name: str = ""
    shared: Shared = field(default_factory=lambda: Shared())
    found: dict[str, Any] = field(default_factory=dict)

    def constraint(self, kind: type[C]) -> C | None:
        """The constraint of one type, or None."""
        return next((each for each in self.constraints if type(each) is kind), None)

    @property
    def count(self) -> int:
        """How many values there are."""
        return self.tensor.numel()

    @property
    def stride(self) -> int:
        """Of how many values one is looked at where frequencies are wanted; 1 unless it is an estimate."""
        return max(1, self.count // _SAMPLE) if self.is_estimate else 1

    @cached_property
    def raw(self) -> np.ndarray:
        """The values' bits, flat."""
        return raw(self.tensor)

    @cached_property
    def nonzero(self) -> np.ndarray:
        """Which values are not zero, flat bool.

        Without constraints a negative zero counts as a value. Under them its sign means nothing (it is what
        rounding or masking a negative weight leaves), and it is stored as the zero it equals.
        """
        return (self.tensor.reshape(-1) != 0).numpy() if self.constraints else self.raw != 0

    @cached_property
    def mask(self) -> np.ndarray | None:
        """What the mask keeps, flat bool; None where there is no mask."""
        mask = self.constraint(Mask)
        return None if mask is None else mask.keep.detach().cpu().reshape(-1).contiguous().numpy()

    @property
    def stored(self) -> np.ndarray:
        """The values that must be stored: what the mask keeps, else those that are not zero."""
        return self.nonzero if self.mask is None else self.mask

    @cached_property
    def stored_count(self) -> int:
        """How many values must be stored."""
        return int(np.count_nonzero(self.stored))

    @cached_property
    def nonzero_count(self) -> int:
        """How many values are not zero."""
        return int(torch.count_nonzero(self.tensor)) if self.constraints else int(np.count_nonzero(self.raw))

    @cached_property
    def is_clean(self) -> bool:
        """Whether every value outside the mask is zero."""
        return self.mask is None or self.is_estimate or not bool(np.any(self.nonzero & ~self.mask))

    @property
    def shows_mask(self) -> bool:
        """Whether the mask can be read off the values: all it keeps are not zero."""
        if self.mask is None:
            return True
        if self.is_estimate and self.stored_count < 0.9 * self.count:
            return False  # leaving the zeros out is shorter then; counting them would take a while
        return self.is_clean and self.nonzero_count == self.stored_count


@dataclass(frozen=True)
class Reading:
    """What a decoder knows of a tensor when it reads the values.

    Attributes:
        shape, dtype: of the tensor; its memory may be allocated, they are the model's own.
        stored: flat bool, the values that are stored; None where all are.
        constraints: those read so far, all but the mask.
        has_mask: whether a mask has to be given back.
        name, shared: as in `Content`.
    """

    shape: tuple[int, ...]
    dtype: torch.dtype
    stored: np.ndarray | None
    constraints: tuple[Constraint, ...]
    has_mask: bool
    name: str = ""
    shared: Shared = field(default_factory=Shared)

    @property
    def count(self) -> int:
        """How many values the tensor has."""
        return math.prod(self.shape)

    @property
    def stored_count(self) -> int:
        """How many values are stored."""
        return self.count if self.stored is None else int(np.count_nonzero(self.stored))


@dataclass(frozen=True)
class Read:
    """A tensor read back.

    Attributes:
        mask: where it shows in the values (flat bool).
        constraint: one that could only be read with the values; it takes the place of that of its type.
    """

    tensor: Tensor
    mask: np.ndarray | None = None
    constraint: Constraint | None = None
