"""PruneLayers: blocks are found, the least important go, names and constraints follow, files hold it."""

from __future__ import annotations

import copy

import pytest
import small
import structures
import torch
from torch import nn

from workbench.algorithms.blocks import blocks
from workbench.candidate import Candidate
from workbench.constraints import Mask
from workbench.errors import OptionError, RecipeError
from workbench.job import finish
from workbench.recipe import Recipe
from workbench.storage import pack, unpack
from workbench.technique import Context, prepared
from workbench.techniques.fine_tune import FineTune
from workbench.techniques.prune_layers import PruneLayers
from workbench.techniques.prune_weights import PruneWeights
from workbench.workload import Workload


class Adding(nn.Module):
    """A block that adds a share of its own to its input."""

    def __init__(self, share: float) -> None:
        super().__init__()
        self.layer = nn.Linear(6, 6, bias=False)
        with torch.no_grad():
            self.layer.weight.copy_(share * torch.eye(6).flip(0))

    def forward(self, inputs: torch.Tensor) -> torch.Tensor:
        return inputs + self.layer(inputs)


def stack(*shares: float) -> nn.Sequential:
    """Blocks that change more the larger their share, and a classifier."""
    torch.manual_seed(0)
    return nn.Sequential(nn.Linear(6, 6), *map(Adding, shares), nn.Linear(6, 3)).eval()


def run(work: Workload, *steps, candidate: Candidate | None = None, only=None, preview=False) -> Candidate:
    """What some steps make of a workload's model."""
    candidate = candidate or work.candidate()
    for step in steps:
        context = Context(work, only=only, is_preview=preview)
        candidate = finish(step.apply(candidate, context, prepared(step, candidate, context)))
    return candidate


def dropped(candidate: Candidate) -> list[str]:
    return [path for path, each in candidate.model.named_modules() if type(each) is nn.Identity]


def assert_goes_through_a_file(candidate: Candidate, work: Workload, inputs: torch.Tensor) -> None:
    data = pack(candidate, recipe=Recipe((PruneLayers(1),)), original=work.baseline)
    back = unpack(data, copy.deepcopy(work.model)).candidate
    assert torch.equal(back.call(work, inputs), candidate.call(work, inputs))
    assert back.constraints.keys() == candidate.constraints.keys()


@pytest.mark.parametrize("importance", ["outputs", "similarity"])
def test_the_blocks_that_change_least_go_first(importance):
    work = small.workload(stack(0.5, 0.01, 2.0, 0.1))
    assert [each.path for each in blocks(work.baseline, work)] == ["1", "2", "3", "4"]
    assert dropped(run(work, PruneLayers(1, importance=importance))) == ["2"]
    made = run(work, PruneLayers(2, importance=importance))
    assert dropped(made) == ["2", "4"]
    with torch.no_grad():
        inputs = small.blobs(5)[0]
        expected = nn.Sequential(*(work.baseline[each] for each in (0, 1, 3, 5)))(inputs)
        assert torch.equal(made.model(inputs), expected)
    assert "2 (0.0" in made.notes[0] and "2.layer, 4.layer" in made.notes[1]


def test_the_file_is_smaller_and_loads_to_the_same_outputs():
    work = small.workload(stack(0.5, 0.1, 1.0))
    made = run(work, PruneWeights(0.5), PruneLayers(2))
    assert (
        sum(p.numel() for p in made.model.parameters())
        == sum(p.numel() for p in work.baseline.parameters()) - 2 * 36
    )
    assert set(made.constraints) == {"0.weight", "3.layer.weight", "4.weight"}
    assert_goes_through_a_file(made, work, small.blobs(5)[0])


def test_kept_blocks_stay_and_only_those_named_go():
    work = small.workload(stack(0.5, 0.01, 2.0, 0.1))
    assert dropped(run(work, PruneLayers(1, keep=("2.layer",)))) == ["4"]
    assert dropped(run(work, PruneLayers(1), only=frozenset({"3.layer"}))) == ["3"]
    nothing = run(work, PruneLayers(1), only=frozenset({"0"}))
    assert "nothing was dropped" in nothing.notes[0] and dropped(nothing) == []


def test_more_than_there_are_is_said():
    made = run(small.workload(stack(0.5, 0.1)), PruneLayers(5))
    assert dropped(made) == ["1", "2"] and "5 were asked for; no more can go" in made.notes


def test_a_transformer_encoders_layers_leave_their_list_and_names_move_up():
    model = structures.Encoder(layers=3).eval()
    with torch.no_grad():  # the middle one adds nothing
        for name in ("self_attn.out_proj.weight", "linear2.weight"):
            model.encoder.layers[1].get_parameter(name).zero_()
    work = Workload(model, input_shape=(3, 8, 8))
    start = work.candidate()
    keep = {f"encoder.layers.{i}.linear1.weight": torch.rand(32, 16) > 0.3 for i in range(3)}
    start = start.constrained({name: Mask(each) for name, each in keep.items()})
    made = run(work, PruneLayers(1), candidate=start)
    assert len(made.model.encoder.layers) == 2
    assert set(made.constraints) == {f"encoder.layers.{i}.linear1.weight" for i in range(2)}
    moved = made.constraints.of("encoder.layers.1.linear1.weight", Mask)
    assert torch.equal(moved.keep, keep["encoder.layers.2.linear1.weight"])
    assert_goes_through_a_file(made, work, structures.images(4)[0])
    all_gone = run(work, PruneLayers(9))
    assert len(all_gone.model.encoder.layers) == 1  # the encoder needs one


def test_a_block_with_batch_norm_is_one_and_statistics_are_measured_anew():
    model = structures.net("residual")
    images = structures.images(48)
    work = Workload(model, *[tuple(each[16 * i : 16 * (i + 1)] for each in images) for i in range(3)])
    made = run(work, PruneLayers(1), FineTune(1))
    assert [each.path for each in blocks(work.baseline, work)] == ["first", "second"]
    assert len(dropped(made)) == 1
    alone = run(work, PruneLayers(1))
    assert "batch-norm statistics of 16 training samples" in alone.notes
    old = run(work, PruneLayers(1, re_estimate=False))
    assert not any("batch-norm" in note for note in old.notes)


def test_modules_that_only_weight_channels_and_stacks_of_blocks_are_no_blocks():
    class Weighting(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.layer = nn.Linear(6, 6)

        def forward(self, inputs: torch.Tensor) -> torch.Tensor:
            return inputs * torch.sigmoid(self.layer(inputs))

    class Stack(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.a, self.b, self.c = Adding(0.1), Weighting(), Adding(0.2)

        def forward(self, inputs: torch.Tensor) -> torch.Tensor:
            return self.c(self.b(self.a(inputs)))

    work = small.workload(nn.Sequential(Stack(), nn.Linear(6, 3)).eval())
    assert [each.path for each in blocks(work.baseline, work)] == ["0.a", "0.c"]


def test_where_there_is_no_block_it_says_so_and_what_else_there_is():
    made = run(small.workload(), PruneLayers(1))
    assert made.notes[0].startswith("nothing was dropped: the model has no residual or transformer block")
    assert "PruneChannels" in made.notes[0]


def test_a_preview_answers_with_what_is_quick_and_says_so():
    work = small.workload(stack(0.5, 0.01, 2.0))
    made = run(work, PruneLayers(1), preview=True)
    assert dropped(made) == ["2"] and "chosen by similarity until Run" in made.notes[0]
    run(work, PruneLayers(1))


def test_bad_input_gets_one_line():
    with pytest.raises(OptionError, match="count must lie between 1 and 1000, got 0"):
        PruneLayers(0)
    with pytest.raises(RecipeError, match="keep names '22', which is no layer of the model"):
        run(small.workload(stack(0.5, 0.1)), PruneLayers(1, keep=("22",)))
