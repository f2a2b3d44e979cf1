"""Whatever holds samples becomes batches that can be read again, in the same order, and split by seed."""

from __future__ import annotations

import random
from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor
from torch.utils.data import (
    BatchSampler,
    DataLoader,
    Dataset,
    IterableDataset,
    RandomSampler,
    Subset,
    SubsetRandomSampler,
    TensorDataset,
    WeightedRandomSampler,
)

from workbench.data import Batches, length, mapped, slices
from workbench.errors import WorkloadError

N = 10
X = torch.arange(N).float().reshape(N, 1).repeat(1, 4)  # sample number i holds the number i
Y = torch.arange(N) % 3
SET = TensorDataset(X, Y)


class Streamed(IterableDataset):
    def __iter__(self) -> Iterator[tuple[Tensor, Tensor]]:
        return zip(X, Y, strict=True)


class Noisy(Dataset):
    """A data set that augments: every reading draws from the global random states."""

    def __len__(self) -> int:
        return N

    def __getitem__(self, index: int) -> tuple[Tensor, Tensor]:
        return X[index] + torch.rand(4) + random.random() + np.random.rand(), Y[index]


def collated(samples: list[tuple[Tensor, Tensor]]) -> tuple[dict[str, Tensor], Tensor]:
    inputs, targets = zip(*samples, strict=True)
    return {"x": torch.stack(inputs)}, torch.stack(targets)


def numbers(batches: Any) -> list[int]:
    """Which samples were read, in order."""
    return [int(each) for inputs, _ in batches for each in first_tensor(inputs)[:, 0]]


def every(parts: Any) -> list[int]:
    return [number for part in parts for number in numbers(part)]


def first_tensor(inputs: Any) -> Tensor:
    if isinstance(inputs, dict):
        return inputs["x"]
    return inputs[0] if isinstance(inputs, tuple) else inputs


def in_batches(size: int = 4) -> list[tuple[Tensor, Tensor]]:
    return [(X[i : i + size], Y[i : i + size]) for i in range(0, N, size)]


class Again:
    """An iterable that is no list and shuffles by itself: it can be read again, but only from the start."""

    def __iter__(self) -> Iterator[tuple[Tensor, Tensor]]:
        batches = in_batches(1)
        random.shuffle(batches)
        return iter(batches)


KINDS = {
    "pair": lambda: (X, Y),
    "pair in a list": lambda: [X, Y],
    "pair with a tuple": lambda: ((X, X), Y),
    "pair with a mapping": lambda: ({"x": X}, Y),
    "data set": lambda: SET,
    "subset": lambda: Subset(TensorDataset(torch.cat([X, X]), torch.cat([Y, Y])), range(N)),
    "loader": lambda: DataLoader(SET, batch_size=4),
    "loader that shuffles": lambda: DataLoader(SET, batch_size=4, shuffle=True),
    "loader with its own generator": lambda: DataLoader(
        SET, batch_size=4, shuffle=True, generator=torch.Generator().manual_seed(3)
    ),
    "loader with collate": lambda: DataLoader(SET, batch_size=4, collate_fn=collated),
    "loader with a batch sampler": lambda: DataLoader(
        SET, batch_sampler=BatchSampler(RandomSampler(SET), 4, drop_last=False)
    ),
    "loader with a subset sampler": lambda: DataLoader(
        TensorDataset(torch.cat([X, X + N]), torch.cat([Y, Y])),
        batch_size=4,
        sampler=SubsetRandomSampler(range(N)),
    ),
    "list of batches": in_batches,
    "tuple of batches": lambda: tuple(in_batches()),
    "batches as lists": lambda: [list(batch) for batch in in_batches()],
    "list of two batches": lambda: in_batches(5),
    "two batches as lists": lambda: [list(batch) for batch in in_batches(5)],
    "list of one batch": lambda: in_batches(N),
    "iterable": Again,
    "streamed": lambda: DataLoader(Streamed(), batch_size=4),
}
UNCOUNTED = ("iterable", "streamed")
UNSPLIT = (*UNCOUNTED, "loader with a batch sampler")


@pytest.mark.parametrize("kind", KINDS)
def test_every_sample_comes_once_with_its_target(kind):
    batches = Batches.of(KINDS[kind]())
    assert sorted(numbers(batches)) == list(range(N))
    for inputs, targets in batches:
        assert (first_tensor(inputs)[:, 0].long() % 3).tolist() == targets.tolist()
    assert batches.n == (None if kind in UNCOUNTED else N)


@pytest.mark.parametrize("kind", KINDS)
def test_reading_again_gives_the_same_order(kind):
    """Two models are compared sample by sample: a loader that shuffles must not shuffle between them."""
    batches = Batches.of(KINDS[kind]())
    first = numbers(batches)
    torch.rand(5)
    assert numbers(batches) == first
    assert numbers([batches.first()]) == first[: len(numbers([batches.first()]))]


@pytest.mark.parametrize("kind", KINDS)
def test_reading_leaves_the_global_random_states_alone(kind):
    data = KINDS[kind]()
    before = torch.get_rng_state(), random.getstate(), np.random.get_state()[1].tolist()
    batches = Batches.of(data)
    batches.first()
    list(batches), list(batches.shuffled(1))
    assert torch.equal(torch.get_rng_state(), before[0])
    assert (random.getstate(), np.random.get_state()[1].tolist()) == before[1:]


@pytest.mark.parametrize("kind", KINDS)
def test_shuffled_is_drawn_from_its_seed(kind):
    batches = Batches.of(KINDS[kind]())
    orders = [numbers(batches.shuffled(seed)) for seed in (1, 1, 2)]
    assert all(sorted(order) == list(range(N)) for order in orders)
    assert orders[0] == orders[1]
    if kind not in ("streamed", "list of one batch", "list of two batches", "two batches as lists"):
        assert orders[0] != orders[2]
        assert orders[0] != sorted(orders[0])


def test_augmentations_are_drawn_from_the_seed_too():
    loader = DataLoader(Noisy(), batch_size=4, shuffle=True)
    batches = Batches.of(loader)
    read = [torch.cat([inputs for inputs, _ in batches.shuffled(seed)]) for seed in (1, 1, 2)]
    assert torch.equal(read[0], read[1])
    assert not torch.equal(read[0], read[2])
    plain = [torch.cat([inputs for inputs, _ in batches]) for _ in range(2)]
    assert torch.equal(*plain)


def test_a_loaders_own_generator_is_not_used_up():
    own = torch.Generator().manual_seed(3)
    before = own.get_state()
    batches = Batches.of(DataLoader(SET, batch_size=4, shuffle=True, generator=own))
    list(batches), list(batches.shuffled(1))
    assert torch.equal(own.get_state(), before)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("shares", [(0.8, 0.1, 0.1), (0.5, 0.5), (0.9, 0.1)])
def test_splits_are_disjoint_and_complete_and_the_same_by_seed(kind, shares):
    batches = Batches.of(KINDS[kind]())
    if kind in UNSPLIT:
        with pytest.raises(
            WorkloadError, match="cannot be split; give validation and test data of their own"
        ):
            batches.divided(shares, seed=0)
        return
    parts = batches.divided(shares, seed=0)
    read = [numbers(part) for part in parts]
    assert sorted(every(parts)) == list(range(N))
    assert (
        [part.n for part in parts] == [len(each) for each in read] == [round(N * share) for share in shares]
    )
    assert [numbers(part) for part in batches.divided(shares, seed=0)] == read
    assert [numbers(part) for part in batches.divided(shares, seed=1)] != read
    for part in parts:
        for inputs, targets in part:
            assert (first_tensor(inputs)[:, 0].long() % 3).tolist() == targets.tolist()


@given(
    n=st.integers(3, 60), seed=st.integers(0, 5), shares=st.lists(st.floats(0.1, 1), min_size=1, max_size=3)
)
@settings(derandomize=True, deadline=None, database=None, max_examples=50)
def test_any_split_is_a_partition(n, seed, shares):
    values = torch.arange(n).float().reshape(n, 1)
    try:
        parts = Batches.of((values, torch.zeros(n))).divided(shares, seed)
    except WorkloadError as error:
        assert "too few to split" in str(error)
        return
    assert sorted(every(parts)) == list(range(n))


def test_a_part_can_be_shuffled_and_divided_again():
    part, _ = Batches.of(DataLoader(SET, batch_size=4, shuffle=True)).divided((0.8, 0.2), seed=0)
    kept = sorted(numbers(part))
    assert sorted(numbers(part.shuffled(1))) == kept
    assert sorted(every(part.divided((0.5, 0.5), seed=0))) == kept


def test_samples_that_a_sampler_leaves_out_never_come():
    """One data set, two samplers: the usual way to hold validation data out."""
    train = DataLoader(SET, batch_size=2, sampler=SubsetRandomSampler(range(6)))
    batches = Batches.of(train)
    assert batches.n == 6
    assert sorted(numbers(batches)) == sorted(numbers(batches.shuffled(1))) == list(range(6))
    assert sorted(every(batches.divided((0.5, 0.5), seed=0))) == list(range(6))


def test_a_sampler_that_repeats_keeps_its_rule():
    weights = torch.zeros(N).index_fill(0, torch.tensor([2, 5]), 1.0)
    batches = Batches.of(DataLoader(SET, batch_size=4, sampler=WeightedRandomSampler(weights, 30)))
    assert batches.n == 30
    assert set(numbers(batches)) == {2, 5}
    assert len(numbers(batches.shuffled(1))) == 30
    with pytest.raises(WorkloadError, match="cannot be split"):
        batches.divided((0.5, 0.5), seed=0)
    some = Batches.of(DataLoader(SET, batch_size=4, sampler=RandomSampler(SET, num_samples=6)))
    assert len(numbers(some.shuffled(1))) == some.n == 6


def test_drop_last_drops_in_training_and_nothing_that_is_judged():
    batches = Batches.of(DataLoader(SET, batch_size=4, drop_last=True))
    assert [len(targets) for _, targets in batches.shuffled(1)] == [4, 4]
    assert [len(targets) for _, targets in batches] == [4, 4, 2]
    assert batches.n == N
    parts = batches.divided((0.5, 0.5), seed=0)
    assert [len(numbers(part)) for part in parts] == [5, 5]


def test_a_loader_with_worker_processes_is_read_like_any_other():
    loader = DataLoader(Noisy(), batch_size=4, shuffle=True, num_workers=1)
    batches = Batches.of(loader)
    first, again = (torch.cat([inputs for inputs, _ in batches.shuffled(1)]) for _ in range(2))
    assert torch.equal(first, again)


def test_a_loader_class_of_its_own_keeps_its_way_of_reading():
    class Doubling(DataLoader):
        def __iter__(self) -> Any:
            for inputs, targets in super().__iter__():
                yield 2 * inputs, targets

    batches = Batches.of(Doubling(SET, batch_size=4, shuffle=True))
    assert sorted(numbers(batches)) == sorted(numbers(batches.shuffled(1))) == list(range(0, 2 * N, 2))
    with pytest.raises(WorkloadError, match="cannot be split"):
        batches.divided((0.5, 0.5), seed=0)


def test_batches_are_batches_already():
    batches = Batches.of((X, Y))
    assert Batches.of(batches) is batches


def test_two_batches_and_a_pair_are_told_apart():
    assert [tuple(each.shape) for each, _ in Batches.of(in_batches(5))] == [(5, 4), (5, 4)]
    assert [tuple(each.shape) for each, _ in Batches.of((X, Y))] == [(N, 4)]
    single = [(X[:1], Y[:1]), (X[1:2], Y[1:2])]
    assert [tuple(each.shape) for each, _ in Batches.of(single)] == [(1, 4), (1, 4)]


class Odd:
    """Something that is no data at all."""


EMPTY = TensorDataset(X[:0], Y[:0])


@pytest.mark.parametrize(
    ("data", "words"),
    [
        ([], "train is empty: it has 0 samples; give at least one batch of (inputs, targets)"),
        ((X[:0], Y[:0]), "train is empty"),
        ([(X[:0], Y[:0])], "train is empty"),
        (EMPTY, "train is empty"),
        (DataLoader(EMPTY, batch_size=4), "train is empty"),
        (iter(in_batches()), "train is an iterator, which can be read only once; give a list of batches"),
        ((batch for batch in in_batches()), "train is an iterator, which can be read only once"),
        (zip(X, Y, strict=True), "train is an iterator"),
        (Odd(), "train must give (inputs, targets) batches: a DataLoader, a Dataset, a pair of tensors or"),
        (3, "train must give (inputs, targets) batches"),
        ("mnist", "train must give (inputs, targets) batches"),
        ({"x": X}, "train must give (inputs, targets) batches"),
        (X, "train must give (inputs, targets) batches"),
        ([X], "train must give (inputs, targets) pairs, got Tensor in a batch"),
        ([(X, Y, Y)], "train must give (inputs, targets) pairs, got 3 values in a batch"),
        ([{"x": X, "y": Y}], "train must give (inputs, targets) pairs, got dict in a batch"),
        ((X, Y[:9]), "train has 10 inputs and 9 targets; give one target for each input"),
        ([X, Y[:9]], "train has 10 inputs and 9 targets"),
        (({"x": X}, Y[:9]), "train has 10 inputs and 9 targets"),
        ((X.numpy(), Y.numpy()), "train holds NumPy arrays; give tensors: torch.from_numpy(array)"),
        ((X, Y.numpy()), "train holds NumPy arrays; give tensors"),
        ([(X.numpy(), Y.numpy())], "train holds NumPy arrays; give tensors"),
    ],
)  # fmt: skip
def test_what_is_no_data_gets_one_line(data, words):
    with pytest.raises(WorkloadError) as caught:
        Batches.of(data, "train").first("train")
    assert words in str(caught.value)
    assert "\n" not in str(caught.value)


def test_an_iterable_that_gives_nothing_is_empty_when_read():
    class Nothing:
        def __iter__(self) -> Iterator[Any]:
            return iter(())

    with pytest.raises(WorkloadError, match="validation is empty: reading it gave no batch"):
        Batches.of(Nothing(), "validation").first("validation")


def test_batches_of_different_widths_are_read_but_not_split():
    ragged = Batches.of([(torch.zeros(2, 3), Y[:2]), (torch.zeros(2, 5), Y[:2])])
    assert [tuple(inputs.shape) for inputs, _ in ragged] == [(2, 3), (2, 5)]
    with pytest.raises(WorkloadError, match="cannot be split: its batches differ in shape"):
        ragged.divided((0.5, 0.5), seed=0)


def test_too_few_samples_for_a_split():
    with pytest.raises(WorkloadError, match="2 samples are too few to split into 3 parts"):
        Batches.of((X[:2], Y[:2])).divided((0.8, 0.1, 0.1), seed=0)


def test_tensors_are_reached_through_tuples_and_mappings():
    nested = {"a": X, "b": (X, [X, None, "text"])}
    halves = slices(nested, slice(0, 5))
    assert halves["a"].shape == (5, 4)
    assert halves["b"][1][0].shape == (5, 4)
    assert halves["b"][1][1:] == (None, "text")
    assert mapped(lambda tensor: tensor.sum().item(), (X,)) == (X.sum().item(),)


def test_length_is_the_number_of_samples():
    assert [length(each) for each in (X, (X, Y), {"x": X}, [X], torch.tensor(1), [1, 2, 3], (), {})] == [
        10, 10, 10, 10, 1, 3, 0, 0,
    ]  # fmt: skip
