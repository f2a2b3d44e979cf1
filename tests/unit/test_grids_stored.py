"""Rounded weights in the packed file: every kind, with masks and without, gives back the very same bits."""

from __future__ import annotations

import random
from collections.abc import Callable

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from packing import held, mutated, resigned, round_trip
from torch import Tensor

from workbench.algorithms.quantization.weights_layout import Layout
from workbench.algorithms.quantization.weights_levels import counted, kmeans, normal_float, power_of_two
from workbench.algorithms.quantization.weights_ranges import Range, scales, signs
from workbench.algorithms.quantization.weights_signs import three_values
from workbench.candidate import Candidate
from workbench.constraints import Constraint, Grid, Levels, Mask, Precision
from workbench.errors import StorageError
from workbench.fields import Fields
from workbench.storage import estimate_bytes, pack, unpack
from workbench.storage import scales as scale_parts
from workbench.storage.content import LEVELS, Content, Reading
from workbench.tensors import plain, same_bits

Make = Callable[[Tensor, Layout], Constraint]


def on_levels(make: Callable[[int], Tensor], bits: int) -> Make:
    def levels(values: Tensor, layout: Layout) -> Levels:
        largest = layout.reduced(values.abs(), lambda rows: rows.amax(-1))
        return Levels(make(bits), scales(largest, bits), **layout.fields)

    return levels


def on_grid(bits: int, symmetric: bool, rule: str = "max") -> Make:
    return lambda values, layout: Range.of(values, layout, rule, 99.0, symmetric).grid(bits)


KINDS: dict[str, Make] = {
    "one bit": lambda values, layout: signs(values, layout),
    "three values": lambda values, layout: three_values(values, layout, 0.75),
    "one bit, zero point": on_grid(1, False),
    "3 bits": on_grid(3, True),
    "4 bits, zero point": on_grid(4, False),
    "9 bits, zero point, clipped": on_grid(9, False, "percentile"),
    "16 bits, zero point": on_grid(16, False),
    "normal-float": on_levels(normal_float, 4),
    "powers of two": on_levels(power_of_two, 3),
    "k-means": lambda values, layout: Levels(kmeans(counted(values), 4), torch.ones(())),
    "float16": lambda values, layout: Precision("float16"),
    "bfloat16": lambda values, layout: Precision("bfloat16"),
}


def values_of(shape: tuple[int, ...], seed: int = 0) -> Tensor:
    return torch.randn(shape, generator=torch.Generator().manual_seed(seed)) + 0.3


@pytest.mark.parametrize("level", LEVELS)
@pytest.mark.parametrize("kind", KINDS)
@settings(deadline=None, max_examples=6, derandomize=True, database=None)
@given(
    shape=st.sampled_from([(1, 1), (7, 5), (3, 4, 5), (40, 33)]),
    where=st.sampled_from(
        [("channel", 0, 0), ("channel", 0, 1), ("tensor", 0, 0), ("group", 3, 0), ("group", 8, 1)]
    ),
    kept=st.sampled_from([None, 0.0, 0.1, 0.6, 1.0]),
    seed=st.integers(0, 99),
)
def test_what_was_rounded_comes_back(
    level: str, kind: str, shape: tuple[int, ...], where: tuple[str, int, int], kept: float | None, seed: int
):
    values = values_of(shape, seed)
    layout = Layout.of(where[0], where[1], values, where[2])
    chain: list[Constraint] = [KINDS[kind](values, layout)]
    if kept is not None:
        chain.append(Mask(torch.rand(shape, generator=torch.Generator().manual_seed(seed)) < kept))
    candidate = held(values, *chain)
    back = round_trip(candidate, level).candidate
    assert same_bits(plain(back.model.weight, "weight"), plain(candidate.model.weight, "weight"))
    read = back.constraints["weight"]
    assert [type(each) for each in read] == [type(each) for each in chain]
    assert torch.equal(read[0](back.model.weight.detach()), chain[0](candidate.model.weight.detach()))
    if kept is not None:
        assert torch.equal(read[1].keep, chain[1].keep)
    again = round_trip(back, level).candidate
    assert same_bits(plain(again.model.weight, "weight"), plain(candidate.model.weight, "weight"))


@pytest.mark.parametrize("dtype", [torch.float64, torch.float16, torch.bfloat16])
@pytest.mark.parametrize("kind", KINDS)
def test_other_types_come_back(kind: str, dtype: torch.dtype):
    values = values_of((12, 9)).to(dtype)
    candidate = held(values, KINDS[kind](values.float(), Layout(0)))
    back = round_trip(candidate, "coded").candidate
    assert same_bits(plain(back.model.weight, "weight"), plain(candidate.model.weight, "weight"))


@pytest.mark.slow
@pytest.mark.parametrize("level", LEVELS)
@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("is_masked", [False, True])
def test_estimates_agree_with_the_file(kind: str, level: str, is_masked: bool):
    values = values_of((300, 1000))  # large enough that a sample stands for it
    mask = [Mask(torch.rand(values.shape, generator=torch.Generator().manual_seed(1)) < 0.3)] * is_masked
    candidate = held(values, KINDS[kind](values, Layout(0, 50)), *mask)
    written = len(pack(candidate, original=candidate.model, level=level))
    assert estimate_bytes(candidate, level) == pytest.approx(written, rel=0.02, abs=600)


@pytest.mark.parametrize(
    ("kind", "bits"), [("one bit", 1), ("normal-float", 4), ("float16", 16), ("3 bits", 3)]
)
def test_codes_are_packed(kind: str, bits: int):
    values = values_of((400, 1000))
    candidate = held(values, KINDS[kind](values, Layout(None)))
    assert len(pack(candidate, original=candidate.model, level="packed")) <= 400_000 * bits // 8 + 2_000


def test_levels_that_parameters_share_are_written_once():
    levels, model = (
        normal_float(8),
        torch.nn.Sequential(*(torch.nn.Linear(4, 4, bias=False) for _ in range(8))),
    )
    start = Candidate.of(model)
    made = start.constrained({f"{i}.weight": Levels(levels, torch.ones(())) for i in range(8)})
    data = pack(made, original=model, level="packed")
    alone = start.constrained({f"{i}.weight": Levels(levels.clone(), torch.ones(())) for i in range(8)})
    assert len(pack(alone, original=model, level="packed")) - len(data) > 6 * 4 * 256
    back = unpack(data, model).candidate.constraints
    assert back.of("0.weight", Levels).levels is back.of("7.weight", Levels).levels


def test_what_does_not_fit_is_refused():
    values = values_of((6, 8))
    good = Range.of(values, Layout(0, 4), "max", 100, True).grid(4)
    assert isinstance(good, Grid)
    for scale, group, axis in (
        (good.scale, 3, 0),
        (good.scale, 4, 1),
        (good.scale[:5], 4, 0),
        (good.scale, 9, 0),
    ):
        candidate = held(values, good)
        wrong = type(candidate.constraints)({"weight": (Grid(4, scale, group=group, axis=axis),)})
        with pytest.raises((StorageError, RuntimeError)):
            pack(type(candidate)(candidate.model, wrong), original=candidate.model)


LIES = {
    "a longer group": ({"group": 4000}, "scales"),
    "a shorter group": ({"group": 3}, "scales"),
    "another axis": ({"axis": 1}, "scales"),
    "an axis there is not": ({"axis": 7}, "scales"),
    "a shape of a petabyte": ({"shape": [1 << 30, 1 << 20]}, "scales"),
    "zero points that are not there": ({"zero": True}, "take"),
    "one bit without a zero point": ({"bits": 1}, "from 2 to 16"),
}


@pytest.mark.parametrize("what", LIES)
def test_a_lie_about_scales_is_named(what: str):
    changes, words = LIES[what]
    values = values_of((6, 8))
    layout = Layout.of("group", 4, values, 0)
    candidate = held(values, Range.of(values, layout, "max", 100, True).grid(4))
    content = Content(candidate.model.weight.detach(), candidate.constraints["weight"])
    part = scale_parts.write_grid(candidate.constraints["weight"][0], content)
    fields = Fields({**part.record[1], **changes}, "a grid")
    with pytest.raises(StorageError, match=words):
        scale_parts.read_grid(fields, memoryview(part.data), Reading((6, 8), torch.float32, None, (), False))


@pytest.mark.parametrize("kind", KINDS)
def test_damaged_files_are_refused_or_read_never_worse(kind: str):
    dice, values = random.Random(0), values_of((6, 8))
    candidate = held(values, KINDS[kind](values, Layout.of("group", 4, values, 0)))
    data = pack(candidate, original=candidate.model, level="packed")
    for _ in range(40):
        try:
            unpack(resigned(mutated(data, dice)), candidate.model)
        except StorageError as error:
            assert "\n" not in str(error)
