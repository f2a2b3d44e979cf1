"""Every way to split a layer: exact at full rank, falling error, best where theory says so, and back."""

from __future__ import annotations

import copy
import itertools

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn

from workbench.algorithms.lowrank import layers, multiplied, multiplied_back
from workbench.algorithms.lowrank.matrix import LinearSplit
from workbench.algorithms.lowrank.prepared import prepare
from workbench.algorithms.lowrank.shape import Shape
from workbench.algorithms.lowrank.thin import replaced, thin

# float32 sums of about a thousand products of size one, in another order
TOLERANCE = {"rtol": 2e-4, "atol": 2e-4}

LAYERS = {
    "linear": (nn.Linear(12, 7), (5, 12)),
    "wide linear": (nn.Linear(7, 20, bias=False), (5, 4, 7)),
    "conv": (nn.Conv2d(8, 12, 3, padding=1), (2, 8, 9, 10)),
    "strided conv": (
        nn.Conv2d(8, 10, (3, 5), stride=(2, 3), padding=(1, 2), dilation=(2, 1)),
        (2, 8, 12, 13),
    ),
    "same conv": (nn.Conv2d(9, 8, 3, padding="same", bias=False), (2, 9, 6, 7)),
    "reflecting conv": (nn.Conv2d(8, 8, 3, padding=1, padding_mode="reflect"), (2, 8, 6, 6)),
    "flat kernel": (nn.Conv2d(8, 9, (1, 3), stride=(2, 1), padding=(0, 1)), (2, 8, 6, 6)),
    "1x1 conv": (nn.Conv2d(8, 10, 1, stride=2), (2, 8, 6, 6)),
    "grouped conv": (nn.Conv2d(8, 12, 3, padding=1, groups=2), (2, 8, 6, 6)),
    "conv1d": (nn.Conv1d(8, 9, 5, stride=2), (2, 8, 20)),
    "conv3d": (nn.Conv3d(8, 9, 3, padding=1), (1, 8, 4, 5, 6)),
}
METHODS = ("svd", "channel", "spatial", "tucker", "cp")
CASES = list(itertools.product(LAYERS, METHODS))


def split(layer: nn.Module, method: str):
    """A layer's split by one method, and the layer as it is found; None where the method leaves it alone."""
    torch.manual_seed(0)
    prepared = prepare(nn.Sequential(layer), None, method=method)
    if not prepared.layers:
        return None
    (found,) = prepared.layers
    (made,) = found.splits.values()
    return found.layer, made


def outputs(layer: nn.Module, shape: tuple[int, ...]) -> torch.Tensor:
    with torch.no_grad():
        return layer(torch.randn(shape, generator=torch.Generator().manual_seed(1)))


def error(found, made, ranks) -> float:
    """The relative squared error of the weight at some ranks."""
    whole = multiplied(thin(found, made.factors(ranks))).weight
    weight = found.module.weight
    return float(((whole - weight).square().sum() / weight.square().sum()).detach())


def some(full: tuple[int, ...]) -> list[tuple[int, ...]]:
    """A rising path of ranks up to the full ones."""
    return [tuple(max(1, round(share * each)) for each in full) for share in (0.1, 0.3, 0.5, 0.8, 1.0)]


@pytest.mark.parametrize(("name", "method"), CASES)
def test_full_rank_reproduces_outputs(name, method):
    layer, shape = LAYERS[name]
    if (made := split(layer, method)) is None:
        assert method == "svd"
        return
    chain = thin(made[0], made[1].factors(made[1].full))
    torch.testing.assert_close(outputs(chain, shape), outputs(layer, shape), **TOLERANCE)


@pytest.mark.parametrize(("name", "method"), CASES)
def test_error_is_what_the_table_says_and_falls_with_rank(name, method):
    if (made := split(LAYERS[name][0], method)) is None:
        return
    found, made = made
    ranks = some(made.full)
    told = made.lost(np.array(ranks))
    real = [error(found, made, each) for each in ranks]
    assert np.all(np.diff(told) <= 1e-6) and np.all(np.diff(real) <= 1e-5)
    if made.method == "cp":  # the table holds the start, which iteration only improves
        assert np.all(np.array(real) <= told + 1e-4)
    else:
        np.testing.assert_allclose(real, told, atol=1e-4)


@pytest.mark.parametrize(("name", "method"), CASES)
def test_multiplied_back_equals_factorized(name, method):
    layer, shape = LAYERS[name]
    if (made := split(layer, method)) is None:
        return
    chain = thin(made[0], made[1].factors(made[1].at(0.4)))
    back = multiplied(chain)
    assert type(back) is type(layer) and back.weight.shape == layer.weight.shape
    torch.testing.assert_close(outputs(back, shape), outputs(chain, shape), **TOLERANCE)


@pytest.mark.parametrize(("name", "method"), CASES)
def test_costs_are_those_of_the_layers_built(name, method):
    if (made := split(LAYERS[name][0], method)) is None:
        return
    found, made = made
    ranks = made.at(0.5)
    chain = thin(found, made.factors(ranks))
    weights = sum(each.numel() for key, each in chain.named_parameters() if key.endswith("weight"))
    assert made.cost(ranks)[0] == weights


@pytest.mark.parametrize(("name", "method"), CASES)
def test_factors_are_balanced(name, method):
    if (made := split(LAYERS[name][0], method)) is None:
        return
    norms = [float(each.norm()) for each in made[1].factors(made[1].at(0.6)).weights]
    assert max(norms) < 4 * min(norms)


@settings(max_examples=30, deadline=None)
@given(
    rows=st.integers(1, 12), columns=st.integers(1, 12), seed=st.integers(0, 10_000), share=st.floats(0.05, 1)
)
def test_svd_is_the_best_of_its_rank(rows, columns, seed, share):
    """Eckart and Young: the squared error is the sum of the squares of the singular values left out."""
    weight = torch.randn(rows, columns, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)
    made = LinearSplit(Shape(rows, columns), weight)
    (rank,) = ranks = made.at(share)
    first, last = made.factors(ranks).weights
    squares = torch.linalg.svdvals(weight).square()
    found = (weight - last @ first).square().sum()
    torch.testing.assert_close(found, squares[rank:].sum(), rtol=1e-6, atol=1e-9)


def test_embedding_becomes_a_thin_lookup_and_a_linear_layer():
    table = nn.Embedding(30, 8, padding_idx=0)
    found, made = split(table, "auto")
    chain = thin(found, made.factors(made.full))
    tokens = torch.tensor([[0, 3, 29]])
    assert [type(each) for each in chain] == [nn.Embedding, nn.Linear]
    torch.testing.assert_close(chain(tokens), table(tokens), **TOLERANCE)
    torch.testing.assert_close(multiplied(chain)(tokens), table(tokens), **TOLERANCE)


def test_tucker_refined_is_never_worse():
    torch.manual_seed(0)
    model = nn.Sequential(nn.Conv2d(16, 24, 3))
    errors = []
    for sweeps in (0, 1, 5):
        (found,) = prepare(model, None, method="tucker", sweeps=sweeps).layers
        errors.append(error(found.layer, found.splits["tucker"], (6, 4)))
    assert errors[1] < errors[0] and errors[2] <= errors[1] * (1 + 1e-6)


def test_auto_is_the_smallest_at_the_same_error():
    torch.manual_seed(0)
    from workbench.algorithms.lowrank.ranks import choose
    from workbench.algorithms.lowrank.rule import Rule

    model = nn.Sequential(nn.Conv2d(16, 24, 3, padding=1))
    costs, losses = {}, {}
    for method in ("auto", "channel", "spatial", "tucker"):
        prepared = prepare(model, None, method=method)
        lost = 0.3
        ((chosen,), _) = choose(prepared, Rule(ratio=1 - lost, by="energy", where="any"))
        costs[method], losses[method] = chosen.split.cost(chosen.ranks)[0], chosen.lost
    assert costs["auto"] == min(costs.values()) and max(losses.values()) <= 0.3 + 1e-9


def test_a_model_is_multiplied_back_whole():
    torch.manual_seed(0)
    model = nn.Sequential(nn.Conv2d(8, 8, 3), nn.ReLU(), nn.Flatten(), nn.Linear(32, 5)).eval()
    prepared = prepare(model, None, method="tucker")
    new = {
        each.name: thin(
            each.layer, next(iter(each.splits.values())).factors((3, 2)[: 2 - (each.name == "3")])
        )
        for each in prepared.layers
    }
    split_model = replaced(model, new)
    back = multiplied_back(split_model, model)
    inputs = torch.randn(2, 8, 4, 4)
    torch.testing.assert_close(back(inputs), split_model(inputs), **TOLERANCE)
    assert [type(each) for each in back] == [type(each) for each in model]


def test_a_half_precision_layer_stays_half_precision():
    layer = nn.Linear(16, 12).bfloat16()
    (found, made) = split(layer, "svd")
    chain = thin(found, made.factors(made.full))
    assert {each.dtype for each in chain.parameters()} == {torch.bfloat16}


def test_what_is_replaced_shares_the_rest():
    model = nn.Sequential(nn.Linear(8, 8), nn.Linear(8, 4))
    before = copy.deepcopy(model.state_dict())
    found, _ = layers.find(model)
    made = LinearSplit(found[0].shape, found[0].weight())
    new = replaced(model, {"0": thin(found[0], made.factors((2,)))})
    assert new[1].weight is model[1].weight and type(model[0]) is nn.Linear
    assert all(torch.equal(before[key], each) for key, each in model.state_dict().items())
