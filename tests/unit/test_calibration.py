"""Where activations are rounded, and what ranges training data give their grids."""

from __future__ import annotations

import pytest
import small
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from test_int8_onnx import Mobile, Residual
from torch import Tensor, nn

from workbench.activations import affine
from workbench.algorithms.quantization.calibrating import calibrating, calibration_spread, seen_flow
from workbench.algorithms.quantization.observers import CALIBRATIONS, Histogram, observer
from workbench.algorithms.quantization.places import places
from workbench.algorithms.quantization.rounding import rounding
from workbench.errors import WorkbenchError, WorkloadError
from workbench.job import finish
from workbench.layers import weights
from workbench.technique import Context
from workbench.workload import Workload

LAYERS = {"0": 8, "2": 8}


def of(model: nn.Module) -> dict[str, int]:
    """The places of a model whose every layer is quantized, each with its group."""
    work = Workload(model.eval(), input_shape=(3, 8, 8))
    layers = [each.layer for each in weights(model)]
    return {each.name: each.group for each in places(model, layers, seen_flow(model, work, layers))}


def test_a_residual_block_is_rounded_where_kernels_fuse() -> None:
    found = of(Residual())
    assert set(found) == {
        *("conv1/input", "bn1/output", "conv2/input", "conv3/input", "bn3/output", "fc/input"),
    }
    # the pooling of maxima passes values on: one grid before and behind it
    assert found["bn1/output"] == found["conv2/input"]
    assert len(set(found.values())) == 5


def test_narrow_ends_are_rounded_as_they_are() -> None:
    found = of(Mobile())
    assert {"stem.2/output", "thin.1/output"} <= set(found)  # both go into a sum
    assert "wide.1/output" not in found  # the next convolution's input is enough
    assert found["stem.2/output"] == found["wide.0/input"]


def test_a_cut_off_after_the_batch_norm_ends_the_grid_at_zero() -> None:
    work = small.workload(nn.Sequential(nn.Unflatten(1, (1, 6)), Cut(), nn.Flatten(), nn.Linear(24, 3)))
    layers = {each.layer: 8 for each in weights(work.baseline)}
    found = finish(calibrating(work.candidate(), work, tuple(layers))).roundings(layers)
    assert found["1.conv/output"].range[0] == 0


class Cut(nn.Module):
    """A convolution whose output is cut off at zero and summed with itself."""

    def __init__(self) -> None:
        super().__init__()
        self.conv = nn.Conv1d(1, 4, 3, padding=1)

    def forward(self, x: Tensor) -> Tensor:
        y = torch.relu(self.conv(x))
        return y + y.flip(-1)


@pytest.mark.parametrize("calibration", CALIBRATIONS)
@settings(max_examples=6, deadline=None)
@given(st.lists(st.floats(-100, 100, width=32), min_size=4, max_size=40), st.integers(1, 10))
def test_ranges_hold_zero_and_nothing_that_was_not_seen(
    calibration: str, values: list[float], bits: int
) -> None:
    seeing = observer(calibration)
    for part in torch.tensor(values).reshape(2, -1) if len(values) % 2 == 0 else [torch.tensor(values)]:
        seeing.add(part)
    low, high = seeing.range(bits)
    assert low <= 0 <= high
    assert low >= min(*values, 0) - 1e-4 and high <= max(*values, 0) + 1e-4


@pytest.mark.parametrize("calibration", ["percentile", "mse", "entropy"])
def test_one_stray_value_does_not_set_the_range(calibration: str) -> None:
    seeing = observer(calibration)
    values = torch.randn(200_000, generator=torch.Generator().manual_seed(0))
    values[7] = 400.0
    seeing.add(values)
    # the squared error of one stray value among so many still weighs something
    assert seeing.range(8)[1] < (400 if calibration == "mse" else 50)


def test_mse_loses_least() -> None:
    values = torch.randn(20_000, generator=torch.Generator().manual_seed(0)) ** 3

    def error(calibration: str) -> float:
        seeing = observer(calibration)
        seeing.add(values)
        scale, zero = affine(*seeing.range(4), 4)
        codes = torch.round(values / scale).clamp(-zero, 15 - zero)
        return float((codes * scale - values).square().mean())

    assert error("mse") <= 1.02 * min(error(each) for each in CALIBRATIONS)
    assert error("mse") < 0.8 * error("minmax")


def test_moving_average_lets_the_newest_count_a_tenth() -> None:
    seeing = observer("moving_average")
    seeing.add(torch.tensor([0.0, 1.0]))
    seeing.add(torch.tensor([0.0, 2.0]))
    assert seeing.range(8) == pytest.approx((0.0, 1.1))


def test_a_histogram_keeps_every_value_as_its_range_grows() -> None:
    seeing = Histogram()
    for step in (0.01, 0.0625, 2.0):
        seeing.add(step * torch.arange(-50, 51))
    assert float(seeing.counts.sum()) + seeing.zeros == 303
    assert seeing.zeros == 3
    assert seeing.reach >= 100


def test_static_rounding_says_which_data_it_needs() -> None:
    work = Workload(small.net(), input_shape=(small.FEATURES,), name="mine")
    with pytest.raises(WorkloadError, match=r'Workload\(net, train=loader\), or take scheme="dynamic"'):
        finish(calibrating(work.candidate(), work, ("0", "2")))


def test_data_with_nan_are_named() -> None:
    inputs, targets = small.blobs(96)
    inputs[50, 2] = torch.nan
    work = small.workload(train=(inputs, targets))
    with pytest.raises(WorkloadError, match=r"training batch 1 holds NaN"):
        finish(calibrating(work.candidate(), work, ("0", "2")))


def test_a_layer_that_gives_nan_is_named() -> None:
    class Root(nn.Module):
        def forward(self, x: Tensor) -> Tensor:
            return x.sqrt() if len(x) > 1 else x  # fine on the one example

    work = small.workload(small.net(Root()), validation=None, test=None)
    with pytest.raises(WorkbenchError, match=r"2 gives NaN or infinity on training batch 1"):
        finish(calibrating(work.candidate(), work, ("0", "2")))


def test_a_layer_that_sees_only_zeros_is_left_exact() -> None:
    class Nothing(nn.Module):
        def forward(self, x: Tensor) -> Tensor:
            return 0 * x

    work = small.workload(small.net(Nothing()))
    rounded = finish(rounding(work.candidate(), Context(work), LAYERS))
    inputs = work.test.first()[0]
    assert torch.equal(rounded.call(work, inputs), work.call(work.baseline, inputs))


def test_no_more_samples_are_read_than_asked_for() -> None:
    work = small.workload()
    assert finish(calibrating(work.candidate(), work, ("0", "2"), samples=40)).samples == 40


def test_what_was_seen_is_kept_while_the_candidate_lives() -> None:
    work = small.workload()
    candidate = work.candidate()
    first = finish(calibrating(candidate, work, ("0", "2")))
    assert finish(calibrating(candidate, work, ("0", "2"))) is first
    assert finish(calibrating(work.candidate(), work, ("0", "2"))) is not first


def test_a_preview_reads_few_and_says_so() -> None:
    work = small.workload(**small.data(train=300))
    rounded = finish(rounding(work.candidate(), Context(work, is_preview=True), LAYERS))
    assert rounded.notes == ("preview: ranges of activations from 64 samples",)


def test_calibration_over_seeds_gives_a_spread() -> None:
    work = small.workload()
    found = finish(calibration_spread(work.candidate(), work, LAYERS, samples=16, seeds=(0, 1, 2)))
    assert {each.place for each in found} == {"0/input", "2/input"}
    assert all(each.seeds == 3 and each.low_spread >= 0 for each in found)
    assert any(each.high_spread > 0 for each in found)
    whole = finish(calibration_spread(work.candidate(), work, LAYERS, samples=96, seeds=(0, 1)))
    assert all(each.high_spread == 0 for each in whole)  # all samples in another order are the same range
