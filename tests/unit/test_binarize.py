"""`Binarize` and `Ternarize`: one bit and three values a weight, and what becomes of pruned zeros."""

from __future__ import annotations

from typing import Any

import pytest
import small
import torch
from torch import nn

from workbench.candidate import Candidate
from workbench.constraints import Grid, Mask, Signs, Ternary
from workbench.errors import OptionError, RecipeError, WorkbenchError
from workbench.job import finish
from workbench.measurement.size import bits, claimed_bytes
from workbench.storage import pack, unpack
from workbench.technique import Context, Technique, prepared
from workbench.techniques.binarize import Binarize
from workbench.techniques.fine_tune import FineTune
from workbench.techniques.quantize import Quantize
from workbench.techniques.ternarize import Ternarize


def applied(step: Technique, candidate: Candidate, work: Any = None, **context: Any) -> Candidate:
    given = Context(work, **context)
    return finish(step.apply(candidate, given, prepared(step, candidate, given)))


def net() -> Candidate:
    return Candidate.of(small.net())


def test_a_channel_has_one_magnitude_the_mean_one():
    start = net()
    made = applied(Binarize(), start)
    before, after = start.model[0].weight, made.model[0].weight
    assert torch.equal(after.sign(), before.sign())
    assert torch.allclose(after.abs(), before.abs().mean(1, keepdim=True).expand_as(after), rtol=2**-10)
    assert bits(made, "0.weight") == 1
    assert claimed_bytes(made) == (8 * 6) // 8 + 2 * 8 + 3 * 8 // 8 + 2 * 3 + 4 * (8 + 3)


def test_one_bit_of_quantize_is_binarize():
    one, other = applied(Quantize(1), net()), applied(Binarize(learned=False), net())
    assert small.same(small.states(one.model), small.states(other.model))


def test_pruned_weights_stay_zero_by_their_mask_and_a_note_says_so():
    keep = torch.arange(48).reshape(8, 6) % 3 != 0
    made = applied(Binarize(), net().constrained({"0.weight": Mask(keep)}))
    weight = made.model[0].weight
    assert torch.equal(weight != 0, keep)
    assert any("one bit has no zero" in note and "(0)" in note for note in made.notes)
    size = len(pack(made, original=made.model, level="packed"))
    again = unpack(pack(made, original=made.model, level="packed"), made.model).candidate
    assert torch.equal(again.model[0].weight, weight) and size > 0


def test_zeros_that_somebody_else_pruned_get_a_mask():
    start = net()
    with torch.no_grad():
        start.model[0].weight[:, ::2] = 0
    for step in (Binarize(), Quantize(1)):
        made = applied(step, start)
        assert bool((made.model[0].weight[:, ::2] == 0).all())
        assert made.constraints.of("0.weight", Mask) is not None
        assert any("one bit has no zero" in note for note in made.notes)


def test_zeros_of_a_grid_are_rounded_weights_and_get_their_sign():
    start = net()
    made = applied(Binarize(), applied(Quantize(2), start))
    assert not bool((made.model[0].weight == 0).any())
    assert torch.equal(made.model[0].weight.sign(), start.model[0].weight.sign())
    assert "Grid ended: Signs took its place" in made.notes


def test_first_and_last_layers_may_have_eight_bits_and_others_their_precision():
    start = Candidate.of(nn.Sequential(*(nn.Linear(4, 4) for _ in range(4))))
    for step in (Binarize(first_last=True, keep=("1",)), Ternarize(first_last=True, keep=("1",))):
        made = applied(step, start)
        assert [bits(made, f"{i}.weight") for i in (0, 1, 3)] == [8, 32, 8]
        assert made.constraints.of("0.weight", Grid) is not None
        assert set(applied(step, start, only=frozenset({"2"})).constraints) == {"2.weight"}


def test_three_values_and_their_threshold():
    start = net()
    made = applied(Ternarize(1.0), start)
    for before, after in zip(start.model[0].weight, made.model[0].weight, strict=True):
        assert torch.equal(after == 0, before.abs() < before.abs().mean())
        assert len(after.abs().unique()) == 2
    assert made.constraints.of("0.weight", Ternary) is not None


@pytest.mark.parametrize("granularity", ["channel", "tensor", "group"])
@pytest.mark.parametrize("cls", [Binarize, Ternarize])
def test_granularities_share_scales(cls: type[Technique], granularity: str):
    made = applied(cls(granularity=granularity, group=4), net())
    shape = next(iter(made.constraints["0.weight"])).scale.shape
    assert shape == {"channel": (8, 1), "tensor": (1, 1), "group": (8, 2)}[granularity]


@pytest.mark.slow
def test_training_moves_weights_through_signs_and_learns_scales():
    work = small.workload()
    for step, kind in ((Binarize(), Signs), (Ternarize(), Ternary)):
        made = applied(step, work.candidate(), work)
        trained = applied(FineTune(epochs=2, learning_rate=0.01), made, work)
        before, after = (each.constraints.of("0.weight", kind) for each in (made, trained))
        assert not torch.equal(before.scale, after.scale) and bool((after.scale > 0).all())
        assert bool((after.gain == 1).all())
        weight = trained.model[0].weight.detach()
        assert torch.equal(after(weight), weight)
        fixed = applied(type(step)(learned=False), work.candidate(), work)
        kept = applied(FineTune(epochs=1), fixed, work)
        assert torch.equal(
            fixed.constraints.of("0.weight", kind).scale, kept.constraints.of("0.weight", kind).scale
        )


def test_bad_input_is_refused():
    start = net()
    with pytest.raises(OptionError, match="threshold must lie between 0 and 3, got 4"):
        Ternarize(4)
    with pytest.raises(OptionError, match="granularity"):
        Binarize("layer")
    with pytest.raises(RecipeError, match="no layer named '3'"):
        applied(Binarize(keep=("3",)), start)
    with torch.no_grad():
        start.model[2].weight[0, 0] = float("nan")
    for step in (Binarize(), Ternarize()):
        with pytest.raises(WorkbenchError, match=r"2\.weight holds 1 values that are not finite"):
            applied(step, start)


def test_a_layer_of_zeros_stays_zeros():
    start = net()
    nn.init.zeros_(start.model[0].weight)
    for step in (Binarize(), Ternarize()):
        assert not applied(step, start).model[0].weight.any()
