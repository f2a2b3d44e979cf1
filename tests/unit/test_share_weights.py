"""ShareWeights: few values, one list where the scope says so, zeros left alone, values that learn."""

from __future__ import annotations

import pytest
import torch
from small import net, states, workload
from torch import nn

import workbench as wb
from workbench.candidate import Candidate
from workbench.constraints import Codebook, Mask
from workbench.job import finish
from workbench.technique import Context, prepared

WEIGHTS = ("0.weight", "2.weight")


def apply(step, candidate: Candidate, seed: int = 0) -> Candidate:
    context = Context(work=None, seed=seed)
    return finish(step.apply(candidate, context, prepared(step, candidate, context)))


def books(candidate: Candidate) -> list[Codebook]:
    return [candidate.constraints.of(name, Codebook) for name in WEIGHTS]


@pytest.mark.parametrize("start", ["density", "linear", "random", "exact"])
def test_no_layer_has_more_values_than_asked_for(start):
    shared = apply(wb.ShareWeights(4, start=start), Candidate.of(net()))
    for name in WEIGHTS:
        assert len(shared.model.get_parameter(name).unique()) <= 4


def test_the_model_given_is_not_changed():
    candidate = Candidate.of(net())
    before = states(candidate.model)
    apply(wb.ShareWeights(4), candidate)
    assert all(torch.equal(before[name], tensor) for name, tensor in states(candidate.model).items())


def test_every_weight_takes_a_value_of_its_codebook():
    shared = apply(wb.ShareWeights(4), Candidate.of(net()))
    for name, book in zip(WEIGHTS, books(shared), strict=True):
        weight = shared.model.get_parameter(name)
        assert torch.equal(weight, book.shared[book.codes.long()])
        assert torch.equal(weight, weight.half().float())
        assert torch.equal(shared.constraints.constrain(name, weight), weight)


def test_scopes():
    model = nn.Sequential(nn.Conv1d(6, 6, 1), nn.Flatten(), nn.Linear(6, 8), nn.Linear(8, 3))
    names = ("0.weight", "2.weight", "3.weight")

    def lists(scope: str) -> list[int]:
        shared = apply(wb.ShareWeights(4, scope=scope), Candidate.of(model))
        values = [id(shared.constraints.of(name, Codebook).values) for name in names]
        return [values.index(each) for each in values]

    assert lists("layer") == [0, 1, 2]
    assert lists("group") == [0, 1, 1]
    assert lists("model") == [0, 0, 0]


@pytest.mark.parametrize("scope", ["layer", "model"])
def test_zeros_of_a_pruned_model_stay_zeros_and_take_no_value(scope):
    pruned = apply(wb.PruneWeights(0.5), Candidate.of(net()))
    shared = apply(wb.ShareWeights(2, scope=scope), pruned)
    for name, book in zip(WEIGHTS, books(shared), strict=True):
        keep = pruned.constraints.of(name, Mask).keep
        weight = shared.model.get_parameter(name)
        assert torch.equal(weight != 0, keep)
        assert len(book.values) <= 2
        assert 0.0 not in book.shared


def test_zeros_that_somebody_else_pruned_stay_zeros_too():
    model = net()
    with torch.no_grad():
        model[0].weight[model[0].weight.abs() < 0.2] = 0
    zeros = model[0].weight == 0
    shared = apply(wb.ShareWeights(2), Candidate.of(model))
    assert torch.equal(shared.model[0].weight == 0, zeros)
    assert torch.equal(shared.constraints.of("0.weight", Mask).keep, ~zeros)


def test_a_layer_without_a_weight_left():
    pruned = apply(wb.PruneWeights(1.0), Candidate.of(net()))
    shared = apply(wb.ShareWeights(4), pruned)
    assert all(not shared.model.get_parameter(name).any() for name in WEIGHTS)


def test_only_the_layers_that_are_named():
    shared = apply(wb.ShareWeights(2, layers=("0",)), Candidate.of(net()))
    assert list(shared.constraints) == ["0.weight"]
    both = apply(wb.ShareWeights(4, layers=("2",)), shared)
    assert [len(book.values) for book in books(both)] == [2, 4]


def test_a_layer_that_is_not_there_gets_one_line():
    with pytest.raises(wb.WorkbenchError, match=r"no layer named '3' with weights.*there are: 0, 2"):
        apply(wb.ShareWeights(layers=("3",)), Candidate.of(net()))


def test_biases_share_a_list_of_their_own():
    shared = apply(wb.ShareWeights(3, biases=True), Candidate.of(net()))
    lists = [shared.constraints.of(name, Codebook).values for name in ("0.bias", "2.bias")]
    assert lists[0] is lists[1]
    assert len(torch.cat([shared.model[0].bias, shared.model[2].bias]).unique()) <= 3


def test_training_wins_accuracy_back_and_keeps_the_sharing():
    work = workload(net())
    start = finish(wb.FineTune(3, learning_rate=0.02).apply(Candidate.of(work.model), Context(work), None))
    shared = apply(wb.ShareWeights(2, scope="model"), apply(wb.PruneWeights(0.5), start))
    trained = finish(wb.FineTune(3, learning_rate=0.02).apply(shared, Context(work), None))
    one, other = books(trained)
    assert one.values is other.values
    assert not torch.equal(one.values, books(shared)[0].values)
    for name in WEIGHTS:
        assert torch.equal(trained.model.get_parameter(name) != 0, shared.model.get_parameter(name) != 0)
        assert len(trained.model.get_parameter(name).unique()) <= 3


def test_grids_end_where_values_are_shared_and_it_is_said():
    shared = apply(wb.ShareWeights(4), apply(wb.Quantize(8), Candidate.of(net())))
    assert all(len(shared.constraints[name]) == 1 for name in WEIGHTS)
    assert shared.notes == ("Grid ended: Codebook took its place",)


def test_same_seed_same_values():
    candidate = Candidate.of(net())
    again = [apply(wb.ShareWeights(3, start="random"), candidate, seed) for seed in (5, 5)]
    assert torch.equal(again[0].model[0].weight, again[1].model[0].weight)


def test_half_precision_models_share_too():
    shared = apply(wb.ShareWeights(4), Candidate.of(net().half()))
    assert shared.model[0].weight.dtype == torch.float16
    assert len(shared.model[0].weight.unique()) <= 4
