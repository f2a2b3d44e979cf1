"""The receipt of a packed file: what every byte is for, and the way there from the original's file.

It adds up: the steps end at the file's length, and so do the lines of the tensors with the header.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import torch

from workbench.algorithms.clustering import entropy
from workbench.candidate import Candidate
from workbench.constraints import Codebook, Mask, Scaled
from workbench.measurement.size import claimed_bytes, file_bytes
from workbench.storage import container, header, receipt_tables
from workbench.storage.unpacking import Stored, contents
from workbench.tensors import Named, tensors

if TYPE_CHECKING:
    from torch import Tensor

    from workbench.versions import Version


@dataclass(frozen=True)
class Step:
    """One step from the original's file to this one: by how many bytes it changes, and to what total."""

    name: str
    change: int
    total: int


@dataclass(frozen=True)
class Line:
    """What one tensor takes in the file.

    Attributes:
        name: of the tensor; parameters: its values; kept: those that are stored.
        encoding: "dense", "grid", "codebook", with "coded" where it is entropy-coded.
        value_bytes: of the kept values themselves. index_bytes: of where they lie. Where one stream tells
            both, it is divided as their entropies are.
        book_bytes: of a list of shared values, or of scales.
        bound_bytes: the order-0 entropy of the codes and of where they lie (told value by value, or by the
            gaps between them, whichever is less); None where values are not codes.
    """

    name: str
    parameters: int
    kept: int
    encoding: str
    value_bytes: int
    index_bytes: int
    book_bytes: int
    bound_bytes: int | None

    @property
    def bytes(self) -> int:
        """All that the tensor takes."""
        return self.value_bytes + self.index_bytes + self.book_bytes

    @property
    def bits_per_weight(self) -> float:
        """Bits of a kept value, without those that say where it lies."""
        return 8 * self.value_bytes / max(1, self.kept)

    @property
    def index_bits(self) -> float:
        """Bits that say where a kept value lies."""
        return 8 * self.index_bytes / max(1, self.kept)


@dataclass(frozen=True)
class Receipt:
    """Where every byte of a packed file goes.

    Attributes:
        original_bytes: the original as a plain safetensors file.
        steps: from there to this file, one per step of the recipe that changes what is claimed, then the
            index, the writing of the codes, and the header; the last total is `stored_bytes`.
        lines: one per tensor, in the model's order.
        header_bytes: names, shapes, recipe, structure and checksum.
    """

    original_bytes: int
    steps: tuple[Step, ...]
    lines: tuple[Line, ...]
    header_bytes: int

    @property
    def stored_bytes(self) -> int:
        """The file's length: the lines and the header."""
        return sum(line.bytes for line in self.lines) + self.header_bytes

    @property
    def ratio(self) -> float:
        """How many times smaller the file is."""
        return self.original_bytes / self.stored_bytes

    def table(self) -> list[dict[str, Any]]:
        """One row per tensor, for a table or a data frame."""
        derived = ("bits_per_weight", "index_bits", "bytes")
        return [{**asdict(line), **{each: getattr(line, each) for each in derived}} for line in self.lines]

    def text(self) -> str:
        """The receipt in aligned lines."""
        return receipt_tables.text(self)

    def __str__(self) -> str:
        return self.text()

    def _repr_html_(self) -> str:
        return receipt_tables.html(self)


def receipt(version: Version, level: str | None = None) -> Receipt:
    """What every byte of a version's file is for.

    Args:
        level: of another file of the same version, "packed" or "coded".

    >>> print(wb.receipt(version))  # doctest: +SKIP
    """
    data = version.packed if level is None else version.packed_as(level)
    candidate, original = version.candidate, Candidate(version.base)
    opened = container.read(data)
    stored = {each.name: each for each in contents(opened, header.from_metadata(opened.metadata))}
    lines = tuple(_line(stored[each.name], each, candidate) for each in tensors(candidate.model))
    before = file_bytes(version.base)
    changes = [("original file", before), *_claimed_changes(version, candidate, claimed_bytes(original))]
    index, written = sum(each.index_bytes for each in lines), sum(each.bytes for each in lines)
    changes.append(("where the kept weights lie", index))
    changes.append(("writing the codes", written - index - claimed_bytes(candidate)))
    changes.append(("header", opened.header_bytes - (before - claimed_bytes(original))))
    return Receipt(before, tuple(_summed(changes)), lines, opened.header_bytes)


def _claimed_changes(version: Version, candidate: Candidate, before: int) -> Iterator[tuple[str, int]]:
    """What each step of the recipe changes in the claimed bytes."""
    for stage in version.stages:
        if stage.claimed_bytes != before:
            yield stage.step, stage.claimed_bytes - before
            before = stage.claimed_bytes
    if (after := claimed_bytes(candidate)) != before:  # a file that was loaded has no stages
        yield str(version.recipe) or "compression", after - before


def _summed(changes: list[tuple[str, int]]) -> Iterator[Step]:
    total = 0
    for name, change in changes:
        if change:
            total += change
            yield Step(name, change, total)


def _line(stored: Stored, named: Named, candidate: Candidate) -> Line:
    """What a tensor takes; index and values that one stream tells are divided as their entropies are."""
    parts, tensor = stored.encoded, named.tensor.detach()
    chain = next((candidate.constraints[each] for each in named.names if each in candidate.constraints), ())
    mask = next((each.keep for each in chain if isinstance(each, Mask)), None)
    is_partial = parts.positions is not None or mask is not None
    keep = mask if mask is not None else tensor != 0
    kept = int(keep.sum()) if is_partial else tensor.numel()
    name, parameters = parts.values.record
    coded = parameters.get("codes", ["dense"])
    is_coded = name not in ("dense", "narrow")
    value_bits, index_bits = _bits(tensor, chain, keep if is_partial else None, kept)
    value_bytes, index_bytes = len(parts.values.data), 0
    if parts.positions is not None:
        index_bytes = len(parts.positions.data)
    elif mask is not None and is_coded:
        index_bytes = _share(value_bytes, coded, value_bits, index_bits, kept, tensor.numel())
        value_bytes -= index_bytes
    return Line(
        name=stored.name,
        parameters=tensor.numel(),
        kept=kept,
        encoding=f"{name}, coded" if coded[0] == "ans" else name,
        value_bytes=value_bytes,
        index_bytes=index_bytes,
        book_bytes=sum(len(part.data) for part in parts.constraints),
        bound_bytes=math.ceil((value_bits + index_bits) / 8) if is_coded else None,
    )


def _share(
    written: int, coded: list[Any], value_bits: float, index_bits: float, kept: int, total: int
) -> int:
    """The part of a stream's bytes that says which values are kept."""
    if coded[0] == "bits":  # a value that is not kept takes as many bits as one that is
        return written - min(written, math.ceil(written * kept / max(1, total)))
    return round(written * index_bits / max(1e-9, value_bits + index_bits))


def _bits(tensor: Tensor, chain: tuple[Any, ...], keep: Tensor | None, kept: int) -> tuple[float, float]:
    """The order-0 entropy of the kept codes and of the positions, in bits of the whole tensor."""
    codes, index_bits = _codes(tensor, chain), 0.0
    if keep is not None:
        codes = codes[keep.reshape(-1)] if codes is not None else None
        one_by_one = entropy([kept, tensor.numel() - kept]) * tensor.numel()
        gaps = np.diff(np.flatnonzero(keep.reshape(-1).numpy()), prepend=-1)
        index_bits = min(one_by_one, entropy(np.bincount(gaps)) * kept)
    if codes is None:
        return 8.0 * tensor.element_size() * kept, index_bits
    return entropy(np.bincount(codes.numpy())) * kept if kept else 0.0, index_bits


def _codes(tensor: Tensor, chain: tuple[Any, ...]) -> Tensor | None:
    """Each value's number in its codebook or on its grid, flat, from zero; None where it has none."""
    for each in chain:
        if isinstance(each, Codebook):
            return each.codes.reshape(-1).to(torch.int32)
        if isinstance(each, Scaled):
            return each.on_cpu().indices(tensor.cpu()).reshape(-1)
    return None
