"""Factorize as a step: which layers it leaves alone, what becomes of constraints, what goes on after."""

from __future__ import annotations

import copy

import pytest
import small
import torch
from torch import nn

from workbench import examples
from workbench.algorithms.lowrank.thin import replaced
from workbench.candidate import Candidate
from workbench.constraints import Mask
from workbench.errors import WorkbenchError
from workbench.job import finish
from workbench.recipe import Recipe
from workbench.storage import pack, unpack
from workbench.structure import difference, rebuild
from workbench.technique import Context, prepared, short_flags
from workbench.techniques.factorize import Factorize
from workbench.techniques.fine_tune import FineTune
from workbench.techniques.prune_weights import PruneWeights
from workbench.techniques.quantize import Quantize
from workbench.workload import Workload


def run(work: Workload, *steps, candidate: Candidate | None = None) -> Candidate:
    """What some steps make of a workload's model."""
    candidate = candidate or work.candidate()
    for step in steps:
        context = Context(work)
        candidate = finish(step.apply(candidate, context, prepared(step, candidate, context)))
    return candidate


def bare(model: nn.Module, *shape: int) -> Workload:
    return Workload(model, input_shape=shape)


def test_the_given_model_is_not_touched_and_no_hooks_are_left():
    work = small.workload()
    candidate = work.candidate()
    before = small.states(candidate.model)
    made = run(work, Factorize(0.5, worth=0, where="any"), candidate=candidate)
    assert small.same(before, small.states(candidate.model))
    assert small.hooks(candidate.model) == small.hooks(made.model) == 0
    assert all(isinstance(made.model[index], nn.Sequential) for index in (0, 2))


def test_same_seed_same_weights():
    first, again = (run(small.workload(), Factorize(0.5, worth=0, where="any")) for _ in range(2))
    assert small.same(small.states(first.model), small.states(again.model))


def test_factorize_fine_tune_quantize_prune_in_a_row():
    work = small.workload(small.net(hidden=32))
    made = run(
        work,
        Factorize(0.5, worth=0),
        FineTune(1),
        Quantize(8),
        PruneWeights(0.5),
        FineTune(1, learning_rate=1e-4),
    )
    assert isinstance(made.model[0], nn.Sequential)
    assert {"0.0.weight", "0.1.weight"} <= set(made.constraints)
    thin = torch.cat([made.model.get_parameter(name).flatten() for name in made.constraints])
    assert 0.45 < float((thin == 0).float().mean()) < 0.75


def test_thin_layers_can_be_shared_and_go_through_a_file():
    work = small.workload(small.net(hidden=32))
    recipe = Recipe.parse("Factorize(ratio=0.5, worth=0) | ShareWeights(clusters=8)")
    made = run(work, *recipe)
    assert {"0.0.weight", "0.1.weight"} <= set(made.constraints)
    unpacked = unpack(pack(made, recipe=recipe, original=work.baseline), work.baseline)
    assert small.same(small.states(made.model), small.states(unpacked.candidate.model))


@pytest.mark.parametrize("ratio", [0.1, 0.3])
def test_a_target_of_bytes_is_met_by_the_file(ratio):
    work = examples.load("digits")
    recipe = Recipe.parse(f"Factorize(ratio={ratio}, by='bytes')")
    whole, split = (
        len(pack(each, recipe=recipe, original=work.baseline))
        for each in (work.candidate(), run(work, *recipe))
    )
    assert 0.9 * ratio * whole < split <= ratio * whole


def test_constraints_of_split_layers_end_and_it_says_so():
    work = small.workload(small.net(hidden=32))
    masked = run(work, PruneWeights(0.5))
    made = run(work, Factorize(0.25, keep=("2",), worth=0), candidate=masked)
    assert set(made.constraints) == {"2.weight"} and made.constraints.of("2.weight", Mask)
    assert any("0.weight ended" in note for note in made.notes)


def test_notes_list_what_was_split_and_what_was_not():
    made = run(small.workload(small.net(hidden=32)), Factorize(0.4, worth=0.35))
    split, whole = made.notes
    assert split.startswith("split: 0 (svd, rank 2 of 6)") and whole.startswith("left whole: 2: under 35%")


def test_without_training_data_the_notes_say_that_weights_were_approximated():
    made = run(bare(nn.Sequential(nn.Linear(30, 30)), 30), Factorize(0.2))
    assert any("no training data" in note for note in made.notes)


def test_a_weight_with_nan_is_refused_by_name():
    model = nn.Sequential(nn.Linear(8, 8), nn.Linear(8, 8))
    work = bare(model, 8)
    candidate = work.candidate()
    with torch.no_grad():
        candidate.model[1].weight[0, 0] = float("nan")
    with pytest.raises(WorkbenchError, match=r"1.weight holds NaN"):
        run(work, Factorize(0.25), candidate=candidate)


def test_tied_weights_stay_whole():
    class Tied(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.embed, self.body, self.head = (
                nn.Embedding(20, 16),
                nn.Linear(16, 16),
                nn.Linear(16, 20, bias=False),
            )
            self.head.weight = self.embed.weight

        def forward(self, tokens: torch.Tensor) -> torch.Tensor:
            return self.head(self.body(self.embed(tokens)).mean(1))

    work = Workload(Tied(), example=torch.zeros(1, 4, dtype=torch.int64))
    made = run(work, Factorize(0.25))
    assert made.model.head.weight is made.model.embed.weight and isinstance(made.model.body, nn.Sequential)
    assert any("embed, head: tied" in note for note in made.notes)


def test_a_module_used_twice_stays_whole():
    shared = nn.Linear(16, 16)
    made = run(bare(nn.Sequential(shared, nn.ReLU(), shared, nn.Linear(16, 16)), 16), Factorize(0.25))
    assert made.model[0] is made.model[2] and isinstance(made.model[3], nn.Sequential)


def test_a_weight_that_is_read_and_not_called_stays_whole():
    class Reading(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.read, self.called = nn.Linear(16, 16), nn.Linear(16, 16)

        def forward(self, inputs: torch.Tensor) -> torch.Tensor:
            return self.called(inputs @ self.read.weight.T)

    made = run(bare(Reading(), 16), Factorize(0.25))
    assert type(made.model.read) is nn.Linear and isinstance(made.model.called, nn.Sequential)
    assert any(note.startswith("left whole: read: read by its weight") for note in made.notes)


@pytest.mark.parametrize("activation", ["relu", "gelu"])
def test_a_transformer_encoder_works_split_in_eval_and_in_training(activation):
    layer = nn.TransformerEncoderLayer(16, 2, 64, dropout=0.0, activation=activation, batch_first=True)
    model = nn.Sequential(
        nn.Embedding(50, 16), nn.TransformerEncoder(layer, 2), nn.Flatten(), nn.Linear(80, 3)
    )
    tokens = torch.randint(0, 50, (4, 5), generator=torch.Generator().manual_seed(0))
    work = Workload(
        model, train=(tokens, torch.tensor([0, 1, 2, 0])), validation=(tokens, torch.tensor([0, 1, 2, 0]))
    )
    made = run(work, Factorize(1.0, where="any", worth=0))
    encoder = made.model[1].layers[0]
    assert isinstance(encoder.linear1, nn.Sequential) and isinstance(encoder.linear2, nn.Sequential)
    assert type(encoder.self_attn) is nn.MultiheadAttention
    with torch.no_grad():
        torch.testing.assert_close(made.model(tokens), work.baseline(tokens), rtol=1e-3, atol=1e-3)
    trained = run(work, FineTune(1), candidate=made)
    padding = tokens == 0
    with torch.no_grad():
        trained.model[1](trained.model[0](tokens), src_key_padding_mask=padding)
    assert any("self_attn.out_proj: attention that reads its projections" in note for note in made.notes)


def test_separate_attention_projections_are_split():
    class Attention(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.q, self.k, self.v = (nn.Linear(32, 32) for _ in range(3))

        def forward(self, inputs: torch.Tensor) -> torch.Tensor:
            return nn.functional.scaled_dot_product_attention(self.q(inputs), self.k(inputs), self.v(inputs))

    made = run(bare(Attention(), 5, 32), Factorize(0.25))
    assert all(isinstance(getattr(made.model, name), nn.Sequential) for name in "qkv")


def test_the_structure_can_be_written_down_and_rebuilt():
    layer = nn.TransformerEncoderLayer(16, 2, 64, batch_first=True)
    model = nn.Sequential(
        nn.Conv1d(4, 16, 3), nn.Flatten(1), nn.Unflatten(1, (4, 16)), layer, nn.Linear(16, 9)
    )
    work = bare(model, 4, 6)
    made = run(work, Factorize(0.25, worth=0, where="any"))
    again = rebuild(work.baseline, difference(work.baseline, made.model))
    again.load_state_dict(made.model.state_dict(), assign=True)
    inputs = torch.randn(2, 4, 6)
    with torch.no_grad():
        assert torch.equal(again(inputs), made.model(inputs))


def test_a_model_that_is_one_layer_stays_whole_and_is_told_how():
    made = run(bare(nn.Linear(16, 16), 16), Factorize(0.25))
    assert type(made.model) is nn.Linear and any("put it in nn.Sequential" in note for note in made.notes)


def test_depthwise_and_transposed_convolutions_stay_whole():
    model = nn.Sequential(nn.Conv2d(8, 8, 3, groups=8), nn.ConvTranspose2d(8, 8, 3), nn.Conv2d(8, 8, 3))
    made = run(bare(model, 8, 8, 8), Factorize(0.25, worth=0))
    assert [type(each) for each in made.model][:2] == [nn.Conv2d, nn.ConvTranspose2d]
    assert isinstance(made.model[2], nn.Sequential)


def test_frozen_layers_stay_frozen():
    model = nn.Sequential(nn.Linear(16, 16).requires_grad_(False), nn.Linear(16, 16))
    made = run(bare(model, 16), Factorize(0.25))
    assert not any(each.requires_grad for each in made.model[0].parameters())
    assert all(each.requires_grad for each in made.model[1].parameters())


def test_moving_the_slider_reuses_what_was_prepared():
    work = small.workload(small.net(hidden=32))
    candidate = work.candidate()
    first = prepared(Factorize(0.25), candidate, Context(work))
    assert prepared(Factorize(0.5, by="energy", worth=0), candidate, Context(work)) is first
    assert prepared(Factorize(0.5, method="tucker"), candidate, Context(work)) is not first


def test_replacing_keeps_copies_apart():
    model = nn.Sequential(nn.Linear(4, 4))
    twin = replaced(model, {"0": nn.Sequential(nn.Linear(4, 1), nn.Linear(1, 4))})
    assert type(copy.deepcopy(twin)[0]) is nn.Sequential and type(model[0]) is nn.Linear


def test_recipes_spell_it_as_they_are_read():
    for text in (
        "Factorize(ratio=0.25)",
        "Factorize(ratio=0.25, method='tucker')",
        "Factorize(ratio=0.9, by='energy', ranks={'fc1': 20}, keep=('conv1',))",
    ):
        recipe = Recipe.parse(text)
        assert str(recipe) == text and Recipe.from_json(recipe.to_json()) == recipe
    assert Recipe.parse("Factorize(method='tucker', ratio=0.25)") == Recipe.parse(
        "Factorize(0.25, method='tucker')"
    )
    assert short_flags()["--rank"] is Factorize
