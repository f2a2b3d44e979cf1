"""Exactly as many weights go as were asked for, and they are the ones `torch.nn.utils.prune` would take."""

from __future__ import annotations

import copy

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from small import net
from torch import Tensor, nn
from torch.nn.utils import prune

from workbench.algorithms.ranking import Ranking
from workbench.candidate import Candidate
from workbench.constraints import Grid, Mask
from workbench.job import finish
from workbench.layers import weights
from workbench.technique import Context, find, prepared

SHARES = (0.5, 0.7, 0.9, 0.95)


def scores(*sizes: int, distinct: int | None = None, seed: int = 0) -> dict[str, Tensor]:
    """Scores of several tensors; with few `distinct` values there are many ties."""
    generator = torch.Generator().manual_seed(seed)
    made = {}
    for index, size in enumerate(sizes):
        score = torch.rand(size, generator=generator)
        made[f"w{index}"] = (score * distinct).floor() / distinct if distinct else score
    return made


def removed(keep: dict[str, Tensor]) -> int:
    return sum(int((~each).sum()) for each in keep.values())


@settings(derandomize=True, deadline=None, database=None, max_examples=80)
@given(
    sizes=st.lists(st.integers(1, 40), min_size=1, max_size=4),
    distinct=st.sampled_from([None, 1, 2, 5]),
    share=st.floats(0, 1),
    asked=st.integers(1, 3),
)
def test_exactly_so_many_go_and_none_of_them_scores_higher_than_one_that_stays(sizes, distinct, share, asked):
    given_scores = scores(*sizes, distinct=distinct)
    ranking = Ranking(given_scores)
    count = round(share * ranking.size)
    for _ in range(asked):  # selected the first time, sorted from the second on: the answers agree
        keep = ranking.all_but_lowest(count)
        assert removed(keep) == count
        gone = torch.cat([given_scores[name][~each] for name, each in keep.items()])
        kept = torch.cat([given_scores[name][each] for name, each in keep.items()])
        assert not len(gone) or not len(kept) or float(gone.max()) <= float(kept.min())
    again = Ranking(given_scores).all_but_lowest(count)
    assert all(torch.equal(keep[name], again[name]) for name in keep)


def test_of_equal_scores_the_first_go():
    keep = Ranking({"a": torch.ones(3), "b": torch.ones(3)}).all_but_lowest(4)
    assert keep["a"].tolist() == [False, False, False]
    assert keep["b"].tolist() == [False, True, True]


@pytest.mark.parametrize("count", [0, 6])
def test_none_and_all(count):
    keep = Ranking({"a": torch.zeros(2, 2), "b": torch.rand(2)}).all_but_lowest(count)
    assert removed(keep) == count
    assert keep["a"].shape == (2, 2)


def test_nothing_to_rank():
    assert Ranking({}).all_but_lowest(0) == {}


def test_growing_shares_remove_supersets():
    ranking = Ranking(scores(100, 60))
    before = ranking.all_but_lowest(0)
    for count in range(0, 161, 7):
        keep = ranking.all_but_lowest(count)
        assert all(not bool((keep[name] & ~before[name]).any()) for name in keep)
        before = keep


def test_scores_are_left_alone():
    given_scores = scores(20)
    before = given_scores["w0"].clone()
    ranking = Ranking(given_scores)
    ranking.all_but_lowest(5), ranking.all_but_lowest(6)
    assert torch.equal(given_scores["w0"], before)


# ---- against torch --------------------------------------------------------------------------------------


def convolutional() -> nn.Sequential:
    torch.manual_seed(0)
    return nn.Sequential(
        nn.Conv2d(3, 16, 3),
        nn.BatchNorm2d(16),
        nn.ReLU(),
        nn.Conv2d(16, 32, 3),
        nn.Flatten(),
        nn.Linear(512, 10),
    )


def masks(model: nn.Module, share: float, scope: str) -> dict[str, Tensor]:
    """The masks of our technique."""
    step, context, candidate = (
        find("PruneWeights")(share, scope=scope),
        Context(work=None),
        Candidate.of(model),
    )
    pruned = finish(step.apply(candidate, context, prepared(step, candidate, context)))
    return {name: pruned.constraints.of(name, Mask).keep for name in pruned.constraints}


@pytest.mark.parametrize("share", SHARES)
@pytest.mark.parametrize("make", [convolutional, net])
def test_global_masks_are_those_of_torch(make, share):
    model, theirs = make(), copy.deepcopy(make())
    layers = [(each.module, "weight") for each in weights(theirs)]
    prune.global_unstructured(layers, pruning_method=prune.L1Unstructured, amount=share)
    ours = masks(model, share, "global")
    for each in weights(model):
        mask = theirs.get_submodule(each.layer).weight_mask.bool()
        assert torch.equal(ours[each.name], mask)


@pytest.mark.parametrize("share", SHARES)
@pytest.mark.parametrize("make", [convolutional, net])
def test_masks_by_layer_are_those_of_torch(make, share):
    model, theirs = make(), copy.deepcopy(make())
    ours = masks(model, share, "layer")
    for each in list(weights(theirs)):
        prune.l1_unstructured(each.module, "weight", amount=share)
        assert torch.equal(ours[each.name], each.module.weight_mask.bool())
        assert removed({"one": ours[each.name]}) == round(share * each.module.weight_mask.numel())


@pytest.mark.parametrize("share", [0.0, 0.3, 1.0])
def test_share_is_met_exactly_over_the_model(share):
    keep = masks(convolutional(), share, "global")
    total = sum(each.numel() for each in keep.values())
    assert removed(keep) == round(share * total)


def test_pruning_again_by_less_brings_nothing_back():
    candidate, context = Candidate.of(net()), Context(work=None)
    zeros = []
    for share in (0.5, 0.9, 0.3):
        step = find("PruneWeights")(share)
        candidate = finish(step.apply(candidate, context, prepared(step, candidate, context)))
        zeros.append(sum(int((each.parameter == 0).sum()) for each in weights(candidate.model)))
    total = sum(each.parameter.numel() for each in weights(candidate.model))
    assert zeros == [round(0.5 * total), round(0.9 * total), round(0.9 * total)]


def test_half_precision_is_ranked_exactly_too():
    keep = masks(net().to(torch.bfloat16), 0.5, "global")  # many equal magnitudes
    total = sum(each.numel() for each in keep.values())
    assert removed(keep) == round(0.5 * total)


def test_weights_that_were_rounded_go_by_what_they_were_before():
    """Of 4-bit weights thousands are equal: taken as they stand, whole layers would go and others stay."""
    candidate, context = Candidate.of(convolutional()), Context(work=None)
    for step in (find("Quantize")(4), find("PruneWeights")(0.5)):
        candidate = finish(step.apply(candidate, context, prepared(step, candidate, context)))
    keep = {name: candidate.constraints.of(name, Mask).keep for name in candidate.constraints}
    rounded = {name: candidate.constraints.of(name, Grid)(candidate.free(name)) for name in keep}
    magnitudes = {name: candidate.free(name).abs() * (rounded[name] != 0) for name in keep}
    largest_gone = max(float(magnitudes[name][~keep[name]].max()) for name in keep)
    smallest_kept = min(float(magnitudes[name][keep[name]].min()) for name in keep)
    assert largest_gone <= smallest_kept
    total = sum(each.numel() for each in keep.values())
    assert removed(keep) == round(0.5 * total)
