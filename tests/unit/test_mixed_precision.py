"""Bits for each layer: a target of bytes or of accuracy is met, as measured, and costs least where it can."""

from __future__ import annotations

import itertools
import random

import pytest
import torch
from small import net, workload

import workbench as wb
from workbench.errors import OptionError, RecipeError, WorkbenchError, WorkloadError
from workbench.exploration import mixed_precision as mixing
from workbench.exploration.allocation import Point
from workbench.exploration.knapsack import cheapest
from workbench.exploration.mixed_precision import mixed_precision
from workbench.job import Stopped, finish
from workbench.measurement import units
from workbench.storage import pack
from workbench.technique import Context, prepared
from workbench.training import Training

HIDDEN = 64


@pytest.fixture(scope="module")
def work():
    """A trained net whose first layer holds most of the weights."""
    start = workload(net(hidden=HIDDEN))
    trained = finish(Training(epochs=6, learning_rate=1e-2).steps(start.candidate(), start))
    return workload(trained.model)


def file_of(work, step) -> int:
    start, context = work.candidate(), Context(work)
    made = finish(step.apply(start, context, prepared(step, start, context)))
    return len(pack(made, recipe=wb.Recipe((step,)), original=work.baseline, seed=0))


def test_a_size_is_met_by_the_file_itself(work):
    limit = (file_of(work, wb.Quantize(4)) + file_of(work, wb.Quantize(3))) // 2
    mixed = mixed_precision(work, max_size=limit)
    assert mixed.stored <= limit
    assert abs(file_of(work, mixed.step) - mixed.stored) <= 8, "what is told is the length of the file"
    assert len(set(mixed.bits.values())) > 1 and list(mixed.bits) == ["0", "2"]


def test_a_loose_size_rounds_every_layer_to_the_widest_grid(work):
    mixed = mixed_precision(work, max_size="1 MB")
    assert str(mixed.step) == "Quantize(weights=8)" and set(mixed.bits.values()) == {8}


def test_a_loss_is_held_on_all_validation_data(work):
    mixed = mixed_precision(work, max_drop=0.0)
    assert mixed.drop == 0 and mixed.judged.paired.n == 48
    narrower = mixed_precision(work, max_drop=0.2)
    assert narrower.drop <= 0.2 and narrower.stored <= mixed.stored


def test_the_recipe_makes_what_was_measured(work, monkeypatch):
    from small import measure_quickly

    measure_quickly(monkeypatch)
    mixed = mixed_precision(work, max_size=file_of(work, wb.Quantize(4)))
    version = wb.compress(work, mixed.step)
    assert version.report.accuracy.value == mixed.accuracy.value
    assert wb.Recipe.parse(str(mixed.recipe)) == mixed.recipe


def test_it_moves_outputs_no_more_than_one_width_for_all_at_that_size(work):
    scan = wb.sensitivity(work, wb.Quantize, strengths=mixing.BITS)
    errors = {(each.layer, each.strength): each.output_error**2 for each in scan}
    for bits in (3, 4, 5):
        limit = file_of(work, wb.Quantize(bits)) + 30  # the recipe's own text, which names layers
        chosen = mixed_precision(work, max_size=limit).bits
        assert sum(errors[each] for each in chosen.items()) <= sum(errors[each, bits] for each in chosen)


def test_other_options_hold_for_all_layers(work):
    mixed = mixed_precision(work, wb.Quantize(granularity="tensor", keep=("2",)), max_drop=0.05)
    assert mixed.step.granularity == "tensor"
    assert mixed.step.keep == ("2",) and mixed.bits["2"] == 32


def test_losses_are_counted_from_where_it_starts(work):
    pruning, context = wb.PruneWeights(0.8), Context(work)
    pruned = finish(pruning.apply(work.candidate(), context, prepared(pruning, work.candidate(), context)))
    mixed = mixed_precision(work, max_drop=0.0, start=pruned)
    assert mixed.drop == 0 and mixed.judged.paired.n == 48
    assert mixed.stored < mixed_precision(work, max_drop=0.0, bits=(8,)).stored, "zeros take little room"


def test_without_classes_the_loss_is_what_may_rise():
    inputs = torch.randn(48, 6, generator=torch.Generator().manual_seed(0))
    pair = (inputs, inputs[:, :3] + inputs[:, 3:])
    numbers = wb.Workload(net(hidden=16), train=pair, validation=pair, loss=torch.nn.functional.mse_loss)
    mixed = mixed_precision(numbers, max_drop=0.05)
    assert mixed.accuracy is None and 0 <= mixed.drop <= 0.05 and "loss" in mixed.summary
    assert mixed_precision(numbers, max_drop=30).stored <= mixed.stored
    with pytest.raises(RecipeError, match="max_drop must be a loss that may be added, got -1"):
        mixed_precision(numbers, max_drop=-1)


def test_both_targets_must_be_met(work):
    with pytest.raises(WorkbenchError, match=r"a loss of at most 0 points takes .* more than"):
        mixed_precision(work, max_drop=0.0, max_size=file_of(work, wb.Quantize(2)) - 1)


def test_a_size_that_cannot_be_reached_says_how_far_one_gets(work):
    with pytest.raises(WorkbenchError, match="100 B cannot be reached: 2 bits in every layer weigh"):
        mixed_precision(work, max_size=100)


def test_a_scan_that_was_stopped_goes_on(work):
    step = wb.Quantize(granularity="tensor")
    steps = mixing.mixing(work, step, max_drop=0.01)
    for _ in range(12):
        next(steps)
    with pytest.raises(Stopped):
        steps.throw(Stopped())
    assert mixed_precision(work, step, max_drop=0.01).scan.is_partial is False


@pytest.mark.parametrize(
    ("options", "line"),
    [
        ({}, "mixed precision needs a target: max_size='30 KB', or max_drop=0.005 for half a point"),
        ({"max_size": "small"}, "max_size must be bytes like 30_000 or '30 KB', got 'small'"),
        ({"max_drop": 2}, "max_drop must be a share from 0 to below 1; half a point is 0.005, got 2"),
        ({"max_drop": True}, "max_drop must be a share from 0 to below 1; half a point is 0.005, got True"),
        ({"technique": wb.FineTune(1), "max_drop": 0.1}, "mixed precision chooses the bits of one Quantize"),
    ],
)
def test_what_cannot_be_meant_is_refused_in_words(work, options, line):
    with pytest.raises(RecipeError, match=line):
        mixed_precision(work, **options)


def test_widths_out_of_range_and_missing_data_are_refused(work):
    with pytest.raises(OptionError, match="17"):
        mixed_precision(work, max_drop=0.1, bits=(17, 4))
    with pytest.raises(WorkloadError, match="validation"):
        mixed_precision(wb.Workload(net(), input_shape=(6,)), max_drop=0.1)


@pytest.mark.parametrize(
    ("written", "bytes_"),
    [(30_000, 30_000), ("30 KB", 30_000), ("1.5MB", 1_500_000), ("2,000", 2000), ("0.5 k", 500)],
)
def test_sizes_are_read_as_they_are_written(written, bytes_):
    assert units.bytes_of(written) == bytes_


@pytest.mark.parametrize("written", ["", "KB", "-3 KB", 0, float("nan"), True, None, "3 points"])
def test_what_is_no_size_is_none(written):
    assert units.bytes_of(written) is None


def test_the_best_of_all_choices_is_found():
    generator = random.Random(0)
    for _ in range(20):
        points = {
            f"layer{index}": [
                Point(bits, saves * (32 - bits), generator.random() / bits) for bits in (8, 4, 3, 2)
            ]
            for index, saves in enumerate((1000, 100, 10, 1))
        }
        wanted = generator.uniform(0.8, 1.0) * sum(each[-1].saves for each in points.values())
        chosen = cheapest(points, wanted)
        every = list(itertools.product(*points.values()))
        best = min(
            sum(p.costs for p in c) for c in every if sum(p.saves for p in c) >= wanted + 4 * 6 * 1111 / 2**14
        )
        picked = [next(p for p in points[layer] if p.strength == bits) for layer, bits in chosen.items()]
        assert sum(p.saves for p in picked) >= wanted
        assert sum(p.costs for p in picked) <= best + 1e-12, "but for a unit a layer"


def test_beyond_what_can_be_saved_the_strongest_are_chosen():
    points = {"a": [Point(8, 24, 0.0), Point(2, 30, 1.0)], "b": [Point(8, 0, 0.0)]}
    assert cheapest(points, 99) == {"a": 2, "b": 8}
    assert cheapest(points, 0) == {"a": 8, "b": 8}
