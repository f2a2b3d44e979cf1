"""Rounded activations: what grids with a zero point do to values and gradients, and that files keep them."""

from __future__ import annotations

import json

import pytest
import small
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

import workbench as wb
from workbench.activations import Affine, Dynamic, affine
from workbench.candidate import Candidate
from workbench.errors import StorageError
from workbench.fields import Fields
from workbench.job import finish
from workbench.storage import activations as stored
from workbench.storage import pack, unpack
from workbench.technique import Context, prepared
from workbench.techniques.fine_tune import FineTune
from workbench.techniques.quantize import Quantize
from workbench.workload import Workload

ENDS = st.floats(-1000, 1000, width=32)
BITS = st.integers(1, 16)


def grid(low: float, high: float, bits: int, is_signed: bool = False) -> Affine:
    scale, zero_point = affine(low, high, bits)
    return Affine(bits, scale, zero_point - (2 ** (bits - 1) if is_signed else 0), is_signed)


def quantized(work: Workload, **options: object) -> Candidate:
    step, start, context = Quantize(**{"activations": 8, **options}), work.candidate(), Context(work)
    return finish(step.apply(start, context, prepared(step, start, context)))


@settings(max_examples=60, deadline=None)
@given(ENDS, ENDS, BITS)
def test_inside_the_range_the_error_is_half_a_step(low: float, high: float, bits: int) -> None:
    rounding = grid(low, high, bits)
    bottom, top = rounding.range
    values = torch.linspace(bottom, top, 97)
    step = float(rounding.scale)
    assert float((rounding(values) - values).abs().max()) <= step * (0.5 + 2**-7)  # float32 at 16 bits


@settings(max_examples=60, deadline=None)
@given(ENDS, ENDS, BITS)
def test_zero_stays_zero_and_rounding_again_changes_nothing(low: float, high: float, bits: int) -> None:
    rounding = grid(low, high, bits)
    assert float(rounding.scale) > 0
    assert rounding.lowest <= rounding.zero_point <= rounding.highest
    assert float(rounding(torch.zeros(1))) == 0
    once = rounding(torch.linspace(-1200, 1200, 101))
    assert torch.equal(rounding(once), once)
    codes = rounding.codes(torch.linspace(-1200, 1200, 101))
    assert int(codes.min()) >= rounding.lowest and int(codes.max()) <= rounding.highest


def test_signed_and_unsigned_codes_are_the_same_numbers() -> None:
    values = torch.linspace(-2, 4, 50)
    assert torch.equal(grid(-1, 3, 8)(values), grid(-1, 3, 8, is_signed=True)(values))


def test_a_range_without_width_keeps_zero() -> None:
    assert torch.equal(grid(0, 0, 8)(torch.zeros(3)), torch.zeros(3))


def test_dynamic_is_the_grid_of_the_values_themselves() -> None:
    values = torch.tensor([-1.0, 0.2, 3.0])
    assert torch.equal(Dynamic(4)(values), grid(-1, 3, 4)(values))
    assert Dynamic(8)(torch.zeros(0)).numel() == 0


def test_gradients_pass_inside_the_range_only() -> None:
    values = torch.tensor([-5.0, 0.3, 1.0, 9.0], requires_grad=True)
    grid(-1, 3, 8)(values).sum().backward()
    assert values.grad.tolist() == [0, 1, 1, 0]


def test_a_learned_scale_gets_the_published_gradient() -> None:
    gain = torch.ones((), requires_grad=True)
    rounding = Affine(2, torch.tensor(1.0), 0, gain=gain)  # values 0, 1, 2, 3
    rounding(torch.tensor([0.2, 1.4, 7.0, -1.0])).sum().backward()
    by_hand = (0 - 0.2) + (1 - 1.4) + 3 + 0  # inside: rounded less exact; beyond: the last code
    assert float(gain.grad) == pytest.approx(by_hand / (4 * 3) ** 0.5)


def test_half_precision_values_stay_half() -> None:
    assert grid(-1, 1, 8)(torch.randn(4).half()).dtype == torch.float16


@pytest.mark.parametrize("options", [{}, {"scheme": "dynamic"}, {"learned": True, "activations": 4}])
def test_a_file_gives_back_the_same_outputs(options: dict) -> None:
    work = small.workload()
    candidate = quantized(work, **options)
    again = unpack(pack(candidate, original=work.baseline), small.net()).candidate
    inputs = work.test.first()[0]
    assert torch.equal(candidate.call(work, inputs), again.call(work, inputs))
    assert not torch.equal(candidate.call(work, inputs), work.call(candidate.model, inputs))
    assert set(again.activations) == set(candidate.activations)
    assert small.hooks(again.model) == 0


def test_a_version_computes_rounded_and_its_model_is_plain(monkeypatch) -> None:
    small.measure_quickly(monkeypatch)
    work = small.workload()
    version = wb.compress(work, "Quantize(weights=8, activations=2)")
    inputs = work.test.first()[0]
    assert small.hooks(version.model) == 0
    assert not torch.equal(version(inputs), version.model(inputs))
    assert torch.equal(version(inputs), version.candidate.call(work, inputs))


def test_training_goes_through_both_roundings(monkeypatch) -> None:
    work = small.workload(small.net(hidden=16))
    start = quantized(work, weights=3, activations=2, learned=True)
    step = FineTune(epochs=2, learning_rate=0.01)
    context = Context(work)
    trained = finish(step.apply(start, context, prepared(step, start, context)))
    assert set(trained.activations) == set(start.activations)
    moved = [float(a.step) != float(start.activations[n].step) for n, a in trained.activations.items()]
    assert any(moved)

    def loss(candidate: Candidate) -> float:
        inputs, targets = work.validation.first()
        return float(torch.nn.functional.cross_entropy(candidate.call(work, inputs), targets))

    assert loss(trained) < loss(start)


@pytest.mark.parametrize(
    "record",
    [
        {"at": ["nowhere/input"], "bits": 8, "scale": 1.0, "zero": 0},
        {"at": ["0/inside"], "bits": 8, "scale": 1.0, "zero": 0},
        {"at": ["0/input"], "bits": 99, "scale": 1.0, "zero": 0},
        {"at": ["0/input"], "bits": 8, "scale": -1.0, "zero": 0},
        {"at": ["0/input"], "bits": 8, "scale": 1e300, "zero": 0},
        {"at": ["0/input"], "bits": 8, "scale": 1.0, "zero": 256},
        {"at": ["0/input", "0/input"], "bits": 8, "scale": 1.0, "zero": 0},
        "text",
    ],
)
def test_a_strangers_records_are_refused(record: object) -> None:
    with pytest.raises(StorageError):
        stored.from_records(Fields({"activations": [record]}, "the header"), small.net())


def test_one_record_for_places_that_share_a_grid() -> None:
    rounding = grid(-1, 1, 8)
    records = stored.to_records({"0/input": rounding, "2/input": rounding})
    assert len(records) == 1 and json.loads(json.dumps(records)) == records
