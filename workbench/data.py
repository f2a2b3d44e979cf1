"""Data as batches that can be read again and again, whatever a person hands over."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor
from torch.utils.data import DataLoader, Dataset

from workbench import loaders
from workbench.errors import WorkloadError

Batch = tuple[Any, Any]
BATCH = 128  # samples, where nobody says how many


@dataclass(frozen=True)
class Batches:
    """Batches of `(inputs, targets)`; iterating again starts again.

    `inputs` is a tensor, or a tuple or mapping of tensors, with samples along dimension 0. `n` is the
    number of samples, None where only reading tells.
    """

    read: Callable[[int | None], Iterator[Batch]]
    n: int | None
    kind: str
    part: Callable[[Sequence[int]], Batches] | None = None

    @classmethod
    def of(cls, data: Any, name: str = "data", batch: int = BATCH) -> Batches:
        """Batches of a `DataLoader`, a `Dataset`, a pair of tensors or any iterable of batches.

        Raises:
            WorkloadError: the data are empty, can be read only once, or do not come as pairs.
        """
        if isinstance(data, Batches):
            return data
        batches = _batches(data, name, batch)
        if batches.n == 0:
            raise WorkloadError(
                f"{name} is empty: it has 0 samples; give at least one batch of (inputs, targets)"
            )
        return batches

    def __iter__(self) -> Iterator[Batch]:
        return self.read(None)

    def shuffled(self, seed: int) -> Iterator[Batch]:
        """One epoch in an order drawn from `seed` (a loader with a sampler of its own keeps it, seeded)."""
        return self.read(seed)

    def first(self, name: str = "data") -> Batch:
        """The first batch.

        Raises:
            WorkloadError: there is none.
        """
        for batch in self:
            return batch
        raise WorkloadError(f"{name} is empty: reading it gave no batch")

    def divided(self, shares: Sequence[float], seed: int) -> tuple[Batches, ...]:
        """Disjoint parts with about these shares of the samples, drawn once by `seed`.

        Raises:
            WorkloadError: the data cannot be read by sample (an iterable data set).
        """
        if self.part is None or self.n is None:
            raise WorkloadError(
                f"{self.kind} cannot be split; give validation and test data of their own (test=...)"
            )
        order = torch.randperm(self.n, generator=torch.Generator().manual_seed(seed)).tolist()
        ends = [round(sum(shares[: i + 1]) / sum(shares) * self.n) for i in range(len(shares))]
        starts = [0, *ends[:-1]]
        parts = [sorted(order[start:end]) for start, end in zip(starts, ends, strict=True)]
        if not all(parts):
            raise WorkloadError(f"{self.n} samples are too few to split into {len(shares)} parts")
        return tuple(self.part(indices) for indices in parts)


def slices(value: Any, index: Any) -> Any:
    """`value[index]` for a tensor, and through tuples and mappings of tensors."""
    return mapped(lambda each: each[index], value)


def mapped(function: Callable[[Any], Any], value: Any) -> Any:
    """`function` of every tensor in a tensor, tuple, list or mapping; the rest is left as it is."""
    if isinstance(value, Tensor):
        return function(value)
    if isinstance(value, Mapping):
        return {key: mapped(function, each) for key, each in value.items()}
    if isinstance(value, (tuple, list)):
        return tuple(mapped(function, each) for each in value)
    return value


def length(value: Any) -> int:
    """The number of samples in a batch's inputs or targets: dimension 0 of the first tensor found."""
    if isinstance(value, Tensor):
        return len(value) if value.ndim else 1
    if isinstance(value, Mapping):
        return length(next(iter(value.values()))) if value else 0
    if isinstance(value, (tuple, list)) and value and isinstance(value[0], (Tensor, Mapping, tuple, list)):
        return length(value[0])
    return len(value) if isinstance(value, Sequence) else 0


def described(value: Any) -> str:
    """Shapes and dtypes in words: `float32 1×1×28×28`."""
    if isinstance(value, Tensor):
        return f"{str(value.dtype).removeprefix('torch.')} {'×'.join(map(str, value.shape)) or 'scalar'}"
    if isinstance(value, Mapping):
        return ", ".join(f"{key}: {described(each)}" for key, each in value.items())
    if isinstance(value, (tuple, list)):
        return ", ".join(map(described, value))
    return type(value).__name__


def _batches(data: Any, name: str, batch: int) -> Batches:
    if isinstance(data, DataLoader):
        return _from_loader(data, name)
    if _is_pair_of_tensors(data):
        return _from_tensors(*_pair(data, name), name, batch)
    if isinstance(data, Dataset):
        return _from_loader(DataLoader(data, batch_size=batch), name)
    if isinstance(data, Iterator):
        raise WorkloadError(
            f"{name} is an iterator, which can be read only once; give a list of batches or a DataLoader"
        )
    if isinstance(data, Iterable) and not isinstance(data, (str, bytes, Mapping, Tensor)):
        return _from_iterable(data, name)
    raise WorkloadError(
        f"{name} must give (inputs, targets) batches: a DataLoader, a Dataset, a pair of tensors or a list "
        f"of batches; got {type(data).__name__}"
    )


def _is_pair_of_tensors(data: Any) -> bool:
    """Whether this is (inputs, targets) of one set, and not a list of two batches."""
    if not isinstance(data, (tuple, list)) or len(data) != 2:
        return False
    return isinstance(data[1], Tensor) or _is_array(data[1])


def _from_tensors(inputs: Any, targets: Tensor, name: str, batch: int) -> Batches:
    n = length(targets)
    if length(inputs) != n:
        raise WorkloadError(
            f"{name} has {length(inputs):,} inputs and {n:,} targets; give one target for each input"
        )

    def read(seed: int | None) -> Iterator[Batch]:
        order = None if seed is None else torch.randperm(n, generator=torch.Generator().manual_seed(seed))
        for start in range(0, n, batch):
            index = slice(start, start + batch) if order is None else order[start : start + batch]
            yield slices(inputs, index), targets[index]

    def part(indices: Sequence[int]) -> Batches:
        index = torch.as_tensor(indices)
        return _from_tensors(slices(inputs, index), targets[index], name, batch)

    return Batches(read, n, "a pair of tensors", part)


def _from_loader(loader: DataLoader, name: str) -> Batches:
    loader = loaders.settled(loader)

    def read(seed: int | None) -> Iterator[Batch]:
        return map(lambda batch: _pair(batch, name), loaders.read(loader, seed))

    def part(indices: Sequence[int]) -> Batches:
        return _from_loader(loaders.part(loader, indices), name)

    can_split = loaders.has_free_order(loader)
    return Batches(read, loaders.size(loader), "a DataLoader like this", part if can_split else None)


def _from_iterable(data: Iterable[Any], name: str) -> Batches:
    is_list = isinstance(data, Sequence)
    n = sum(length(_pair(batch, name)[1]) for batch in data) if is_list else None

    def read(seed: int | None) -> Iterator[Batch]:
        if not is_list or seed is None:
            source = data if is_list else loaders.isolated(data, seed or 0)
            yield from map(lambda batch: _pair(batch, name), source)
            return
        for index in torch.randperm(len(data), generator=torch.Generator().manual_seed(seed)).tolist():
            yield _pair(data[index], name)

    def part(indices: Sequence[int]) -> Batches:
        # batches may differ in size: all samples are gathered, then dealt out again
        pairs = [_pair(batch, name) for batch in data]
        try:
            inputs = joined([inputs for inputs, _ in pairs])
            targets = torch.cat([targets for _, targets in pairs])
        except (RuntimeError, TypeError):
            raise WorkloadError(
                f"{name} cannot be split: its batches differ in shape; give validation and test data of "
                "their own (test=...)"
            ) from None
        index = torch.as_tensor(indices)
        return _from_tensors(slices(inputs, index), targets[index], name, max(1, length(pairs[0][1])))

    return Batches(read, n, "an iterable of batches", part if is_list else None)


def joined(values: Sequence[Any]) -> Any:
    """Batches' inputs or targets one after the other, through tuples and mappings of tensors.

    Raises:
        RuntimeError: their shapes differ.
    """
    first = values[0]
    if isinstance(first, Mapping):
        return {key: joined([value[key] for value in values]) for key in first}
    if isinstance(first, (tuple, list)):
        return tuple(joined([value[i] for value in values]) for i in range(len(first)))
    return torch.cat(list(values))


def _pair(batch: Any, name: str) -> Batch:
    if isinstance(batch, (tuple, list)) and len(batch) == 2:
        inputs, targets = batch
        if _is_array(inputs) or _is_array(targets):
            raise WorkloadError(
                f"{name} holds NumPy arrays; give tensors: torch.from_numpy(array), as float32 for inputs"
            )
        return (tuple(inputs) if isinstance(inputs, list) else inputs), targets
    given = f"{len(batch)} values" if isinstance(batch, (tuple, list)) else type(batch).__name__
    raise WorkloadError(f"{name} must give (inputs, targets) pairs, got {given} in a batch")


def _is_array(value: Any) -> bool:
    return type(value).__module__.partition(".")[0] == "numpy"
