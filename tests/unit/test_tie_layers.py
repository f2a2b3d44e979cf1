"""TieLayers: layers that are one tensor, in the model, in training and in the file."""

from __future__ import annotations

import pytest
import torch
from small import net, states, workload
from torch import nn

import workbench as wb
from workbench.candidate import Candidate
from workbench.constraints import Mask
from workbench.job import finish
from workbench.storage import pack, unpack
from workbench.technique import Context, prepared


def deep(seed: int = 0) -> nn.Sequential:
    """A net with three layers of one shape in the middle."""
    layers = [nn.ReLU()]
    with torch.random.fork_rng():
        torch.manual_seed(seed + 1)
        for _ in range(3):
            layers += [nn.Linear(8, 8), nn.ReLU()]
    return net(*layers, seed=seed)  # 0, [2, 4, 6], 8


def apply(step, candidate: Candidate) -> Candidate:
    context = Context(work=None)
    return finish(step.apply(candidate, context, prepared(step, candidate, context)))


def test_named_layers_use_the_mean_and_the_model_given_does_not_change():
    candidate = Candidate.of(deep())
    before = states(candidate.model)
    tied = apply(wb.TieLayers(layers=("2", "6")), candidate).model
    assert tied[2].weight is tied[6].weight
    assert tied[4].weight is not tied[2].weight
    assert torch.equal(tied[2].weight, (before["2.weight"] + before["6.weight"]) / 2)
    assert torch.equal(tied[6].bias, before["6.bias"])
    assert all(torch.equal(before[name], tensor) for name, tensor in states(candidate.model).items())
    assert candidate.model[2].weight is not candidate.model[6].weight


def test_or_those_of_the_first():
    candidate = Candidate.of(deep())
    tied = apply(wb.TieLayers(layers=("2", "4", "6"), value="first"), candidate).model
    assert tied[2].weight is tied[4].weight is tied[6].weight
    assert torch.equal(tied[6].weight, candidate.model[2].weight)


def test_layers_that_are_alike_are_found():
    model = deep()
    with torch.no_grad():
        model[6].weight.copy_(model[2].weight + 0.01)
    tied = apply(wb.TieLayers(0.95), Candidate.of(model))
    assert tied.model[2].weight is tied.model[6].weight
    assert tied.model[4].weight is not tied.model[2].weight
    assert tied.notes == ("tied: 2.weight, 6.weight",)


def test_where_none_are_alike_nothing_is_tied_and_the_closest_are_named():
    candidate = Candidate.of(deep())
    tied = apply(wb.TieLayers(0.99), candidate)
    assert tied.model is candidate.model
    assert tied.notes[0].startswith("nothing was tied: the two most alike are ")


def test_at_the_lowest_similarity_all_of_one_shape_are_tied():
    tied = apply(wb.TieLayers(-1.0), Candidate.of(deep())).model
    assert tied[2].weight is tied[4].weight is tied[6].weight
    assert tied[0].weight is not tied[8].weight


@pytest.mark.parametrize(
    ("layers", "message"),
    [
        (("2", "nte"), "no layer named 'nte'"),
        (("2",), "at least two layers, got 2"),
        (("0", "2"), r"0.weight \(8×6\) and 2.weight \(8×8\) cannot be one tensor"),
    ],
)
def test_names_that_do_not_work_get_one_line(layers, message):
    with pytest.raises(wb.WorkbenchError, match=message):
        apply(wb.TieLayers(layers=layers), Candidate.of(deep()))


def test_training_keeps_them_one():
    work = workload(deep())
    tied = apply(wb.TieLayers(layers=("2", "4")), work.candidate())
    trained = finish(wb.FineTune(1, learning_rate=0.01).apply(tied, Context(work), None)).model
    assert trained[2].weight is trained[4].weight
    assert not torch.equal(trained[2].weight, tied.model[2].weight)


def test_masks_are_fitted_again_and_codebooks_of_a_mean_end():
    pruned = apply(wb.PruneWeights(0.75, scope="layer"), Candidate.of(deep()))
    tied = apply(wb.TieLayers(layers=("2", "4")), pruned)
    assert int(torch.count_nonzero(tied.model[2].weight)) == 16
    assert torch.equal(tied.constraints.of("2.weight", Mask).keep, tied.model[2].weight != 0)
    assert "4.weight" not in tied.constraints
    shared = apply(wb.TieLayers(layers=("2", "4")), apply(wb.ShareWeights(4), pruned))
    assert shared.notes[-1] == "Codebook of 2.weight, 4.weight ended"


def test_sharing_and_pruning_go_on_from_tied_layers():
    tied = apply(wb.TieLayers(layers=("2", "4")), Candidate.of(deep()))
    after = apply(wb.ShareWeights(4), apply(wb.PruneWeights(0.5), tied))
    assert after.model[2].weight is after.model[4].weight
    assert len(after.model[2].weight.unique()) <= 5


@pytest.mark.parametrize("level", ["packed", "coded"])
def test_they_are_stored_once_and_tied_when_loaded(level):
    candidate = Candidate.of(deep())
    tied = apply(wb.TieLayers(layers=("2", "4", "6")), candidate)
    untied = len(pack(candidate, original=candidate.model, level=level))
    data = pack(tied, original=candidate.model, level=level)
    assert len(data) < untied - 2 * 8 * 8 * 4 + 200
    loaded = unpack(data, deep(seed=5)).candidate.model
    assert loaded[2].weight is loaded[4].weight is loaded[6].weight
    assert torch.equal(loaded[2].weight, tied.model[2].weight)
    inputs = torch.randn(4, 6)
    assert torch.equal(loaded(inputs), tied.model(inputs))
