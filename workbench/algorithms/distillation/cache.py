"""What the teacher says about each sample, asked once and kept, as long as a sample's inputs stay the same.

Samples are known by their content: a 64-bit mark of every input. So it does not matter who shuffles, and
where inputs change between two readings (augmentation) no mark is met again, and the cache is given up.
"""

from __future__ import annotations

import functools
import math
import shutil
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from workbench.algorithms.distillation.teachers import Taught
from workbench.data import length, slices

WHERE = ("auto", "memory", "file", "off")
_IN_MEMORY = 512 * 2**20  # bytes; more goes into a file
_JUDGED_AFTER = 256  # samples of a second reading; by then it shows whether inputs stay the same
_GUESS = 1024  # samples, where nobody knows how many there are
_ODD = 0x9E3779B1  # the golden ratio in 32 bits, odd


class Cache:
    """Answers for a teacher: `cache(inputs, epoch)` is `ask(inputs)`, from what was kept where it can.

    Args:
        ask: the teacher, called with a batch of inputs.
        n: the samples in the data; None where nobody knows.
        where: "memory", "file" (mapped into memory, in the folder for temporary files), "auto" for a file
            above 512 MB, or "off".
        epochs: with a single one nothing is read twice, and nothing is kept.
    """

    def __init__(
        self, ask: Callable[[Any], Taught], n: int | None, where: str = "auto", epochs: int = 2
    ) -> None:
        self._ask = ask
        self._n = n
        self._where = where
        self._rows: dict[int, int] = {}
        self._kept: list[Tensor] = []
        self._names: list[str] = []
        self._hits = self._seen_again = 0
        self._folder: Path | None = None
        self.is_on = where != "off" and epochs > 1
        self.asked = 0  # samples that the teacher was asked about
        self.note = "the teacher ran in every batch" if not self.is_on else ""

    def __call__(self, inputs: Any, epoch: int) -> Taught:
        """What the teacher says of a batch."""
        if not self.is_on:
            return self._asked(inputs)
        marks = marks_of(inputs).tolist()
        known = [self._rows.get(each, -1) for each in marks]
        if epoch and not self._is_worth_it(known):
            return self._asked(inputs)
        new = [index for index, row in enumerate(known) if row < 0]
        if len(new) == len(known):
            return self._remembered(self._asked(inputs), marks)
        if new:
            index = torch.tensor(new)
            self._remembered(self._asked(slices(inputs, index)), [marks[i] for i in new])
            known = [self._rows.get(each, -1) for each in marks]
            if -1 in known:  # what was just asked cannot be kept
                return self._asked(inputs)
        return self._recalled(torch.tensor(known), _device(inputs))

    @property
    def bytes(self) -> int:
        """What is kept takes."""
        return sum(each.numel() * each.element_size() for each in self._kept)

    def close(self) -> None:
        """Let go of everything, the file too; the note stays."""
        if self.is_on and self._rows:
            place = "a file" if self._folder else "memory"
            self.note = (
                f"the teacher's answers to {len(self._rows):,} samples were computed once and kept "
                f"in {place} ({self.bytes / 2**20:.1f} MB)"
            )
        self._drop()

    def _asked(self, inputs: Any) -> Taught:
        self.asked += length(inputs)
        return self._ask(inputs)

    def _is_worth_it(self, known: list[int]) -> bool:
        """Whether inputs come back: judged by the first samples of the second reading, then for good."""
        if self._seen_again < _JUDGED_AFTER:
            self._seen_again += len(known)
            self._hits += sum(row >= 0 for row in known)
            if self._seen_again >= _JUDGED_AFTER and self._hits < self._seen_again / 2:
                self._give_up("inputs differ from one reading to the next (augmentation)")
        return self.is_on

    def _give_up(self, why: str) -> None:
        self.is_on = False
        self.note = f"the teacher ran in every batch: {why}"
        self._drop()

    def _drop(self) -> None:
        self._rows, self._kept = {}, []
        if self._folder is not None:
            shutil.rmtree(self._folder, ignore_errors=True)
            self._folder = None

    def _remembered(self, taught: Taught, marks: list[int]) -> Taught:
        values = [taught.outputs, *taught.features.values()]
        if not all(isinstance(each, Tensor) and len(each) == len(marks) for each in values):
            self._give_up("its outputs are not one tensor with a row for each sample")
            return taught
        if not self._kept and not self._made_room(values, taught):
            return taught
        rows = [self._rows.setdefault(mark, len(self._rows)) for mark in marks]
        if len(self._rows) > len(self._kept[0]) and not self._grow():
            return taught
        index = torch.tensor(rows)
        for kept, value in zip(self._kept, values, strict=True):
            kept[index] = value.detach().to(kept)
        return taught

    def _recalled(self, index: Tensor, device: torch.device) -> Taught:
        outputs, *features = (kept[index].to(device) for kept in self._kept)
        return Taught(outputs, dict(zip(self._names, features, strict=True)))

    def _made_room(self, values: list[Tensor], taught: Taught) -> bool:
        count = self._n or _GUESS
        needed = sum(each[0].numel() * each.element_size() for each in values) * count
        in_file = self._where == "file" or (self._where == "auto" and needed > _IN_MEMORY)
        self._names = list(taught.features)
        if in_file:
            self._folder = Path(tempfile.mkdtemp(prefix="workbench-teacher-"))
            if shutil.disk_usage(self._folder).free < 2 * needed:
                self._give_up(f"its answers would take {needed / 2**20:,.0f} MB, and the disk has no room")
                return False
        self._kept = [self._empty(index, count, each) for index, each in enumerate(values)]
        return True

    def _empty(self, index: int, count: int, like: Tensor) -> Tensor:
        shape = (count, *like.shape[1:])
        if self._folder is None:
            return torch.empty(shape, dtype=like.dtype)
        path = self._folder / f"{index}-{count}.bin"
        return torch.from_file(str(path), shared=True, size=math.prod(shape), dtype=like.dtype).reshape(shape)

    def _grow(self) -> bool:
        """Twice the room, where there are more samples than anybody said."""
        before = self._kept
        count = 2 * max(len(self._rows), len(before[0]))
        if count * self.bytes / len(before[0]) > _IN_MEMORY and self._folder is None and self._n is None:
            self._give_up("the data do not say how many samples they have, and there are many")
            return False
        self._kept = [self._empty(index, count, each) for index, each in enumerate(before)]
        for new, old in zip(self._kept, before, strict=True):
            new[: len(old)] = old
        return True


def marks_of(inputs: Any) -> Tensor:
    """A 64-bit mark of each sample's content, int64 of shape (n,): equal inputs, equal marks, bit for bit.

    A multilinear hash over the 32-bit words, each stirred first, so that round numbers do not collide.
    """
    total: Tensor | None = None
    for position, each in enumerate(_tensors(inputs)):
        words = _words(each.detach().reshape(len(each), -1).contiguous())
        stirred = words * _ODD
        stirred ^= stirred >> 29
        mark = (stirred * _factors(words.shape[1], position, str(words.device))).sum(1)
        total = mark if total is None else total + mark
    if total is None:
        raise TypeError("inputs hold no tensor")
    return total


def _words(flat: Tensor) -> Tensor:
    """Rows of bytes as int64 numbers, four bytes each where they can be taken so."""
    if flat.is_complex():
        flat = torch.view_as_real(flat).flatten(1)
    narrow = {1: torch.uint8, 2: torch.int16, 4: torch.int32, 8: torch.int64}[flat.element_size()]
    return flat.view(narrow).to(torch.int64)


@functools.lru_cache(maxsize=16)
def _factors(count: int, position: int, device: str) -> Tensor:
    generator = torch.Generator().manual_seed(7919 + position)
    return torch.randint(-(2**63), 2**63 - 1, (count,), generator=generator).to(device) | 1


def _tensors(value: Any) -> list[Tensor]:
    if isinstance(value, Tensor):
        return [value]
    values = value.values() if isinstance(value, dict) else value if isinstance(value, (tuple, list)) else ()
    return [tensor for each in values for tensor in _tensors(each)]


def _device(inputs: Any) -> torch.device:
    return _tensors(inputs)[0].device
