"""A candidate is a plain model under constraints; making another from it changes nothing before it."""

from __future__ import annotations

import copy
from dataclasses import FrozenInstanceError

import pytest
import torch
from small import blobs, hooks, net, same, states, workload
from torch import Tensor, nn

from workbench.candidate import Candidate
from workbench.constraints import Grid, Mask
from workbench.layers import weights
from workbench.plain import own_copy

X, Y = blobs(12)


def masked(candidate: Candidate, name: str = "0.weight", every: int = 2) -> Candidate:
    """The candidate with every second weight of a layer removed."""
    shape = candidate.model.get_parameter(name).shape
    return candidate.constrained({name: Mask(torch.arange(shape.numel()).reshape(shape) % every != 0)})


def rounded(candidate: Candidate, name: str = "0.weight", bits: int = 4) -> Candidate:
    weight = candidate.model.get_parameter(name).detach()
    return candidate.constrained(
        {name: Grid(bits, weight.abs().amax((1,), keepdim=True) / (2 ** (bits - 1) - 1))}
    )


def test_a_candidate_is_a_copy_in_eval_mode():
    model = net(nn.BatchNorm1d(8)).train()
    candidate = Candidate.of(model)
    assert not any(each.training for each in candidate.model.modules())
    assert same(states(candidate.model), states(model))
    assert {each.data_ptr() for each in candidate.model.parameters()}.isdisjoint(
        each.data_ptr() for each in model.parameters()
    )


def test_the_model_satisfies_its_constraints_and_is_plain():
    candidate = rounded(masked(Candidate.of(net())))
    for name in candidate.constraints:
        weight = candidate.model.get_parameter(name).detach()
        assert torch.equal(candidate.constraints.constrain(name, weight), weight)
    assert type(candidate.model[0]) is nn.Linear
    assert hooks(candidate.model) == 0
    assert type(candidate.model[0].weight) is nn.Parameter
    copy.deepcopy(candidate.model)


def test_free_weights_are_those_from_before_the_first_constraint():
    model = net()
    candidate = rounded(masked(Candidate.of(model)))
    assert torch.equal(candidate.free("0.weight"), model[0].weight)
    assert torch.equal(candidate.free("2.weight"), model[2].weight)  # not constrained: its own
    assert not candidate.free("0.weight").requires_grad


def test_a_step_changes_neither_the_candidate_before_nor_the_original():
    model = net()
    first = Candidate.of(model)
    second = masked(first)
    third = rounded(second)
    kept = [states(each.model) for each in (first, second, third)]
    fourth = masked(rounded(third, "2.weight"), every=3)
    with torch.no_grad():
        for parameter in fourth.copy().model.parameters():
            parameter.zero_()
    for candidate, before in zip((first, second, third), kept, strict=True):
        assert same(states(candidate.model), before)
    assert same(states(model), kept[0])


def test_tensors_that_do_not_change_are_shared_and_others_are_not():
    first = Candidate.of(net(nn.BatchNorm1d(8)))
    second = masked(first)
    assert second.model[2].weight is first.model[2].weight
    assert second.model[1].running_mean is first.model[1].running_mean
    assert second.model[0].weight is not first.model[0].weight
    assert second.model[0] is not first.model[0]


def test_a_copy_shares_nothing():
    candidate = rounded(Candidate.of(net()))
    copied = candidate.copy()
    assert same(states(copied.model), states(candidate.model))
    assert copied.model[2].weight is not candidate.model[2].weight
    assert copied.latent["0.weight"] is not candidate.latent["0.weight"]
    assert torch.equal(copied.latent["0.weight"], candidate.latent["0.weight"])


def test_tied_weights_stay_tied():
    model = net(nn.ReLU(), nn.Linear(8, 8), nn.ReLU(), nn.Linear(8, 8))
    model[4].weight = model[2].weight
    candidate = masked(Candidate.of(model), "2.weight")
    assert candidate.model[4].weight is candidate.model[2].weight
    assert candidate.copy().model[4].weight is not candidate.model[4].weight
    assert [each.name for each in weights(candidate.model)] == ["0.weight", "2.weight", "5.weight"]
    by_its_other_name = masked(Candidate.of(model), "4.weight")
    assert by_its_other_name.model[2].weight is by_its_other_name.model[4].weight
    assert bool((by_its_other_name.model[2].weight == 0).any())


def test_what_was_frozen_stays_frozen():
    model = net()
    model[0].weight.requires_grad_(False)
    candidate = masked(Candidate.of(model))
    assert [each.requires_grad for each in candidate.model.parameters()] == [False, True, True, True]


class Keeper(nn.Module):
    """Keeps what it computed, as models for visualization do; torch refuses to copy such tensors."""

    def __init__(self) -> None:
        super().__init__()
        self.body, self.features = net(), torch.zeros(())

    def forward(self, x: Tensor) -> Tensor:
        self.features = self.body[0](x)
        return self.body[2](self.body[1](self.features))


def test_models_that_keep_what_they_computed_are_copied():
    model = Keeper()
    model(X).sum().backward()
    candidate = masked(Candidate.of(model), "body.0.weight")
    candidate.model(X)  # keeps a tensor with its history again
    masked(candidate, "body.2.weight").copy()


RECURRENT = {
    "GRU": lambda: nn.GRU(6, 4, num_layers=2, bidirectional=True),
    "LSTM": lambda: nn.LSTM(6, 4, proj_size=2),
    "attention": lambda: nn.MultiheadAttention(6, 2),
    "transformer": lambda: nn.TransformerEncoderLayer(6, 2, 8, batch_first=True),
    "transposed convolution": lambda: nn.ConvTranspose2d(2, 3, 2),
    "embedding": lambda: nn.Embedding(7, 3, padding_idx=0),
    "bilinear": lambda: nn.Bilinear(3, 4, 2),
}
INPUTS = {
    "GRU": (torch.randn(5, 2, 6),),
    "LSTM": (torch.randn(5, 2, 6),),
    "attention": (torch.randn(5, 2, 6),) * 3,
    "transformer": (torch.randn(2, 5, 6),),
    "transposed convolution": (torch.randn(1, 2, 4, 4),),
    "embedding": (torch.arange(7),),
    "bilinear": (torch.randn(2, 3), torch.randn(2, 4)),
}


@pytest.mark.parametrize("kind", RECURRENT)
def test_layers_of_every_kind_compute_with_their_constrained_weights(kind):
    torch.manual_seed(0)
    model = RECURRENT[kind]().eval()
    candidate = Candidate.of(model)
    assert list(weights(candidate.model))
    for each in weights(model):
        candidate = masked(candidate, each.name)
    by_hand = copy.deepcopy(model)
    with torch.no_grad():
        for each in weights(by_hand):
            each.parameter.view(-1)[::2] = 0
        ours, theirs = candidate.model(*INPUTS[kind]), by_hand(*INPUTS[kind])
    ours, theirs = (out[0] if isinstance(out, tuple) else out for out in (ours, theirs))
    assert torch.equal(ours, theirs)
    assert not torch.equal(ours, model(*INPUTS[kind])[0] if kind in ("GRU", "LSTM", "attention") else
                           model(*INPUTS[kind]))  # fmt: skip


def test_weights_worth_compressing_leave_biases_and_normalizations_alone():
    model = nn.Sequential(nn.Conv2d(1, 2, 3), nn.BatchNorm2d(2), nn.LayerNorm(4), nn.PReLU(), nn.Linear(4, 3))
    assert [each.name for each in weights(model)] == ["0.weight", "4.weight"]
    attention = [each.name for each in weights(nn.TransformerEncoderLayer(6, 2, 8))]
    assert attention == [
        "self_attn.in_proj_weight", "self_attn.out_proj.weight", "linear1.weight", "linear2.weight",
    ]  # fmt: skip
    assert [each.layer for each in weights(model)] == ["0", "4"]
    assert [each.channel_axis for each in weights(nn.ConvTranspose1d(2, 3, 2))] == [1]
    assert [each.name for each in weights(nn.Linear(2, 2))] == ["weight"]


@pytest.mark.parametrize("dtype", [torch.float64, torch.bfloat16])
def test_precision_is_kept(dtype):
    model = net().to(dtype)
    candidate = rounded(masked(Candidate.of(model)))
    assert {each.dtype for each in candidate.model.parameters()} == {dtype}
    assert candidate.model(X.to(dtype)).dtype == dtype


def test_a_candidate_is_frozen():
    candidate = Candidate.of(net())
    with pytest.raises(FrozenInstanceError):
        candidate.model = net()


def test_a_note_is_added_to_those_before():
    candidate = Candidate.of(net())
    assert candidate.noting("one", "two").noting("three").notes == ("one", "two", "three")
    assert candidate.notes == ()


def test_another_structure_keeps_the_constraints_that_still_fit():
    candidate = rounded(masked(Candidate.of(net())), "2.weight")
    smaller = net(hidden=4)
    smaller[2] = nn.Linear(8, 3)  # as before in shape, the first layer is not
    other = candidate.restructured(smaller.train())
    assert set(other.constraints) == {"2.weight"}
    assert set(other.latent) == {"2.weight"}
    assert not other.model.training
    assert other.notes == ("the constraints of 0.weight ended with their shape",)


def test_the_workloads_candidate_is_its_baseline_on_own_tensors():
    work = workload()
    candidate = work.candidate()
    assert same(states(candidate.model), states(work.baseline))
    assert torch.equal(candidate.call(work, X), work.baseline(X))
    assert candidate.model[0].weight is not work.baseline[0].weight


def test_a_copy_has_nothing_in_common_with_its_model_but_what_it_was_given():
    class Own(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.first, self.gone = nn.Linear(3, 3), None
            self.again = self.first
            self.register_module("none", None)
            self.listed = [self.first, {"scale": torch.ones(2)}]  # plain attributes, which torch does not see
            self.first.register_forward_hook(lambda *_: None)

        def __len__(self) -> int:  # such a module counts as false
            return 0

    model = nn.Sequential(Own(), nn.BatchNorm1d(3), nn.GRU(3, 3), nn.MultiheadAttention(4, 2))
    copied = own_copy(model)
    own, like = copied[0], model[0]
    assert own is not like and own.first is own.again is own.listed[0] and own.first is not like.first
    assert own.listed[1]["scale"] is not like.listed[1]["scale"]
    assert own._modules["none"] is None and len(own.first._forward_hooks) == 1
    own.first._forward_hooks.clear()
    assert len(like.first._forward_hooks) == 1
    assert [name for name, _ in copied.named_modules()] == [name for name, _ in model.named_modules()]
    assert copied.state_dict().keys() == model.state_dict().keys()
    theirs = {each.data_ptr() for each in model.state_dict().values()}
    assert not any(each.data_ptr() in theirs for each in copied.state_dict().values())
    assert copied[2]._flat_weights[0] is copied[2].weight_ih_l0
