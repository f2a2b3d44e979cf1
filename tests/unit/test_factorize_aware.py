"""With training data the error kept small is that of outputs, and never above the plain one on those data."""

from __future__ import annotations

import copy

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn

from workbench.algorithms.lowrank import multiplied, statistics
from workbench.algorithms.lowrank.prepared import affordable, prepare
from workbench.algorithms.lowrank.statistics import patches
from workbench.algorithms.lowrank.thin import thin
from workbench.workload import Workload

SAMPLES = 64


def workload(layer: nn.Module, shape: tuple[int, ...], seed: int) -> Workload:
    """One layer and correlated inputs with a mean: what activations are like."""
    generator = torch.Generator().manual_seed(seed)
    features = shape[0]
    mixing = torch.randn(features, features, generator=generator) * torch.logspace(0, -2, features)
    inputs = torch.randn(SAMPLES, *shape, generator=generator)
    inputs = torch.einsum("nc...,dc->nd...", inputs, mixing) + torch.randn(
        features, *(1,) * (len(shape) - 1), generator=generator
    )
    model = nn.Sequential(layer, nn.Flatten())
    outputs = model(inputs).detach()
    return Workload(model, train=(inputs, outputs), validation=(inputs[:8], outputs[:8]))


def error(work: Workload, kind: str, method: str, ratio: float) -> float:
    """The squared error of the outputs on the calibration data, with ranks at a ratio."""
    prepared = prepare(work.baseline, work, method=method, error=kind, samples=SAMPLES)
    (found,) = prepared.layers
    (made,) = found.splits.values()
    chain = thin(found.layer, made.factors(made.at(ratio)))
    inputs, _ = next(iter(work.train))
    whole = copy.deepcopy(work.baseline[0]).double()
    with torch.no_grad():
        return float((chain.double()(inputs.double()) - whole(inputs.double())).square().sum())


LAYERS = {
    "linear": (lambda bias: nn.Linear(12, 9, bias=bias), (12,), "svd"),
    "tall linear": (lambda bias: nn.Linear(5, 20, bias=bias), (5,), "svd"),
    **{
        method: (lambda bias: nn.Conv2d(8, 10, 3, padding=1, bias=bias), (8, 5, 6), method)
        for method in ("channel", "spatial", "tucker", "cp")
    },
    "grouped": (lambda bias: nn.Conv2d(8, 10, 3, groups=2, bias=bias), (8, 5, 6), "channel"),
}


@pytest.mark.parametrize("name", LAYERS)
@settings(max_examples=8, deadline=None)
@given(seed=st.integers(0, 1000), ratio=st.floats(0.1, 0.9), bias=st.booleans())
def test_error_of_outputs_is_never_above_plain_on_its_data(name, seed, ratio, bias):
    make, shape, method = LAYERS[name]
    torch.manual_seed(seed)
    work = workload(make(bias), shape, seed)
    assert error(work, "outputs", method, ratio) <= error(work, "weights", method, ratio) * (1 + 1e-3) + 1e-6


def test_linear_layers_reach_the_least_error_of_their_rank():
    """The best rank-r map of outputs leaves the smallest eigenvalues of their covariance."""
    torch.manual_seed(0)
    work = workload(nn.Linear(12, 9), (12,), 0)
    _, outputs = next(iter(work.train))
    centered = (outputs - outputs.mean(0)).double()
    values = torch.linalg.eigvalsh(centered.T @ centered)
    assert error(work, "outputs", "svd", 3 / 9) == pytest.approx(float(values[:6].sum()), rel=1e-3)


def test_directions_the_data_never_show_come_back_at_full_rank():
    torch.manual_seed(0)
    layer = nn.Linear(6, 8)
    inputs = torch.randn(SAMPLES, 6)
    inputs[:, 3:] = 0
    work = Workload(nn.Sequential(layer), train=(inputs, layer(inputs).detach()), input_shape=(6,))
    (found,) = prepare(work.baseline, work).layers
    made = found.splits["svd"]
    back = multiplied(thin(found.layer, made.factors(made.full)))
    torch.testing.assert_close(back.weight, layer.weight, rtol=1e-3, atol=1e-4)


def test_patches_are_what_a_convolution_multiplies():
    for layer in (
        nn.Conv2d(3, 4, (3, 2), stride=(2, 1), padding=(1, 0), dilation=(1, 2), bias=False),
        nn.Conv2d(3, 4, 3, padding="same", padding_mode="circular", bias=False),
        nn.Conv1d(3, 4, 3, padding=2, bias=False),
    ):
        inputs = torch.randn(2, 3, 9, 8) if isinstance(layer, nn.Conv2d) else torch.randn(2, 3, 9)
        expected = layer(inputs).movedim(1, -1).reshape(-1, 4)
        torch.testing.assert_close(patches(layer, inputs) @ layer.weight.flatten(1).T, expected)


def test_another_seed_sees_other_samples_and_the_same_seed_the_same():
    torch.manual_seed(0)
    work = workload(nn.Linear(12, 9), (12,), 0)

    def basis(seed: int) -> torch.Tensor:
        (found,) = prepare(work.baseline, work, samples=16, seed=seed).layers
        return found.splits["svd"].factors((3,)).weights[1]

    assert torch.equal(basis(1), basis(1)) and not torch.equal(basis(1), basis(2))


def test_large_models_learn_from_fewer_samples():
    assert affordable(512, 2_000_000) == 512  # a LeNet
    assert 64 < affordable(512, 1_800_000_000) < 512  # a ResNet-18 at 224 pixels
    assert affordable(512, 10**13) == 32


def test_a_layer_too_wide_to_watch_is_split_by_its_weight(monkeypatch):
    monkeypatch.setattr(statistics, "WIDEST_OUTPUT", 8)
    torch.manual_seed(0)
    work = workload(nn.Linear(12, 9), (12,), 0)
    assert error(work, "outputs", "svd", 0.5) == error(work, "weights", "svd", 0.5)
