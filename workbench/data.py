"""Data as batches that can be read again and again, whatever a person hands over."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor
from torch.utils.data import DataLoader, Dataset, IterableDataset, Subset

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
        """One epoch in an order drawn from `seed` (a loader shuffles by its own rule, seeded)."""
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


def _batches(data: Any, name: str, batch: int) -> Batches:
    if isinstance(data, DataLoader):
        return _from_loader(data, name)
    if isinstance(data, (tuple, list)) and len(data) == 2 and _is_pair_of_tensors(data):
        return _from_tensors(data[0], data[1], name, batch)
    if isinstance(data, Dataset):
        loader = DataLoader(data, batch_size=batch)
        return _from_loader(loader, name)
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


def _is_pair_of_tensors(data: Sequence[Any]) -> bool:
    """Whether this is (inputs, targets) of one set, and not a list of two batches."""
    inputs, targets = data
    if isinstance(inputs, (tuple, list)) and isinstance(targets, (tuple, list)):
        return False
    return length(inputs) == length(targets) and isinstance(targets, Tensor)


def _from_tensors(inputs: Any, targets: Tensor, name: str, batch: int) -> Batches:
    n = len(targets)

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
    is_streamed = isinstance(loader.dataset, IterableDataset)
    n = None if is_streamed else _size(loader)

    def read(seed: int | None) -> Iterator[Batch]:
        if seed is not None and loader.sampler is not None and not is_streamed:
            yield from map(lambda batch: _pair(batch, name), _reshuffled(loader, seed))
        else:
            yield from map(lambda batch: _pair(batch, name), loader)

    def part(indices: Sequence[int]) -> Batches:
        subset = Subset(loader.dataset, list(indices))
        return _from_loader(_like(loader, subset), name)

    can_split = n is not None and loader.batch_size is not None
    return Batches(read, n, "a DataLoader", part if can_split else None)


def _size(loader: DataLoader) -> int | None:
    try:
        return len(loader.dataset)  # type: ignore[arg-type]
    except TypeError:
        return None


def _reshuffled(loader: DataLoader, seed: int) -> Iterable[Any]:
    """The loader's own order, drawn from `seed`; one that does not shuffle is shuffled for training."""
    from torch.utils.data import RandomSampler, SequentialSampler

    if not isinstance(loader.sampler, (RandomSampler, SequentialSampler)) or loader.batch_size is None:
        return loader  # a sampler of the user's own keeps its rule
    generator = torch.Generator().manual_seed(seed)
    return _like(loader, loader.dataset, shuffle=True, generator=generator)


def _like(loader: DataLoader, dataset: Any, **options: Any) -> DataLoader:
    return DataLoader(
        dataset,
        batch_size=loader.batch_size,
        num_workers=loader.num_workers,
        collate_fn=loader.collate_fn,
        pin_memory=loader.pin_memory,
        worker_init_fn=loader.worker_init_fn,
        drop_last=False,
        **options,
    )


def _from_iterable(data: Iterable[Any], name: str) -> Batches:
    is_list = isinstance(data, Sequence)
    n = sum(length(_pair(batch, name)[1]) for batch in data) if is_list else None

    def read(seed: int | None) -> Iterator[Batch]:
        if seed is None or not is_list:
            yield from map(lambda batch: _pair(batch, name), data)
            return
        for index in torch.randperm(len(data), generator=torch.Generator().manual_seed(seed)).tolist():
            yield _pair(data[index], name)

    def part(indices: Sequence[int]) -> Batches:
        # batches may differ in size: all samples are gathered, then dealt out again
        pairs = [_pair(batch, name) for batch in data]
        inputs = _joined([inputs for inputs, _ in pairs])
        targets = torch.cat([torch.as_tensor(targets) for _, targets in pairs])
        index = torch.as_tensor(indices)
        return _from_tensors(slices(inputs, index), targets[index], name, max(1, length(pairs[0][1])))

    return Batches(read, n, "an iterable of batches", part if is_list else None)


def _joined(values: Sequence[Any]) -> Any:
    first = values[0]
    if isinstance(first, Mapping):
        return {key: _joined([value[key] for value in values]) for key in first}
    if isinstance(first, (tuple, list)):
        return tuple(_joined([value[i] for value in values]) for i in range(len(first)))
    return torch.cat(list(values))


def _pair(batch: Any, name: str) -> Batch:
    if isinstance(batch, (tuple, list)) and len(batch) == 2:
        inputs, targets = batch
        return (tuple(inputs) if isinstance(inputs, list) else inputs), targets
    given = f"{len(batch)} values" if isinstance(batch, (tuple, list)) else type(batch).__name__
    raise WorkloadError(f"{name} must give (inputs, targets) pairs, got {given} in a batch")
