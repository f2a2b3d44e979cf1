"""One layer looked at, and timed: what is drawn is what its weights are, and nothing is put on the model."""

from __future__ import annotations

import base64
import math
import re
import struct
import zlib

import pytest
import small
import torch
from torch import nn

from workbench.candidate import Candidate
from workbench.charts import kernels as pictures
from workbench.charts import quantization_grid
from workbench.exploration.layer_look import kernels_beside, spectrum_beside, weights_beside
from workbench.job import Stopped, finish
from workbench.measurement.compute import layers
from workbench.measurement.layer_times import timing_layers
from workbench.preview import Previewer
from workbench.recipe import Recipe


def pair(recipe: str, model: nn.Module | None = None) -> tuple[Candidate, Candidate]:
    """What a recipe makes, and the original."""
    previewer = Previewer(small.workload(model))
    return previewer.candidate(Recipe.parse(recipe)), previewer.start


def conv(channels: int = 4, inputs: int = 1) -> Candidate:
    torch.manual_seed(0)
    return Candidate.of(nn.Sequential(nn.Conv2d(inputs, channels, 3), nn.Flatten()))


# --- weights


def test_zeros_are_counted_in_all_weights_and_left_out_of_the_bins():
    now, original = pair("PruneWeights(sparsity=0.5, scope='layer')")
    shown = weights_beside(now, original, "0")
    assert shown.title == "0: 48 weights, 50.0 % exactly zero"
    assert sum(shown.density) == 48 and sum(shown.after) == 24 and not shown.values


def test_untouched_layer_shows_its_weights_once():
    _, original = pair("PruneWeights(sparsity=0.5)")
    shown = weights_beside(original, original, "0")
    assert not shown.after and not shown.values and sum(shown.density) == 48


def test_values_that_weights_share_are_drawn_one_by_one_on_their_lines():
    now, original = pair("ShareWeights(clusters=4)")
    shown = weights_beside(now, original, "0")
    assert len(shown.values) == 4 and sum(shown.uses) == 48 and list(shown.lines) == list(shown.values)
    kinds = {row["kind"] for row in quantization_grid.rows(shown)}
    assert {"bin", "line", "value", "title"} <= kinds


def test_weights_on_many_grids_are_said_to_be_and_have_no_common_lines():
    now, original = pair("Quantize(weights=4)")
    shown = weights_beside(now, original, "0")
    assert not shown.lines and shown.title.endswith("4 bits; each channel or group on a grid of its own")
    now, original = pair("Quantize(weights=4, granularity='tensor')")
    shown = weights_beside(now, original, "0")
    assert len(shown.lines) == 15
    assert all(min(abs(value - line) for line in shown.lines) < 1e-6 for value in shown.values)


def test_large_layer_is_sampled_and_says_so():
    torch.manual_seed(0)
    large = Candidate.of(nn.Sequential(nn.Linear(1000, 300)))
    shown = weights_beside(large, large, "0")
    seen = int(re.search(r"drawn from ([\d,]+) of them", shown.title)[1].replace(",", ""))
    assert seen == sum(shown.density) < 100_000


def test_samples_do_not_all_come_from_one_column():
    columns = torch.arange(512.0).repeat(512, 1)
    layer = nn.Linear(512, 512)
    layer.weight.data.copy_(columns)
    large = Candidate.of(nn.Sequential(layer))
    shown = weights_beside(large, large, "0")
    assert min(shown.density) > 0


def test_weights_that_are_not_finite_are_said_and_break_nothing():
    model = small.net()
    model[0].weight.data[0, 0] = math.nan
    model[0].weight.data[1, 1] = math.inf
    broken = Candidate.of(model)
    shown = weights_beside(broken, broken, "0")
    assert "2 not finite" in shown.title and sum(shown.density) == 46
    assert spectrum_beside(broken, broken, "0") == "weights that are not finite have no spectrum"
    model[0].weight.data.fill_(math.nan)
    nothing = Candidate.of(model)
    assert sum(weights_beside(nothing, nothing, "0").density) == 0


def test_layer_without_weights_has_nothing_to_show():
    plain = Candidate.of(nn.Sequential(nn.BatchNorm1d(4)))
    assert weights_beside(plain, plain, "0") is None
    assert "no weight" in spectrum_beside(plain, plain, "0")
    assert kernels_beside(plain, plain, "0") is None


# --- spectrum


def test_spectrum_is_that_of_the_matrix():
    original = Candidate.of(small.net())
    found = spectrum_beside(original, original, "0")
    values = torch.linalg.svdvals(original.model[0].weight.detach().double())
    assert found.energies == pytest.approx((values.square() / values.square().sum()).tolist())
    assert found.rank is None and not found.now


def test_spectrum_shows_what_became_of_it_and_the_rank_of_thin_layers():
    now, original = pair("PruneWeights(sparsity=0.5)")
    changed = spectrum_beside(now, original, "0").now
    values = torch.linalg.svdvals(now.model[0].weight.detach().double())
    first = torch.linalg.svdvals(original.model[0].weight.detach().double())[0]
    assert changed == pytest.approx((values / first).tolist())
    split, original = pair("Factorize(ratio=0.5, where='any', worth=0)")
    assert spectrum_beside(split, original, "0").rank == 3


def test_spectrum_of_a_layer_too_large_is_refused_in_words():
    large = Candidate.of(nn.Sequential(nn.Linear(1100, 1200)))
    assert spectrum_beside(large, large, "0").startswith("1,200 × 1,100 weights: too many")


# --- kernels


def decoded(html: str) -> tuple[int, int, list[bytes]]:
    """Width, height and lines of the last picture."""
    data = base64.b64decode(re.findall(r"base64,([^\"]+)", html)[-1])
    width, height = struct.unpack(">II", data[16:24])
    raw = zlib.decompress(data[data.index(b"IDAT") + 4 : data.index(b"IEND") - 8])
    return width, height, [raw[n * (4 * width + 1) + 1 : (n + 1) * (4 * width + 1)] for n in range(height)]


def test_kernels_are_pictures_on_a_scale_that_says_its_range():
    layer = conv()
    layer.model[0].weight.data[0, 0] = torch.tensor([[0.5, -0.5, 0.0], [0.25, 0.1, 0.1], [0.1, 0.1, 0.1]])
    found = kernels_beside(layer, layer, "0")
    assert found.limit == 0.5 and found.title == "kernels of 4 outputs" and not found.is_changed
    html = pictures.html(found)
    assert "−0.5" in html and html.count("<img") == 1 and 'alt="Kernels of 0, ' in html
    width, height, lines = decoded(html)
    assert (width, height) == (3 * 4 - 1, 2 * 4 - 1)  # three in a row, a pixel between
    assert lines[0][0:4] == bytes((213, 94, 0, 255)) and lines[0][4:8] == bytes((0, 114, 178, 255))
    assert lines[0][8:12] == bytes(4)  # exactly zero: empty


def test_kernels_before_and_now_share_a_scale():
    original = conv(4, 2)
    halved = Candidate.of(original.model)
    halved.model[0].weight.data *= 0.5
    found = kernels_beside(halved, original, "0")
    assert found.is_changed and found.limit == float(original.model[0].weight.detach().abs().max())
    assert pictures.html(found).count("<img") == 2
    assert found.title == "rows: 4 outputs, columns: 2 inputs"


def test_many_kernels_are_cut_and_that_is_said():
    found = kernels_beside(conv(40, 20), conv(40, 20), "0")
    assert found.title == "rows: the first 16 of 40 outputs, columns: the first 16 of 20 inputs"
    alone = kernels_beside(conv(300), conv(300), "0")
    assert alone.title == "kernels of the first 256 of 300 outputs"


@pytest.mark.parametrize("layer", [nn.Conv1d(3, 4, 5), nn.Conv3d(2, 4, 3), nn.ConvTranspose2d(3, 5, 2)])
def test_kernels_of_any_dimension_are_drawn(layer):
    one = Candidate.of(nn.Sequential(layer))
    html = pictures.html(kernels_beside(one, one, "0"))
    assert html.count("<img") == 1


def test_kernels_that_are_not_finite_are_drawn_in_a_colour_of_their_own():
    broken = conv()
    broken.model[0].weight.data[0, 0, 0, 0] = math.nan
    _, _, lines = decoded(pictures.html(kernels_beside(broken, broken, "0")))
    assert lines[0][0:4] == bytes((204, 121, 167, 255))


# --- time


def names(work) -> list[str]:
    return [each.name for each in layers(work.candidate(), work)]


def test_layers_are_timed_inside_the_pass_and_no_hook_is_left():
    work = small.workload()
    times = finish(timing_layers(work.baseline, names(work), work.example, seconds=0.02))
    assert set(times.layers) == {"0", "2"} and times.rounds >= 5
    for each in times.layers.values():
        assert 0 < each.low_ms <= each.ms <= each.high_ms
    assert sum(each.ms for each in times.layers.values()) < 1.5 * times.whole_ms
    assert times.how == f"PyTorch, 1 thread, batch of 1, median of {times.rounds} passes"
    assert small.hooks(work.baseline) == 0


def test_layer_inside_a_layer_is_taken_off():
    class Slow(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.scale = nn.Parameter(torch.ones(1))
            self.inner = nn.Linear(400, 400)

        def forward(self, x):
            for _ in range(20):
                x = self.inner(x)
            return x * self.scale

    model = nn.Sequential(Slow())
    times = finish(timing_layers(model, ["0", "0.inner"], torch.zeros(1, 400), seconds=0.05))
    assert times.layers["0"].ms < times.layers["0.inner"].ms


def test_original_is_timed_in_the_same_rounds_and_thin_layers_together():
    now, original = pair("Factorize(ratio=0.5, where='any', worth=0)")
    work = small.workload()
    steps = timing_layers(now.model, ["0", "2"], work.example, original=original.model, seconds=0.02)
    times = finish(steps)
    assert set(times.layers) == set(times.original) == {"0", "2"}
    assert small.hooks(now.model) == 0


def test_stopped_timing_keeps_what_it_has():
    work = small.workload()
    steps = timing_layers(work.baseline, ["0"], work.example, seconds=60)
    for _ in range(8):
        next(steps)
    with pytest.raises(StopIteration) as end:
        steps.throw(Stopped())
    assert end.value.value.rounds >= 1
