"""PruneChannels on nets of every make: what is left runs, computes what it should, goes through a file."""

from __future__ import annotations

import copy

import pytest
import small
import structures
import torch
from torch import nn

from workbench.algorithms.channels.checking import silenced
from workbench.algorithms.channels.cutting import cut, plan
from workbench.algorithms.channels.prepared import groups
from workbench.attention import NarrowAttention
from workbench.candidate import Candidate
from workbench.constraints import Codebook, Grid, Mask
from workbench.job import finish
from workbench.recipe import Recipe
from workbench.storage import pack, unpack
from workbench.technique import Context, prepared
from workbench.techniques.fine_tune import FineTune
from workbench.techniques.prune_channels import PruneChannels
from workbench.techniques.prune_weights import PruneWeights
from workbench.techniques.quantize import Quantize
from workbench.techniques.share_weights import ShareWeights
from workbench.workload import Workload

ALL = sorted(structures.NETS)


def run(work: Workload, *steps, candidate: Candidate | None = None) -> Candidate:
    """What some steps make of a workload's model."""
    candidate = candidate or work.candidate()
    for step in steps:
        context = Context(work)
        candidate = finish(step.apply(candidate, context, prepared(step, candidate, context)))
    return candidate


def bare(name: str) -> Workload:
    return Workload(structures.net(name), input_shape=(3, structures.SIDE, structures.SIDE))


def trained_on(name: str) -> Workload:
    images = structures.images(48)
    parts = [tuple(each[16 * i : 16 * (i + 1)] for each in images) for i in range(3)]
    model = structures.net(name)
    return Workload(model, *parts)


def outputs(candidate: Candidate, work: Workload) -> torch.Tensor:
    return candidate.call(work, structures.images(5, seed=9)[0])


def assert_goes_through_a_file(candidate: Candidate, work: Workload, *steps, inputs=None) -> None:
    data = pack(candidate, recipe=Recipe(steps), original=work.baseline)
    back = unpack(data, copy.deepcopy(work.model)).candidate
    inputs = structures.images(5, seed=9)[0] if inputs is None else inputs
    assert torch.equal(back.call(work, inputs), candidate.call(work, inputs))
    assert back.constraints.keys() == candidate.constraints.keys()


@pytest.mark.parametrize("name", ALL)
def test_removed_is_what_was_asked_for_and_outputs_keep_their_shape(name):
    work, step = bare(name), PruneChannels(0.5, re_estimate=False)
    free = [each for each in groups(work.baseline, work) if not each.locked]
    assert free
    made = run(work, step)
    left = {path: each for path, each in made.model.named_modules()}
    for group in free:
        for part in group.parts:
            if part.side == "out" and len(part.index) == group.channels:
                old, new = work.baseline.get_submodule(part.layer), left[part.layer]
                gone = round(0.5 * group.units) * (group.channels // group.units)
                width = "out_features" if isinstance(old, nn.Linear) else "out_channels"
                assert getattr(old, width) - getattr(new, width) == gone
    assert outputs(made, work).shape == outputs(work.candidate(), work).shape
    assert bool(torch.isfinite(outputs(made, work)).all())
    assert_goes_through_a_file(made, work, step)


@pytest.mark.parametrize("name", ["row", "residual", "branches", "up", "perceptron", "encoder", "attending"])
def test_what_is_left_computes_what_the_whole_does_with_those_channels_silent(name):
    work = bare(name)
    model, found = work.baseline, [each for each in groups(work.baseline, work) if not each.locked]
    units = {each.name: torch.arange(0, each.units - 1, 2) for each in found}
    inputs = structures.images(5)[0]
    with torch.no_grad():
        thin, silent = cut(model, plan(model, found, units)), silenced(model, found, units)
        torch.testing.assert_close(thin(inputs), silent(inputs), rtol=1e-4, atol=1e-4)


def test_whole_heads_go_and_torchs_attention_becomes_narrower_than_its_width():
    work = bare("encoder")
    made = run(work, PruneChannels(0.5)).model.encoder.layers[0]
    assert type(made.self_attn) is NarrowAttention
    assert (made.self_attn.num_heads, made.self_attn.head_dim, made.self_attn.embed_dim) == (2, 4, 16)
    assert made.self_attn.in_proj_weight.shape == (24, 16)
    assert made.self_attn.out_proj.weight.shape == (16, 8)
    assert made.linear1.out_features == made.linear2.in_features == 16
    kept = run(work, PruneChannels(0.5, heads=False)).model.encoder.layers[0]
    assert type(kept.self_attn) is nn.MultiheadAttention and kept.linear1.out_features == 16


@pytest.mark.parametrize("batch_first", [True, False])
@pytest.mark.parametrize("masks", ["none", "causal", "padding"])
def test_narrow_attention_with_all_its_heads_is_torchs_own(batch_first, masks):
    torch.manual_seed(0)
    own = nn.MultiheadAttention(12, 3, batch_first=batch_first).eval()
    narrow = NarrowAttention(12, 3, 4, batch_first=batch_first).eval()
    narrow.load_state_dict(own.state_dict())
    inputs = torch.randn(5, 5, 12)
    given = {
        "none": {},
        "causal": {"attn_mask": torch.ones(5, 5, dtype=torch.bool).triu(1)},
        "padding": {"key_padding_mask": torch.arange(5)[None] > torch.tensor([[4], [3], [2], [4], [0]])},
    }[masks]
    with torch.no_grad():
        for weighs in (True, False):
            (a, weights), (b, expected) = (
                each(inputs, inputs, inputs, need_weights=weighs, **given) for each in (narrow, own)
            )
            torch.testing.assert_close(a, b)
            if weighs:
                torch.testing.assert_close(weights, expected)
        if masks == "none":
            torch.testing.assert_close(
                narrow(inputs[0], inputs[0], inputs[0]), own(inputs[0], inputs[0], inputs[0])
            )


def test_a_number_of_heads_that_forward_reads_shrinks_too():
    made = run(bare("attending"), PruneChannels(0.5)).model.attention
    assert (made.num_heads, made.inner, made.q.out_features, made.out.in_features) == (2, 8, 8, 8)
    gated = run(bare("gated"), PruneChannels(0.5)).model
    assert gated.width == gated.a.out_channels == 6


@pytest.mark.parametrize("name", ["row", "encoder", "attending"])
def test_what_is_left_can_be_trained_and_cut_again(name):
    work = trained_on(name)
    steps = PruneChannels(0.25), FineTune(1), PruneChannels(0.4), FineTune(1)
    made = run(work, *steps)
    assert bool(torch.isfinite(outputs(made, work)).all())
    assert_goes_through_a_file(made, work, *steps)


def test_masks_grids_and_codebooks_go_on_by_the_indices_that_remain():
    work = bare("row")
    for first, kind in ((PruneWeights(0.6), Mask), (Quantize(4), Grid), (ShareWeights(8), Codebook)):
        before = run(work, first)
        after = run(work, PruneChannels(0.5, re_estimate=False), candidate=before)
        assert after.constraints.keys() == before.constraints.keys(), kind
        for name in after.constraints:
            weight = after.model.get_parameter(name).detach()
            assert after.constraints.of(name, kind) is not None
            assert torch.equal(after.constraints.constrain(name, weight), weight)
            assert {*weight.unique().tolist()} <= {*before.model.get_parameter(name).unique().tolist()}
        assert not any("ended" in note for note in after.notes)
        assert_goes_through_a_file(after, work, first, PruneChannels(0.5, re_estimate=False))


def test_free_weights_go_on_too():
    work = bare("row")
    before = run(work, Quantize(4))
    after = run(work, PruneChannels(0.5, re_estimate=False), candidate=before)
    assert before.latent and after.latent.keys() == before.latent.keys()
    assert all(each.shape == after.model.get_parameter(name).shape for name, each in after.latent.items())
    for name, free in after.latent.items():
        assert {*free.flatten().tolist()} <= {*before.latent[name].flatten().tolist()}


def test_a_codebook_that_layers_share_stays_one():
    work = bare("row")
    made = run(work, ShareWeights(8, scope="model"), PruneChannels(0.5, re_estimate=False))
    values = [made.constraints.of(name, Codebook).values for name in made.constraints]
    assert len(values) > 1 and all(each is values[0] for each in values)


def test_a_pattern_of_zeros_that_is_broken_is_said():
    work = bare("perceptron")
    keep = {
        n: (torch.arange(p.numel()) % 4 < 2).reshape(p.shape)
        for n, p in work.baseline.named_parameters()
        if p.ndim > 1
    }
    start = work.candidate().constrained({name: Mask(each) for name, each in keep.items()})
    made = run(work, PruneChannels(0.35, criterion="random"), candidate=start)
    assert any("the pattern of zeros of 3.weight (2:4)" in note and "broken" in note for note in made.notes)
    assert not any("1.weight (2:4)" in note for note in made.notes)  # its inputs are all there


def test_the_candidate_given_is_not_touched_and_what_was_not_cut_is_shared():
    work = trained_on("row")
    candidate = work.candidate()
    before = small.states(candidate.model)
    made = run(work, PruneChannels(0.5, keep=("7",)), candidate=candidate)
    assert small.same(before, small.states(candidate.model)) and small.hooks(made.model) == 0
    assert made.model[9].weight is candidate.model[9].weight
    assert candidate.model[1].running_mean is not made.model[1].running_mean


def zoo() -> dict[str, tuple]:
    """torchvision's nets, the pixels they are tried at, and by how much half of the channels shrinks them."""
    from torchvision import models

    return {
        "resnet18": (models.resnet18, 64, 3.8),
        "mobilenet_v2": (models.mobilenet_v2, 64, 2.8),
        "densenet121": (models.densenet121, 32, 3.4),
        "googlenet": (lambda: models.googlenet(aux_logits=False, init_weights=False), 64, 3.4),
        "vit_b_16": (lambda: models.vit_b_16(image_size=32), 32, 1.9),
    }


@pytest.mark.slow
@pytest.mark.parametrize("name", ["resnet18", "mobilenet_v2", "densenet121", "googlenet", "vit_b_16"])
def test_torchvisions_nets_shrink_and_go_through_a_file(name):
    make, pixels, factor = zoo()[name]
    torch.manual_seed(0)
    work = Workload(make().eval(), input_shape=(3, pixels, pixels))
    step = PruneChannels(0.5)
    made = run(work, step)
    before, after = (sum(p.numel() for p in m.parameters()) for m in (work.baseline, made.model))
    assert before / after > factor
    assert [each.name for each in groups(work.baseline, work) if each.locked] == {
        "vit_b_16": ["conv_proj", "heads.head"],
        "mobilenet_v2": ["classifier.1"],
        "densenet121": ["classifier"],
    }.get(name, ["fc"])
    inputs = torch.randn(2, 3, pixels, pixels)
    assert made.call(work, inputs).shape == (2, 1000)
    if name == "resnet18":
        assert_goes_through_a_file(made, work, step, inputs=inputs)


def test_a_vision_transformer_keeps_its_stream_and_goes_through_a_file():
    from torchvision.models import VisionTransformer

    torch.manual_seed(0)
    model = VisionTransformer(8, 4, num_layers=2, num_heads=4, hidden_dim=16, mlp_dim=24, num_classes=4)
    model.heads.head.weight.data.normal_()
    work, step = Workload(model.eval(), input_shape=(3, 8, 8)), PruneChannels(0.5)
    made = run(work, step)
    block = made.model.encoder.layers.encoder_layer_1
    assert (block.self_attention.num_heads, block.mlp[0].out_features) == (2, 12)
    assert made.model.class_token.shape == (1, 1, 16) and made.model.hidden_dim == 16
    assert_goes_through_a_file(made, work, step)
