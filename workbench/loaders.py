"""A person's `DataLoader` or iterable, read in one order every time or in one drawn from a seed, traceless.

Two models are compared sample by sample, so a loader that shuffles must not shuffle between them; and the
global random states, which every loader draws from, are the caller's.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import Any

import torch
from torch.utils.data import (
    DataLoader,
    IterableDataset,
    RandomSampler,
    SequentialSampler,
    Subset,
    SubsetRandomSampler,
)

from workbench.randomness import RandomStates


def settled(loader: DataLoader) -> DataLoader:
    """The same loader, a choice of samples made by its sampler turned into a data set of those samples."""
    if not _is_ordinary(loader) or type(loader.sampler) is not SubsetRandomSampler:
        return loader
    return _like(loader, Subset(loader.dataset, [int(index) for index in loader.sampler.indices]), True)


def read(loader: DataLoader, seed: int | None) -> Iterator[Any]:
    """One reading: in the data's own order without a seed, else shuffled by it (and without a last small
    batch where the loader drops it). A loader with a rule of its own keeps that, its draws seeded.
    """
    if has_free_order(loader):
        loader = _like(loader, loader.dataset, is_shuffled=seed is not None)
    return isolated(loader, seed or 0)


def part(loader: DataLoader, indices: Sequence[int]) -> DataLoader:
    """A loader of some of the samples, all of them read."""
    return _like(loader, Subset(loader.dataset, list(indices)), is_shuffled=False)


def has_free_order(loader: DataLoader) -> bool:
    """Whether every sample of the data set comes once, in an order that nobody depends on."""
    sampler = loader.sampler
    if not _is_ordinary(loader) or type(sampler) not in (SequentialSampler, RandomSampler):
        return False
    if isinstance(sampler, RandomSampler) and (sampler.replacement or sampler._num_samples is not None):
        return False
    return _count(sampler.data_source) == _count(loader.dataset) is not None


def size(loader: DataLoader) -> int | None:
    """How many samples one reading gives; None where only reading tells."""
    if isinstance(loader.dataset, IterableDataset):
        return None
    if has_free_order(loader):
        return _count(loader.dataset)
    if loader.batch_size is None:  # its batches are made by a batch sampler, or by the data set itself
        if loader.batch_sampler is None or _count(loader.batch_sampler) is None:
            return None
        return sum(len(indices) for indices in isolated(loader.batch_sampler, 0))
    n = _count(loader.sampler)
    return n // loader.batch_size * loader.batch_size if n is not None and loader.drop_last else n


def _is_ordinary(loader: DataLoader) -> bool:
    """Whether this is a plain `DataLoader` that collates samples of a data set into batches of one size."""
    is_plain = type(loader).__iter__ is DataLoader.__iter__
    return is_plain and loader.batch_size is not None and not isinstance(loader.dataset, IterableDataset)


def _like(loader: DataLoader, dataset: Any, is_shuffled: bool) -> DataLoader:
    return DataLoader(
        dataset,
        batch_size=loader.batch_size,
        shuffle=is_shuffled,
        drop_last=loader.drop_last and is_shuffled,  # in training; what is judged is judged whole
        num_workers=loader.num_workers,
        collate_fn=loader.collate_fn,
        pin_memory=loader.pin_memory,
        timeout=loader.timeout,
        worker_init_fn=loader.worker_init_fn,
        multiprocessing_context=loader.multiprocessing_context,
        prefetch_factor=loader.prefetch_factor,
    )


def isolated(source: Iterable[Any], seed: int) -> Iterator[Any]:
    """What `source` gives, everything it draws on the way drawn from `seed`, and the callers' states kept."""
    states, own = RandomStates(seed), _OwnGenerators(source, seed)
    with states, own:
        iterator = iter(source)
    while True:
        with states, own:
            try:
                item = next(iterator)
            except StopIteration:
                return
        yield item


class _OwnGenerators:
    """The generators that a loader and its samplers hold, seeded inside `with` and put back after it."""

    def __init__(self, source: Any, seed: int) -> None:
        holders = [source]
        for holder in holders:
            inner = (getattr(holder, name, None) for name in ("sampler", "batch_sampler"))
            holders += [each for each in inner if each is not None and not any(each is h for h in holders)]
        found = (getattr(holder, "generator", None) for holder in holders)
        self._generators = list({id(g): g for g in found if isinstance(g, torch.Generator)}.values())
        self._states = [
            torch.Generator(each.device).manual_seed(seed).get_state() for each in self._generators
        ]

    def __enter__(self) -> None:
        self._swap()

    def __exit__(self, *exception: object) -> None:
        self._swap()

    def _swap(self) -> None:
        theirs = [each.get_state() for each in self._generators]
        for each, state in zip(self._generators, self._states, strict=True):
            each.set_state(state)
        self._states = theirs


def _count(data: Any) -> int | None:
    try:
        return len(data)
    except (TypeError, NotImplementedError):
        return None
