"""PruneChannels by eye: what goes by each criterion, how many, what is locked and why, what is refused."""

from __future__ import annotations

import pytest
import small
import structures
import torch
from torch import nn

from workbench.algorithms.channels import locks
from workbench.candidate import Candidate
from workbench.errors import OptionError, RecipeError
from workbench.job import finish
from workbench.technique import Context, prepared, short_flags
from workbench.techniques.prune_channels import PruneChannels
from workbench.workload import Workload


def run(work: Workload, *steps, candidate: Candidate | None = None, seed: int = 0, only=None) -> Candidate:
    """What some steps make of a workload's model."""
    candidate = candidate or work.candidate()
    for step in steps:
        context = Context(work, seed=seed, only=only)
        candidate = finish(step.apply(candidate, context, prepared(step, candidate, context)))
    return candidate


def bare(name: str) -> Workload:
    return Workload(structures.net(name), input_shape=(3, structures.SIDE, structures.SIDE))


def two_layers(weights: list[list[float]], readers: list[float]) -> nn.Sequential:
    """Neurons with the weights given, and one output that reads them."""
    model = nn.Sequential(
        nn.Linear(len(weights[0]), len(weights), bias=False), nn.Linear(len(weights), 1, bias=False)
    )
    with torch.no_grad():
        model[0].weight.copy_(torch.tensor(weights))
        model[1].weight.copy_(torch.tensor([readers]))
    return model.eval()


FOUR = [[1.0, 0.0], [0.1, 0.2], [-3.0, 1.0], [0.5, 0.5]]


@pytest.mark.parametrize(
    ("criterion", "left"),
    [
        ("l1", [2, 3]),
        ("l2", [0, 2]),
    ],  # of sums 1, 0.3, 4, 1 the first of two equal; of squares 1, .05, 10, .5
)
def test_small_weights_go_first(criterion, left):
    work = Workload(two_layers(FOUR, [1, 2, 3, 4]), input_shape=2)
    made = run(work, PruneChannels(0.5, criterion=criterion))
    assert made.model[0].weight.tolist() == torch.tensor([FOUR[each] for each in left]).tolist()
    assert made.model[1].weight.tolist() == [[1.0 + each for each in left]]
    assert (made.model[0].out_features, made.model[1].in_features) == (2, 2)


def test_taylor_keeps_what_the_loss_needs():
    # outputs are 1·3 + 2·0.1 + 3·0: the first neuron has the smallest weight and matters most
    inputs, targets = torch.ones(8, 1), torch.zeros(8, 1)
    work = Workload(two_layers([[1.0], [2.0], [3.0]], [3.0, 0.1, 0.0]), *[(inputs, targets)] * 3)
    by_loss, by_size = (run(work, PruneChannels(0.67, criterion=each)) for each in ("taylor", "l1"))
    assert by_loss.model[0].weight.tolist() == [[1.0]]
    assert by_size.model[0].weight.tolist() == [[3.0]]


def test_batch_norm_scales_choose_and_layers_without_are_left_whole():
    model = structures.net("row")
    with torch.no_grad():
        model[1].weight.copy_(torch.tensor([8.0, -7, 6, 5, 4, -0.3, 0.2, 0.1]))
    work = Workload(model, input_shape=(3, 8, 8))
    made = run(work, PruneChannels(3 / 8, criterion="batch_norm"))
    assert made.model[1].weight.tolist() == [8, -7, 6, 5, 4]
    assert torch.equal(made.model[0].weight, model[0].weight[:5])
    assert made.model[3].weight.shape == (10, 5, 3, 3)
    assert any("without batch normalization to judge by: 3, 7" in note for note in made.notes)


def test_random_is_another_choice_with_another_seed_and_the_same_with_the_same():
    work, step = bare("perceptron"), PruneChannels(0.5, criterion="random")
    first, again, other = (run(work, step, seed=seed).model for seed in (1, 1, 2))
    assert small.same(small.states(first), small.states(again))
    assert not torch.equal(first[1].weight, other[1].weight)


def test_coupled_layers_are_judged_together():
    # stem and both blocks write into one stream: its worth is the mean of the three
    model = structures.net("residual")
    with torch.no_grad():
        for layer, factor in ((model.stem, 1), (model.first.b, 1), (model.second.b, 10)):
            layer.weight.zero_()
            layer.weight[:] = factor * torch.ones(8).reshape(8, 1, 1, 1)
        model.second.b.weight[:4] = 5.0
        model.stem.weight[:4] = 2.0  # 2 + 1 + 5 < 1 + 1 + 10
    made = run(Workload(model, input_shape=(3, 8, 8)), PruneChannels(0.5)).model
    assert torch.equal(made.stem.weight, model.stem.weight[4:])
    assert made.first.b.out_channels == made.second.b.out_channels == made.head.in_features == 4


def test_global_takes_the_least_of_all_and_leaves_every_layer_some():
    model = structures.net("perceptron")
    with torch.no_grad():
        model[1].weight[:15] *= 0.01
    work = Workload(model, input_shape=(3, 8, 8))
    made = run(work, PruneChannels(0.5, scope="global", least=0.1)).model
    assert made[1].out_features + made[3].out_features == 16  # half of 20 + 12
    assert made[1].out_features < 10 and made[3].out_features > 6
    greedy = run(work, PruneChannels(1, scope="global", least=0.25)).model
    assert (greedy[1].out_features, greedy[3].out_features) == (5, 3)


@pytest.mark.parametrize(("ratio", "left"), [(0.5, 8), (0.3, 12), (0.9, 4), (0.05, 20)])
def test_what_remains_is_a_multiple(ratio, left):
    made = run(bare("perceptron"), PruneChannels(ratio, multiple=8 if left == 8 else 4)).model
    assert made[1].out_features == left


def test_a_share_of_the_multiplications_is_reached():
    from workbench.measurement.compute import macs

    work = bare("row")
    made = run(work, PruneChannels(0.6, by="macs"))
    left = macs(made.model, work.example) / macs(work.baseline, work.example)
    assert 0.3 < left <= 0.4
    gentler = run(work, PruneChannels(0.3, by="macs"))
    assert 0.6 < macs(gentler.model, work.example) / macs(work.baseline, work.example) <= 0.7


def test_layers_kept_by_name_stay_and_what_they_are_coupled_with_too():
    made = run(bare("residual"), PruneChannels(0.5, keep=("first",))).model
    assert (made.first.a.out_channels, made.first.b.out_channels, made.stem.out_channels) == (12, 8, 8)
    assert made.second.a.out_channels == 6


def test_only_the_layers_named_and_what_must_shrink_with_them():
    made = run(bare("row"), PruneChannels(0.5), only=frozenset({"3"}))
    assert [made.model[each].weight.shape[0] for each in (0, 3, 7)] == [8, 5, 12]
    assert any("shrank with them: 7" in note for note in made.notes)


def test_where_nothing_can_go_it_says_so():
    alone = run(Workload(nn.Linear(6, 3), input_shape=6), PruneChannels(0.5))
    assert alone.notes[0].startswith("nothing was removed: no channels of this model can go")
    assert "makes the model's outputs" in alone.notes[0]
    little = run(bare("row"), PruneChannels(0.01, re_estimate=False))
    assert little.notes == ("nothing was removed: 1% is less than one of the channels of any layer",)
    kept = run(bare("row"), PruneChannels(0.5, keep=("0", "3", "7")))
    assert "kept by name" in kept.notes[0]


def test_locks_give_the_coupled_layers_and_the_reason_in_words():
    found = {each.layer: each for each in locks(bare("residual"))}
    assert found["stem"].together == ("stem", "first.b", "second.b")
    assert set(found["stem"].reads) == {"first.a", "second.a", "head"}
    assert str(found["first.b"]) == "first.b: 8 channels can be removed; shrinks together with stem, second.b"
    assert found["head"].reason == "it makes the model's outputs" and found["head"].is_locked
    kept = {each.layer: each for each in locks(bare("residual"), keep=("second.b",))}
    assert kept["stem"].reason == "second.b is kept by name"


def test_locks_know_tied_weights_layers_never_called_and_grouped_ones():
    class Odd(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.embed, self.head = nn.Embedding(9, 6), nn.Linear(6, 9, bias=False)
            self.head.weight = self.embed.weight
            self.unused = nn.Linear(3, 3)

        def forward(self, tokens: torch.Tensor) -> torch.Tensor:
            return self.head(self.embed(tokens).mean(1))

    work = Workload(Odd(), example=torch.zeros(1, 4, dtype=torch.int64))
    reasons = {each.layer: each.reason for each in locks(work)}
    assert "used by several layers" in reasons["embed"]
    assert reasons["unused"] == "the forward pass does not call it"
    pairs = nn.Sequential(nn.Conv2d(3, 4, 1), nn.Conv2d(4, 4, 1, groups=2), nn.Conv2d(4, 2, 1))
    found = {each.layer: each for each in locks(Workload(pairs, input_shape=(3, 4, 4)))}
    assert (found["0"].units, found["0"].reason) == (2, "")
    single = nn.Sequential(nn.Conv2d(3, 4, 1), nn.GroupNorm(4, 4), nn.Conv2d(4, 2, 1))
    found = {each.layer: each for each in locks(Workload(single, input_shape=(3, 4, 4)))}
    assert "4 channels in 4 blocks" in found["0"].reason


def test_channels_that_change_places_are_locked_since_what_is_left_would_compute_something_else():
    with torch.random.fork_rng():
        torch.manual_seed(0)
        work = Workload(structures.Shuffled(), input_shape=(3, 8, 8))
    found = {each.layer: each for each in locks(work)}
    assert "does not see how its channels are used" in found["a"].reason
    assert not found["b"].is_locked


def test_a_model_that_cannot_be_traced_is_refused_with_the_reason_and_a_way_on():
    with pytest.raises(
        RecipeError, match=r"could not be traced \(this model is for inference only\)"
    ) as caught:
        run(Workload(structures.Numpy(), input_shape=4), PruneChannels(0.5))
    assert "PruneWeights" in str(caught.value) and "\n" not in str(caught.value)


def test_bad_input_gets_one_line():
    with pytest.raises(OptionError, match=r"for 50 % write 0\.5"):
        PruneChannels(50)
    with pytest.raises(RecipeError, match="keep names 'steem', which is no layer of the model; did you mean"):
        run(bare("residual"), PruneChannels(0.5, keep=("steem",)))
    with pytest.raises(RecipeError, match=r"criterion='taylor' needs gradients on training data"):
        run(bare("row"), PruneChannels(0.5, criterion="taylor"))


def test_without_an_example_it_says_what_to_give():
    class Unknown(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.body = nn.Sequential(nn.Conv2d(3, 4, 3), nn.Conv2d(4, 2, 1))

        def forward(self, images: torch.Tensor) -> torch.Tensor:
            return self.body(images)

    with pytest.raises(RecipeError, match="give Workload"):
        run(Workload(Unknown()), PruneChannels(0.5))


def test_it_has_the_flag_channels():
    assert short_flags()["--channels"] is PruneChannels


def test_a_net_whose_layers_hang_together_without_end_is_refused_in_time(monkeypatch):
    from workbench.algorithms.channels import graph

    monkeypatch.setattr(graph, "_MOST_LOOKS", 5)
    with pytest.raises(RecipeError, match="hang together in more ways than can be followed"):
        run(bare("residual"), PruneChannels(0.5))


def test_groups_are_found_once_for_all_weights_and_zeros_hide_nothing_from_the_check():
    from workbench.algorithms.channels.prepared import groups

    with torch.random.fork_rng():
        torch.manual_seed(0)
        work = Workload(structures.Shuffled(), input_shape=(3, 8, 8))
    empty = work.candidate().model
    with torch.no_grad():
        for each in empty.parameters():
            each.zero_()
    found = groups(empty, work)
    assert "does not see how its channels are used" in found[0].locked
    assert groups(work.baseline, work) is found
