"""`Cast`: parameters that two bytes hold, stored in two bytes each."""

from __future__ import annotations

from typing import Any

import pytest
import small
import torch
from torch import nn

from workbench.candidate import Candidate
from workbench.constraints import Mask, Precision
from workbench.errors import OptionError, RecipeError, WorkbenchError
from workbench.job import finish
from workbench.measurement.size import claimed_bytes
from workbench.storage import pack, unpack
from workbench.technique import Context, Technique, prepared
from workbench.techniques.cast import Cast
from workbench.techniques.fine_tune import FineTune
from workbench.techniques.quantize import Quantize

TYPES = ("float16", "bfloat16")


def applied(step: Technique, candidate: Candidate, work: Any = None, **context: Any) -> Candidate:
    given = Context(work, **context)
    return finish(step.apply(candidate, given, prepared(step, candidate, given)))


@pytest.mark.parametrize("dtype", TYPES)
def test_every_parameter_is_what_the_type_holds_and_the_model_computes_as_before(dtype: str):
    work = small.workload()
    made = applied(Cast(dtype=dtype), work.candidate(), work)
    for name, each in made.model.named_parameters():
        assert each.dtype == torch.float32
        cast = work.baseline.get_parameter(name).to(getattr(torch, dtype)).float()
        assert torch.equal(each, cast)
    inputs, _ = work.test.first()
    assert made.call(work, inputs).dtype == torch.float32


@pytest.mark.parametrize("level", ["packed", "coded"])
@pytest.mark.parametrize("dtype", TYPES)
@pytest.mark.parametrize("is_masked", [False, True])
def test_a_file_takes_two_bytes_a_weight_and_loads_to_equal_outputs(dtype: str, level: str, is_masked: bool):
    model = nn.Sequential(nn.Linear(300, 200), nn.BatchNorm1d(200), nn.Linear(200, 10))
    start = Candidate.of(model)
    kept = torch.rand(200, 300, generator=torch.Generator().manual_seed(0)) < (0.2 if is_masked else 1)
    if is_masked:
        start = start.constrained({"0.weight": Mask(kept)})
    made = applied(Cast(dtype=dtype), start)
    data = pack(made, original=model, level=level)
    weights = int(kept.sum()) + 200 * 10 + 200 + 10 + 2 * 200
    positions = 60_000 // 8 if is_masked else 0
    assert len(data) < 2 * weights + positions + 4 * 2 * 200 + 8 + 3_000  # statistics stay in float32
    assert claimed_bytes(made) == 2 * weights + 4 * 2 * 200 + 8
    again = unpack(data, model).candidate
    inputs = torch.randn(5, 300)
    assert torch.equal(again.model(inputs), made.model(inputs))
    assert again.constraints.of("0.weight", Precision).dtype == dtype


def test_weights_on_a_grid_stay_on_it_and_a_note_says_so():
    made = applied(Cast(), applied(Quantize(4), Candidate.of(small.net())))
    assert isinstance(made.constraints["0.bias"][0], Precision)
    assert not any(isinstance(each, Precision) for each in made.constraints["0.weight"])
    assert made.notes == ("on a grid or in a codebook, smaller already: 0.weight, 2.weight",)


def test_a_grid_takes_the_place_of_the_type():
    made = applied(Quantize(4), applied(Cast(), Candidate.of(small.net())))
    assert "Precision ended: Grid took its place" in made.notes
    other = applied(Cast(dtype="bfloat16"), applied(Cast(), Candidate.of(small.net())))
    assert {each[0].dtype for each in other.constraints.values()} == {"bfloat16"}


def test_parameters_that_are_short_already_are_left_alone():
    made = applied(Cast(), Candidate.of(small.net().half()))
    assert not made.constraints
    assert made.notes[0].startswith("no wider than two bytes already: 0.weight")


def test_kept_layers_and_layers_not_named_keep_their_precision():
    start = Candidate.of(small.net())
    assert set(applied(Cast(keep=("0",)), start).constraints) == {"2.weight", "2.bias"}
    assert set(applied(Cast(), start, only=frozenset({"0"})).constraints) == {"0.weight", "0.bias"}


def test_values_beyond_the_type_are_cut_and_named():
    start = Candidate.of(small.net())
    with torch.no_grad():
        start.model[0].weight[0, 0] = 1e6
    made = applied(Cast(), start)
    assert float(made.model[0].weight.detach()[0, 0]) == torch.finfo(torch.float16).max
    assert any("cut to the largest float16: values of 0.weight" in note for note in made.notes)
    assert float(applied(Cast(dtype="bfloat16"), start).model[0].weight.detach()[0, 0]) > 9e5


def test_training_goes_on_from_the_free_weights():
    work = small.workload()
    made = applied(Cast(dtype="bfloat16"), work.candidate(), work)
    trained = applied(FineTune(epochs=2), made, work)
    for name, each in trained.model.named_parameters():
        assert torch.equal(each, each.bfloat16().float())
        assert not torch.equal(trained.free(name), each)


def test_bad_input_is_refused():
    start = Candidate.of(small.net())
    with pytest.raises(OptionError, match="dtype"):
        Cast(dtype="float8")
    with pytest.raises(RecipeError, match="no layer named '1'"):
        applied(Cast(keep=("1",)), start)
    with torch.no_grad():
        start.model[0].bias[0] = float("inf")
    with pytest.raises(WorkbenchError, match=r"0\.bias holds values that are not finite"):
        applied(Cast(), start)
