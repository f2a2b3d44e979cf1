"""What rounding does to each layer: decibels of weights and outputs, and what is clipped of activations."""

from __future__ import annotations

import math

import pytest
import torch
from small import hooks, net, same, states, workload
from torch import nn

import workbench as wb
from workbench.activations import Affine
from workbench.errors import RecipeError
from workbench.exploration.quantization import comparing, rounding_errors, weight_errors
from workbench.exploration.quantization_records import decibels, sqnr
from workbench.job import Stopped, finish
from workbench.technique import Context, prepared


def applied(work, step):
    start, context = work.candidate(), Context(work)
    return finish(step.apply(start, context, prepared(step, start, context)))


def test_decibels_count_energies():
    assert sqnr(100.0, 1.0) == 20 and sqnr(4.0, 4.0) == 0
    assert sqnr(1.0, 0.0) == math.inf
    assert decibels(math.inf) == "exact" and decibels(20.04) == "20.0 dB"


def test_a_weights_error_is_what_rounding_changed():
    work = workload()
    made = applied(work, wb.Quantize(3))
    before, after = work.model[0].weight.detach(), made.model[0].weight.detach()
    expected = 10 * math.log10(float(before.square().sum() / (before - after).square().sum()))
    first, second = weight_errors(made)
    assert (first.layer, first.bits, first.parameters) == ("0", 3, 48)
    assert first.weights == pytest.approx(expected, abs=1e-3)
    assert second.layer == "2"


def test_more_bits_are_less_noise_and_untouched_layers_are_exact():
    work = workload()
    by_bits = [weight_errors(applied(work, wb.Quantize(bits)))[0].weights for bits in (2, 4, 8)]
    assert by_bits == sorted(by_bits)
    kept = weight_errors(applied(work, wb.Quantize(4, keep=("2",))))
    assert kept[1].weights == math.inf and kept[1].bits == 32


def test_zeros_of_a_mask_are_not_counted_as_rounding():
    made = applied(workload(), wb.PruneWeights(0.5))
    assert all(each.weights == math.inf for each in weight_errors(made))


def test_a_layers_own_part_and_what_arrives():
    work = workload()
    errors = rounding_errors(work, "Quantize(3)", samples=48)
    inputs = work.validation.first()[0]
    made = applied(work, wb.Quantize(3))
    with torch.no_grad():
        hidden = work.model[:2](inputs)
        own = made.model[2](hidden)
        before, after = work.model(inputs), made.model(inputs)
    noise = (own - before).square().sum()
    assert errors[1].outputs == pytest.approx(sqnr(float(before.square().sum()), float(noise)), abs=0.01)
    arrives = sqnr(float(before.square().sum()), float((after - before).square().sum()))
    assert errors[1].arriving == pytest.approx(arrives, abs=0.01)
    assert errors.outputs == pytest.approx(arrives, abs=0.01)
    assert errors[0].outputs == pytest.approx(errors[0].arriving), "nothing comes before the first layer"
    assert errors.n == 48


def test_what_is_written_into_later_is_compared_as_it_was():
    first, _ = rounding_errors(workload(net(nn.ReLU(inplace=True))), "Quantize(3)")
    plain, _ = rounding_errors(workload(net()), "Quantize(3)")
    assert first.arriving == pytest.approx(first.outputs) and first.outputs == plain.outputs


def test_only_what_is_rounded_is_noisy():
    errors = rounding_errors(workload(), "Quantize(2, keep=('0',))")
    assert errors.ranked[0] == "2" and errors[0].outputs == math.inf and errors[0].arriving == math.inf
    assert "2 is the noisiest" in errors.summary


def test_what_lies_beyond_the_grid_is_counted():
    work = workload()
    inputs = work.validation.first()[0]
    step = 0.01
    rounding = Affine(8, torch.tensor(step), zero_point=128)  # reaches from -1.28 to 1.27
    made = work.candidate().rounding({"0/input": rounding})
    (seen,) = rounding_errors(work, made, samples=48).ranges
    beyond = (inputs < -1.28 - step / 2) | (inputs > 1.27 + step / 2)
    assert seen.clipped == pytest.approx(float(beyond.float().mean()))
    assert (seen.seen_low, seen.seen_high) == (float(inputs.min()), float(inputs.max()))
    assert seen.step == pytest.approx(step) and seen.used == 1.0


def test_what_a_cut_off_takes_is_not_clipped():
    torch.manual_seed(0)
    convolution = nn.Sequential(nn.Conv2d(1, 4, 3), nn.ReLU(), nn.Flatten(), nn.Linear(64, 3))
    images = torch.rand(24, 1, 6, 6)
    data = (images, torch.arange(24) % 3)
    work = wb.Workload(convolution, train=data, validation=data)
    rounding = Affine(8, torch.tensor(0.05))  # from 0 up
    made = work.candidate().rounding({"0/input": rounding, "0/output": rounding, "3/input": rounding})
    errors = rounding_errors(work, made)
    ranges = {each.place: each for each in errors.ranges}
    assert errors[0].outputs > 20, "what is negative is cut off either way"
    assert ranges["3/input"].clipped == 0 and ranges["3/input"].seen_low >= 0


def test_a_pruned_and_rounded_version_can_be_looked_at():
    work = workload()
    errors = rounding_errors(work, "PruneWeights(0.5) | Quantize(4)")
    assert all(0 < each.weights < 60 for each in errors)
    assert "layer" in repr(errors).splitlines()[1] and "<table>" in errors._repr_html_()


def test_the_model_is_left_as_it_was():
    work = workload()
    before = states(work.model)
    rounding_errors(work, "Quantize(4)")
    assert same(before, states(work.model)) and hooks(work.model) == 0 and hooks(work.baseline) == 0


def test_corrected_biases_count_as_rounding():
    work = workload()
    plain = rounding_errors(work, wb.Quantize(2))
    corrected = rounding_errors(work, wb.Quantize(2, bias_correction=True))
    assert corrected[0].weights == plain[0].weights
    assert corrected[0].outputs != plain[0].outputs


def test_attention_and_recurrent_layers_are_compared():
    class Both(nn.Module):
        def __init__(self):
            super().__init__()
            self.attention = nn.MultiheadAttention(6, 2, batch_first=True)
            self.memory = nn.GRU(6, 5, batch_first=True)
            self.head = nn.Linear(5, 3)

        def forward(self, words):
            mixed, _ = self.attention(words, words, words, need_weights=False)
            return self.head(self.memory(mixed)[0][:, -1])

    torch.manual_seed(0)
    words, targets = torch.randn(12, 4, 6), torch.arange(12) % 3
    work = wb.Workload(Both(), train=(words, targets), validation=(words, targets))
    errors = {each.layer: each for each in rounding_errors(work, "Quantize(4)")}
    assert {"attention", "memory", "head"} <= set(errors)
    assert all(0 < errors[layer].outputs < 60 for layer in ("attention", "memory", "head"))
    assert errors["memory"].parameters == 2 * 15 * 5 + 15  # both matrices of the three gates


def test_stopped_it_tells_what_it_has_seen():
    work = workload()
    steps = comparing(work, "Quantize(4)", samples=48)
    progress = next(steps)
    while progress.done < 16:
        progress = next(steps)
    with pytest.raises(StopIteration) as end:
        steps.throw(Stopped())
    assert end.value.value.is_partial and 0 < end.value.value.n < 48


def test_what_trains_is_refused_in_words():
    with pytest.raises(RecipeError, match=r"FineTune.* trains, which takes long; make a version"):
        rounding_errors(workload(net()), "Quantize(4) | FineTune(1)")
    with pytest.raises(RecipeError, match="samples must be a whole number above 0, got 0"):
        rounding_errors(workload(net()), "Quantize(4)", samples=0)


def test_calibration_repeated_over_seeds_has_a_spread():
    work = workload()
    few = wb.calibrations(work, "Quantize(8, activations=8, samples=8)", seeds=(0, 1, 2))
    assert len(few.accuracies) == 3 and few.seeds == (0, 1, 2) and 0 <= few.spread <= 1
    assert [each.place for each in few.places] == ["0/input", "2/input"]
    assert few.widest.high_spread > 0, "eight samples differ from draw to draw"
    every = wb.calibrations(work, "Quantize(8, activations=8, samples=96)", seeds=(0, 1))
    assert all(each.high_spread == 0 for each in every.places), "all training samples are the same ones"
    assert "calibrated 3 times" in few.summary and "place" in repr(few)


def test_what_calibrates_nothing_is_refused_in_words():
    with pytest.raises(RecipeError, match="calibrates nothing; give it activations=8"):
        wb.calibrations(workload(), "Quantize(8)")
    with pytest.raises(RecipeError, match="calibrates nothing"):
        wb.calibrations(workload(), "Quantize(8, activations=8, scheme='dynamic')")
