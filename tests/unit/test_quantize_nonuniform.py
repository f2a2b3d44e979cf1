"""`QuantizeNonUniform`: levels that follow the weights, and which of them a technique's options choose."""

from __future__ import annotations

from itertools import pairwise
from typing import Any

import pytest
import torch
from torch import nn

from workbench.candidate import Candidate
from workbench.constraints import Levels
from workbench.errors import OptionError, RecipeError
from workbench.job import finish
from workbench.measurement.size import bits, claimed_bytes
from workbench.technique import Context, Technique, prepared
from workbench.techniques.quantize import Quantize
from workbench.techniques.quantize_nonuniform import QuantizeNonUniform

GRIDS = ("normal_float", "power_of_two", "kmeans")


def applied(step: Technique, candidate: Candidate, **context: Any) -> Candidate:
    given = Context(None, **context)
    return finish(step.apply(candidate, given, prepared(step, candidate, given)))


def normal(*sizes: int) -> Candidate:
    """Linear layers with normal weights."""
    model = nn.Sequential(*(nn.Linear(a, b) for a, b in pairwise(sizes)))
    random = torch.Generator().manual_seed(0)
    with torch.no_grad():
        for each in model:
            each.weight.normal_(0, 0.1, generator=random)
    return Candidate.of(model)


def error(made: Candidate, start: Candidate) -> float:
    return float((made.model[0].weight - start.model[0].weight).square().sum())


def test_four_bits_of_normal_float_err_less_than_even_steps_on_normal_weights_and_k_means_least():
    start = normal(200, 50)
    uniform = error(applied(Quantize(4, granularity="group", group=64), start), start)
    errors = {
        grid: error(applied(QuantizeNonUniform(4, grid=grid, granularity="group", group=64), start), start)
        for grid in GRIDS
    }
    assert errors["kmeans"] < errors["normal_float"] < uniform < errors["power_of_two"]


@pytest.mark.parametrize("grid", GRIDS)
def test_more_bits_err_less(grid: str):
    start = normal(60, 20)
    errors = [error(applied(QuantizeNonUniform(bits, grid=grid), start), start) for bits in (2, 3, 4, 5)]
    # powers of two add levels next to zero only, where little is lost
    assert errors == sorted(errors, reverse=True)


@pytest.mark.parametrize("grid", GRIDS)
def test_weights_are_levels_times_scales_and_zeros_stay(grid: str):
    start = normal(30, 8, 4)
    with torch.no_grad():
        start.model[0].weight[:, ::3] = 0
    made = applied(QuantizeNonUniform(3, grid=grid, granularity="group", group=10), start)
    book = made.constraints.of("0.weight", Levels)
    assert len(book.levels) <= 8 and bits(made, "0.weight") == 3
    assert bool((made.model[0].weight[:, ::3] == 0).all())
    assert torch.equal(book.of_indices(book.indices(made.model[0].weight.detach())), made.model[0].weight)
    shared = made.constraints.of("1.weight", Levels).levels is book.levels
    assert shared == (grid != "kmeans")  # whose levels are each layer's own


def test_claimed_bytes_hold_codes_scales_and_levels():
    start = normal(100, 100)
    made = applied(QuantizeNonUniform(4), start)
    assert claimed_bytes(made) == 100 * 100 // 2 + 2 * 100 + 4 * 16 + 4 * 100  # and the biases


def test_bits_of_single_layers_and_layers_kept():
    start = normal(8, 8, 8, 8)
    made = applied(QuantizeNonUniform(3, layers={"1": 5}, first_last=True, keep=("2",)), start)
    assert [bits(made, f"{i}.weight") for i in range(3)] == [8, 5, 32]
    only = applied(QuantizeNonUniform(3), start, only=frozenset({"1"}))
    assert set(only.constraints) == {"1.weight"}


def test_the_slider_keeps_what_k_means_found():
    start = normal(50, 20)
    step = QuantizeNonUniform(4, grid="kmeans")
    kept = step.prepare(start, Context(None))
    first = finish(step.apply(start, Context(None), kept))
    again = finish(step.apply(start, Context(None), kept))
    assert first.constraints.of("0.weight", Levels).levels is again.constraints.of("0.weight", Levels).levels


def test_a_layer_of_zeros_and_a_layer_of_one_weight():
    start = normal(5, 4, 1)
    nn.init.zeros_(start.model[0].weight)
    for grid in GRIDS:
        made = applied(QuantizeNonUniform(4, grid=grid), start)
        assert not made.model[0].weight.any()
        one = applied(QuantizeNonUniform(2, grid=grid), normal(1, 1))
        assert torch.allclose(one.model[0].weight, normal(1, 1).model[0].weight, rtol=2**-10)


def test_bad_options_are_refused():
    with pytest.raises(OptionError, match="bits must lie between 2 and 8, got 1"):
        QuantizeNonUniform(1)
    with pytest.raises(OptionError, match="grid"):
        QuantizeNonUniform(4, grid="normal-float")
    with pytest.raises(RecipeError, match=r"no layer named '0\.weight'"):
        applied(QuantizeNonUniform(4, keep=("0.weight",)), normal(3, 2))
