"""The panel of quantization: the slider moves the lines, data tell the noise, a button chooses bits."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from small import measure_quickly, net, workload

import workbench as wb
from workbench.charts import quantization_grid as grid
from workbench.charts import quantization_ranges as ranges
from workbench.charts import quantization_sqnr as noise
from workbench.errors import RecipeError
from workbench.exploration.quantization_records import ActivationRange, LayerError, RoundedWeights
from workbench.exploration.quantization_weights import channel_errors, rounded_weights
from workbench.job import finish
from workbench.live.still import still
from workbench.panels import Quantization
from workbench.panels.views.mixed_box import target
from workbench.technique import Context, prepared
from workbench.versions import VersionTree


@pytest.fixture(scope="module")  # it measures the baseline once; every test sets its own recipe
def panel() -> Iterator[Quantization]:
    work = workload(net(hidden=32))
    made = Quantization(work, tree=VersionTree(None, work))
    made.wait()
    yield made
    made.close()


def show(panel: Quantization, recipe: str, layer: str = "0", channel: str = "all channels") -> None:
    panel.recipe = recipe
    panel.wait()
    panel.rounding._layer.value, panel.rounding._channel.value = layer, channel


def drawn(panel: Quantization, kind: str, chart: str = "grid") -> list[dict]:
    return [row for row in panel.rounding.board.shown(chart) if row["kind"] == kind]


def test_it_begins_with_its_own_technique_and_shows_every_layer(panel: Quantization):
    assert str(panel.recipe) == "Quantize(weights=8)"
    assert [each.layer for each in panel.errors] == ["0", "2"]
    assert "weights of 0" in grid.summary(panel.weights), "the layer of the most weights comes first"
    assert wb.panels.Quantization is Quantization


@pytest.mark.parametrize(("bits", "lines"), [(2, 3), (3, 7), (5, 31)])
def test_the_slider_moves_the_lines(panel: Quantization, bits: int, lines: int):
    show(panel, f"Quantize(weights={bits}, granularity='tensor')")
    assert len(drawn(panel, "line")) == lines == len(panel.weights.lines)
    assert set(panel.weights.values) <= set(panel.weights.lines), "weights lie on the lines"
    assert sum(panel.weights.uses) == 6 * 32


def test_lines_of_channels_with_scales_of_their_own_are_drawn_one_channel_at_a_time(panel: Quantization):
    show(panel, "Quantize(weights=4)")
    assert not panel.weights.lines and panel.weights.values
    panel.rounding._channel.value = "channel 3"
    assert len(panel.weights.lines) == 15 and sum(panel.weights.uses) == 6
    panel.rounding._channel.value = "the noisiest channel"
    candidate = panel.rounding._shown
    errors = channel_errors(candidate, "0")
    assert panel.weights.name == f"0, channel {errors.index(min(errors))}"
    assert panel.weights.error == pytest.approx(min(errors), abs=1e-3)


def test_noise_of_outputs_and_ranges_of_activations_come_when_the_hand_rests(panel: Quantization):
    show(panel, "Quantize(weights=4, activations=8)")
    assert all(0 < each.outputs < 60 and 0 < each.arriving < 60 for each in panel.errors)
    assert [each.place for each in panel.ranges] == ["0/input", "2/input"]
    assert len(drawn(panel, "place", "ranges")) == 2
    assert len(drawn(panel, "point", "sqnr")) == 6
    show(panel, "Quantize(weights=4)")
    assert panel.ranges == () and drawn(panel, "hint", "ranges")


def test_a_click_on_a_layer_shows_its_weights(panel: Quantization):
    show(panel, "Quantize(weights=3)")
    panel.rounding.board.selections = {"sqnr": {"pick": {"points": [{"name": "2"}]}}}
    assert panel.rounding._layer.value == "2" and panel.weights.name.startswith("2")
    panel.rounding.board.selections = {}


def test_without_rounding_it_says_what_to_add(panel: Quantization):
    show(panel, "PruneWeights(sparsity=0.5)")
    assert "Add Quantize" in noise.summary(()) and drawn(panel, "hint", "sqnr")
    assert panel.error == ""


def test_other_grids_are_drawn_too(panel: Quantization):
    for recipe, lines in (("Binarize(granularity='tensor')", 2), ("Ternarize(granularity='tensor')", 3)):
        show(panel, recipe)
        assert len(panel.weights.values) <= lines and panel.error == ""


def test_a_scan_says_which_layer_hurts(panel: Quantization):
    show(panel, "Quantize(weights=8)")
    assert panel.scan is None
    panel.sensitivity.start()
    panel.wait()
    assert panel.scan.technique == "Quantize" and set(panel.scan.ranked) == {"0", "2"}


def test_a_calibration_is_repeated_with_other_samples(panel: Quantization):
    show(panel, "Quantize(weights=8, activations=4, samples=16)")
    panel.calibration.row.start()
    panel.wait()
    assert len(panel.calibration.found.accuracies) == 5
    assert "calibrated 5 times" in panel.calibration.row.said
    assert "0/input" in panel.calibration._table.value
    show(panel, "Quantize(weights=8)")
    panel.calibration.row.start()
    assert "nothing is calibrated" in panel.error


def test_a_button_chooses_bits_for_each_layer(panel: Quantization):
    show(panel, "PruneWeights(sparsity=0.5) | Quantize(weights=8) | FineTune(epochs=1)")
    panel.mixed.target = "20 points"
    panel.mixed.choose()
    panel.wait()
    assert panel.mixed.mixed.drop <= 0.2
    assert panel.recipe.steps[1] == panel.mixed.mixed.step and len(panel.recipe) == 3
    assert "stored" in panel.mixed.row.said and panel.error == ""


def test_what_cannot_be_reached_or_meant_is_said_in_words(panel: Quantization):
    show(panel, "Quantize(weights=8)")
    panel.mixed.target = "20 B"
    panel.mixed.choose()
    panel.wait()
    assert "20 B cannot be reached" in panel.error
    panel.mixed.target = "small"
    panel.mixed.choose()
    assert panel.error == "a target is a size like 30 KB, or a loss like 0.5 points, got 'small'"
    show(panel, "PruneWeights(sparsity=0.5)")
    panel.mixed.choose()
    assert "add Quantize to the recipe first" in panel.error


@pytest.mark.parametrize(
    ("text", "meant"),
    [
        ("30 KB", {"max_size": "30 KB"}),
        ("0.5 points", {"max_drop": 0.005}),
        ("1%", {"max_drop": 0.01}),
        ("loss 0.2", {"max_drop": 0.2}),
    ],
)
def test_targets_are_read_as_they_are_written(text: str, meant: dict):
    assert target(text) == pytest.approx(meant) if "max_drop" in meant else target(text) == meant


@pytest.mark.parametrize("text", ["", "30", "points", "KB"])
def test_a_target_without_a_unit_is_refused(text: str):
    with pytest.raises(RecipeError, match="a target is a size like 30 KB"):
        target(text)


def test_of_a_version_it_shows_the_grid_and_says_what_is_not_kept(panel: Quantization, monkeypatch):
    measure_quickly(monkeypatch)
    panel.recipe = "Quantize(weights=2, activations=8) | FineTune(epochs=1)"
    panel.run()
    panel.wait()
    assert panel.selected is not None and panel.errors[0].bits == 2
    panel.rounding._layer.value, panel.rounding._channel.value = "0", "channel 1"
    assert len(panel.weights.values) <= 3 == len(panel.weights.lines) and len(panel.ranges) == 2
    assert drawn(panel, "hint", "sqnr")[0]["hint"] == noise.LOST


def test_a_layer_or_channel_that_is_not_there_is_refused_in_words():
    work = workload()
    step, start, context = wb.Quantize(4), work.candidate(), Context(work)
    made = finish(step.apply(start, context, prepared(step, start, context)))
    with pytest.raises(RecipeError, match=r"no layer named '1' .*there are: 0, 2"):
        rounded_weights(made, "1")
    with pytest.raises(RecipeError, match="0 has the channels 0 to 7, got 8"):
        rounded_weights(made, "0", 8)


def test_the_pictures_say_what_they_show():
    shown = RoundedWeights(
        "fc1, channel 3", [1, 3, 2], -1.0, 1.0, (-1.0, 0.0), (4, 2), (-1.0, 0.0, 1.0), 2, 9.0
    )
    told = grid.summary(shown)
    assert "6 weights of fc1, channel 3: 2 bits, 9.0 dB" in told and "2 values, from -1 to 0, of 3" in told
    layers = (LayerError("conv1", 4, 10, 21.0, 22.0, 20.0), LayerError("fc", 32, 10, float("inf")))
    assert "conv1: 4 bits, weights 21.0 dB, outputs 22.0 dB alone" in noise.summary(layers)
    place = ActivationRange("fc/input", 8, 0.0, 1.0, -0.5, 2.0, 0.25)
    assert "fc/input: grid from 0 to 1, values from -0.5 to 2, 25.00 % clipped" in ranges.summary([place])
    pictures = [
        still(grid.chart(), grid.rows(shown)),
        still(noise.chart(), noise.rows(layers, "fc")),
        still(ranges.chart(), ranges.rows([place])),
    ]
    assert all(
        word in picture for word, picture in zip(("9.0 dB", "conv1", "clipped"), pictures, strict=True)
    )
    for chart in (grid.rows(None), noise.rows(()), ranges.rows(())):
        assert chart[-1]["kind"] == "hint"
