"""Every tensor comes back bit for bit, in as few bytes as its encoding promises."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from packing import Holder, grid, held, round_trip
from torch import Tensor

from workbench.candidate import Candidate
from workbench.constraints import Codebook, Grid, Mask
from workbench.errors import StorageError
from workbench.fields import Fields
from workbench.job import finish
from workbench.storage import bits, entropy, gaps, inventory, pack, positions
from workbench.storage.content import LEVELS
from workbench.technique import Context
from workbench.techniques.quantize import Quantize
from workbench.tensors import DTYPES, plain, same_bits

SHAPES = st.lists(st.integers(0, 9), min_size=0, max_size=3).map(tuple)
MATRICES = st.tuples(st.integers(1, 12), st.integers(1, 40))
SEEDS = st.integers(0, 2**31 - 1)


def random_bits(shape: tuple[int, ...], dtype: torch.dtype, seed: int) -> Tensor:
    """Any bits at all: NaN, infinities, negative zeros and subnormals included."""
    count = math.prod(shape) * dtype.itemsize
    random = torch.Generator().manual_seed(seed)
    flat = torch.randint(0, 256, (count,), dtype=torch.uint8, generator=random)
    if dtype == torch.bool:
        return (flat & 1).bool().reshape(shape)
    return (flat if dtype == torch.uint8 else flat.view(dtype)).reshape(shape)


def normal(shape: tuple[int, ...], seed: int) -> Tensor:
    return torch.randn(shape, generator=torch.Generator().manual_seed(seed))


@settings(deadline=None)
@given(st.integers(0, 16), st.integers(0, 100), SEEDS)
def test_numbers_of_any_width_are_really_packed(width: int, count: int, seed: int):
    numbers = np.random.default_rng(seed).integers(0, 2**width, count)
    data = bits.pack(numbers, width)
    assert len(data) == math.ceil(count * width / 8)
    assert np.array_equal(bits.unpack(data, width, count), numbers)


def test_bits_lie_in_the_order_that_the_format_says():
    assert bits.pack(np.array([1, 2, 3]), 2) == bytes([0b111001])
    assert bits.pack(np.array([0x123]), 12) == bytes([0x23, 0x01])


@settings(deadline=None)
@given(st.integers(0, 400), st.floats(0, 1), SEEDS)
def test_positions_come_back_in_every_way(count: int, density: float, seed: int):
    stored = np.random.default_rng(seed).random(count) < density
    for way in positions.WAYS.values():
        if (offer := way.offer(stored, False, "coded")) is not None:
            part = offer.write()
            assert len(part.data) == offer.size
            again = positions.read(
                part.record[0], Fields(part.record[1], "test"), memoryview(part.data), count
            )
            assert np.array_equal(again, stored)


def test_positions_that_follow_the_data_take_less_than_chance_would():
    random = np.random.default_rng(0)
    stored = random.random((200, 400)) < np.where(np.arange(400) < 200, 0.0, 0.2)  # half the inputs unused
    by_chance = gaps.offer(stored.reshape(-1), False, "coded").size
    assert positions.smallest(stored.reshape(-1), level="coded").size < 0.95 * by_chance


@pytest.mark.parametrize("density", [0.3, 0.1, 0.01])
def test_gaps_come_within_two_percent_of_the_entropy(density: float):
    count = 400_000
    stored = np.random.default_rng(0).random(count) < density
    share = np.mean(stored)
    entropy_bytes = -(share * np.log2(share) + (1 - share) * np.log2(1 - share)) * count / 8
    assert gaps.offer(stored, False, "packed").size < 1.02 * entropy_bytes


def test_coded_numbers_come_within_two_percent_of_the_entropy():
    random = np.random.default_rng(0)
    numbers = np.where(random.random(60_000) < 0.5, 7, np.clip(random.normal(7, 2, 60_000), 0, 14)).astype(
        int
    )
    shares = np.bincount(numbers) / numbers.size
    shares = shares[shares > 0]
    entropy_bytes = -(shares * np.log2(shares)).sum() * numbers.size / 8
    offer = entropy.offer(numbers)
    assert entropy_bytes > 10_000
    assert offer.size < 1.02 * entropy_bytes
    part = offer.write()
    back = entropy.read(Fields(part.record[1], "test"), memoryview(part.data), numbers.size)
    assert np.array_equal(back, numbers)


@pytest.mark.parametrize("level", LEVELS)
@settings(deadline=None, max_examples=60)
@given(shape=SHAPES, dtype=st.sampled_from(sorted(DTYPES)), seed=SEEDS)
def test_any_bits_of_any_type_come_back(level: str, shape: tuple[int, ...], dtype: str, seed: int):
    tensor = random_bits(shape, DTYPES[dtype], seed)
    candidate = held(tensor)
    assert same_bits(plain(round_trip(candidate, level).candidate.model.weight, "weight"), tensor)


@pytest.mark.parametrize("level", LEVELS)
@settings(deadline=None, max_examples=60)
@given(
    shape=MATRICES,
    sparsity=st.sampled_from([0.0, 0.1, 0.5, 0.9, 0.99, 1.0]),
    width=st.none() | st.integers(2, 8),
    per_channel=st.booleans(),
    seed=SEEDS,
)
def test_masks_and_grids_come_back_with_their_weights(
    level: str, shape: tuple[int, int], sparsity: float, width: int | None, per_channel: bool, seed: int
):
    weight = normal(shape, seed)
    keep = torch.rand(shape, generator=torch.Generator().manual_seed(seed)) >= sparsity
    own_grid = [grid(weight, width, per_channel)] if width else []
    candidate = held(weight, *own_grid, Mask(keep))
    back = round_trip(candidate, level).candidate
    assert same_bits(plain(back.model.weight, "weight"), plain(candidate.model.weight, "weight"))
    assert torch.equal(back.constraints.of("weight", Mask).keep, keep)
    if width:
        assert back.constraints.of("weight", Grid).bits == width
        assert torch.equal(back.constraints.of("weight", Grid).scale, own_grid[0].scale)


@pytest.mark.parametrize("level", LEVELS)
@settings(deadline=None, max_examples=40)
@given(shape=MATRICES, count=st.sampled_from([1, 2, 3, 16, 255, 256]), is_masked=st.booleans(), seed=SEEDS)
def test_codebooks_come_back(level: str, shape: tuple[int, int], count: int, is_masked: bool, seed: int):
    random = torch.Generator().manual_seed(seed)
    codes = torch.randint(0, count, shape, generator=random, dtype=torch.uint8)
    book = Codebook(normal((count,), seed), codes)
    keep = torch.rand(shape, generator=random) < 0.3
    candidate = held(torch.zeros(shape), book, *([Mask(keep)] if is_masked else []))
    back = round_trip(candidate, level).candidate
    assert same_bits(plain(back.model.weight, "weight"), plain(candidate.model.weight, "weight"))
    again = back.constraints.of("weight", Codebook)
    assert torch.equal(again.values, book.shared)
    where = keep if is_masked else torch.ones(shape, dtype=torch.bool)
    assert torch.equal(again.codes[where], codes[where])


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16])
@pytest.mark.parametrize("level", LEVELS)
def test_half_floats_on_a_grid_come_back(dtype: torch.dtype, level: str):
    weight = normal((16, 33), 1)
    candidate = held((grid(weight, 4)(weight)).to(dtype))
    chain = grid(candidate.model.weight.float(), 4)
    candidate = type(candidate)(candidate.model, type(candidate.constraints)({"weight": (chain,)}))
    back = round_trip(candidate, level).candidate
    assert same_bits(plain(back.model.weight, "weight"), plain(candidate.model.weight, "weight"))


def test_weights_that_leave_their_grid_are_stored_as_they_are():
    weight = normal((8, 8), 0)
    candidate = held(weight, Mask(weight > 0))
    off_grid = type(candidate.constraints)({"weight": (grid(weight, 3), Mask(weight > 0))})
    back = round_trip(type(candidate)(candidate.model, off_grid)).candidate
    assert torch.equal(back.model.weight, candidate.model.weight)
    assert back.constraints.of("weight", Grid).bits == 3


def test_weights_that_leave_their_mask_are_stored_beside_it():
    weight = normal((8, 8), 0)
    candidate = held(weight)
    outside = type(candidate.constraints)({"weight": (Mask(weight > 0),)})
    back = round_trip(type(candidate)(candidate.model, outside)).candidate
    assert torch.equal(back.model.weight, weight)
    assert torch.equal(back.constraints.of("weight", Mask).keep, weight > 0)


def test_a_kept_weight_that_is_zero_stays_kept():
    weight = torch.tensor([[0.0, 1.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0]])
    keep = torch.tensor([[True, True] + [False] * 6])
    for level in LEVELS:
        for own_grid in ([], [Grid(4, torch.tensor(0.5))]):
            back = round_trip(held(weight, *own_grid, Mask(keep)), level).candidate
            assert torch.equal(back.constraints.of("weight", Mask).keep, keep)


def test_zeros_are_not_stored_and_codes_are_packed():
    weight = normal((100, 1000), 0)
    keep = torch.zeros(100_000, dtype=torch.bool)
    keep[torch.randperm(100_000, generator=torch.Generator().manual_seed(0))[:10_000]] = True
    candidate = held(weight, grid(weight, 4), Mask(keep.reshape(100, 1000)))
    sizes = {
        (each.role, each.encoding): each.bytes
        for each in inventory(pack(candidate, original=candidate.model, level="packed"))
    }
    assert sizes["values", "grid"] == 10_000 * 4 // 8
    assert sizes["constraint", "Grid"] == 100 * 4
    assert sizes["positions", "gaps"] < 100_000 // 8 // 2  # less than half a bitmap


def test_an_unknown_constraint_is_refused_in_one_line():
    class Odd(Mask):
        """Somebody's own."""

    candidate = held(normal((2, 2), 0), Odd(torch.ones(2, 2, dtype=torch.bool)))
    with pytest.raises(StorageError, match="weight has a Odd, which cannot be stored; what can: Codebook"):
        pack(candidate, original=candidate.model)


@pytest.mark.parametrize(
    ("tensor", "word"),
    [
        (torch.eye(3).to_sparse(), "sparse"),
        (torch.zeros(2, device="meta"), "meta"),
        (torch.zeros(2, dtype=torch.complex128), "complex128"),
    ],
)
def test_tensors_that_a_file_cannot_hold_are_named(tensor: Tensor, word: str):
    candidate = held(tensor)
    with pytest.raises(StorageError, match=f"weight is .*{word}"):
        pack(candidate, original=candidate.model)


@pytest.mark.parametrize(("bits", "bytes_each"), [(4, 2), (8, 2), (12, 4)])
def test_scales_take_two_bytes_up_to_eight_bits(bits: int, bytes_each: int):
    start, step, context = Candidate.of(Holder(normal((6, 50), 0))), Quantize(bits), Context(work=None)
    rounded = finish(step.apply(start, context, step.prepare(start, context)))
    data = pack(rounded, original=start.model)
    assert [each.bytes for each in inventory(data) if each.role == "constraint"] == [6 * bytes_each]
    again = round_trip(rounded).candidate
    assert torch.equal(again.model.weight, rounded.model.weight)
    assert torch.equal(
        again.constraints.of("weight", Grid).scale, rounded.constraints.of("weight", Grid).scale
    )
    exact = start.model.weight.abs().amax(1, keepdim=True) / rounded.constraints.of("weight", Grid).top
    assert bool(((rounded.model.weight - start.model.weight).abs() <= 0.6 * exact).all())
