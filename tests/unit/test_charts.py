"""Charts are functions: their rows, their specs, and that Vega-Lite takes both."""

from __future__ import annotations

import itertools
import json
import re
from dataclasses import replace

import pytest

from workbench.charts import (
    labels,
    layers,
    quantization_grid,
    spectrum,
    theme,
    tradeoff,
    training,
    validation,
)
from workbench.charts.frame import Frame, Span, span
from workbench.charts.layer_measures import MEASURES
from workbench.charts.layers import Layer
from workbench.charts.spectrum import Spectrum
from workbench.charts.tradeoff import VERSIONS, Point, Shown
from workbench.exploration.quantization_records import RoundedWeights
from workbench.live.still import still
from workbench.measurement.accuracy import Accuracy
from workbench.measurement.found import Found, Timed
from workbench.measurement.quantities import (
    BYTES,
    MACS,
    MILLISECONDS,
    NUMBER,
    SHARE,
    latency,
)

PYTORCH = latency("pytorch")


def found(
    value: float | None, low=None, high=None, n=540, *, stored: float, ms: float | None = None
) -> Found:
    accuracy = None if value is None else Accuracy(value, low, high, n, "validation")
    timed = {} if ms is None else {"pytorch": Timed(ms, 0.9 * ms, 1.1 * ms, 90_000)}
    return Found(accuracy, stored=stored, macs=stored / 2, latency=timed, is_estimate=n == 200)


BASELINE = Point("b", "baseline", "baseline", (), found(0.99, 0.985, 0.995, stored=164_000, ms=0.4))
PRUNED = Point("1", "v1", "version", ("pruning", "training"), found(0.98, 0.97, 0.99, stored=30_000, ms=0.4))
BOTH = Point(
    "2", "v2", "version", ("pruning", "quantization"), found(0.97, 0.96, 0.98, stored=12_000, ms=0.3)
)
BEATEN = Point("3", "v3", "version", ("pruning",), found(0.96, 0.95, 0.97, stored=40_000))
PREVIEW = Point("p", "≈ preview", "preview", ("pruning",), found(0.95, 0.92, 0.97, 200, stored=20_000))
UNKNOWN = Point("p", "≈ preview", "preview", ("pruning",), found(None, stored=20_000))
ALL = [BASELINE, PRUNED, BOTH, BEATEN, PREVIEW]
LIMITED = Shown(
    head="1",
    picked={"1", "2"},
    best="2",
    limits={"stored": 20_000, "accuracy": 0.965},
    fits={"1": False, "2": True, "3": False},
)

LAYERS = [
    Layer("zeta", "Conv2d", 640, 500, 160, 120, 32, (16, 1, 3, 3), original_bits=32),
    Layer("alpha", "Linear", 131_584, 1_700, 32_896, 3_289, 4, setting="left alone", is_selected=True),
    Layer("gone", "Linear", 400, 0, 0, 0, parts=0),
    Layer("pool", "MaxPool2d", 0, 0, 0, 0),
]
BESIDE = RoundedWeights("fc", [1, 4, 1], -1, 1, after=[1, 2, 9], said="fc: 6 weights")
CHANGED = Spectrum("fc", [0.7, 0.2, 0.1], None, now=[0.9, 0.5, 0.1])
RECORDS = [{"epoch": (i + 1) / 10, "loss": 1 / (i + 1)} for i in range(20)]
RECORDS[9] = {**RECORDS[9], "validation_accuracy": 0.9, "validation_low": 0.88, "validation_high": 0.92}
RECORDS[19] = {**RECORDS[19], "validation_accuracy": 0.95}

CASES = {
    "trade-off": (tradeoff.chart, tradeoff.rows([BASELINE, PRUNED, BOTH, PREVIEW])),
    "trade-off, accuracy not known": (tradeoff.chart, tradeoff.rows([BASELINE, UNKNOWN])),
    "trade-off, empty": (tradeoff.chart, tradeoff.rows([])),
    "trade-off, limits and selection": (tradeoff.chart, tradeoff.rows(ALL, LIMITED)),
    "latency": (lambda: tradeoff.chart(PYTORCH), tradeoff.rows(ALL, Shown(PYTORCH))),
    "MACs against latency": (lambda: tradeoff.chart(PYTORCH, MACS), tradeoff.rows(ALL, Shown(PYTORCH, MACS))),
    "layers": (layers.chart, layers.rows(LAYERS)),
    "layers, empty": (layers.chart, layers.rows([])),
    "weights, before and now": (quantization_grid.chart, quantization_grid.rows(BESIDE)),
    "spectrum, before and now": (spectrum.chart, spectrum.rows(CHANGED)),
    **{f"layers, {key}": (layers.chart, layers.rows(LAYERS, key)) for key in MEASURES},
    "training": (training.chart, training.rows(RECORDS)),
    "training, empty": (training.chart, training.rows([])),
    "validation": (validation.chart, validation.rows(RECORDS, baseline=0.99)),
    "validation, empty": (validation.chart, validation.rows([])),
}


def of_kind(rows: list[dict], kind: str) -> list[dict]:
    return [row for row in rows if row["kind"] == kind]


@pytest.mark.parametrize("case", CASES)
def test_chart_compiles_and_draws_its_rows(case):
    make, rows = CASES[case]
    picture = still(make(), rows)
    assert picture.startswith("<svg")
    assert not re.search(r"NaN|undefined|Infinity", picture)


@pytest.mark.parametrize("case", CASES)
def test_chart_is_made_once_and_holds_no_rows(case):
    spec = CASES[case][0]().to_dict()
    sources = re.findall(r'"data": (\{[^{}]*\})', json.dumps(spec))
    assert sources and set(sources) <= {'{"name": "rows"}', f'{{"name": "{VERSIONS}"}}'}
    assert "datasets" not in spec
    assert spec["description"] and spec["width"] == "container"


@pytest.mark.parametrize("case", CASES)
def test_rows_are_plain_json(case):
    rows = CASES[case][1]
    assert json.loads(json.dumps(rows, allow_nan=False)) == rows


@pytest.mark.parametrize("case", CASES)
def test_colours_that_are_not_data_follow_the_theme(case):
    spec = CASES[case][0]().to_dict()
    assert {each["name"] for each in spec["params"]} >= {"ink", "faint", "line", "paper"}
    assert spec["config"]["background"] == {"expr": "paper"}
    assert spec["config"]["axis"]["labelColor"] == {"expr": "faint"}


@pytest.mark.parametrize("case", [case for case in CASES if "empty" in case])
def test_empty_chart_says_what_to_do(case):
    make, rows = CASES[case]
    assert {row["kind"] for row in rows} <= {"frame", "hint"}
    assert rows[-1]["hint"] in still(make(), rows)


def test_previews_are_hollow_and_versions_solid():
    layers_ = tradeoff.chart().to_dict()["layer"]
    marks = {json.dumps(layer.get("transform")): layer["mark"] for layer in layers_ if "mark" in layer}
    shapes = {key: mark for key, mark in marks.items() if mark["type"] == "point"}
    [preview] = [mark for key, mark in shapes.items() if "'preview'" in key]
    [measured] = [mark for key, mark in shapes.items() if "'version'" in key]
    assert preview["fill"] == {"expr": "paper"}
    assert measured["filled"] is True


def test_preview_is_written_with_almost():
    [row] = of_kind(tradeoff.rows([BASELINE, PREVIEW]), "preview")
    assert row["y_text"] == "≈ 95.0 % (92.0–97.0), n = 200"
    assert row["x_text"] == "≈ 20.0 KB"


def test_measured_version_is_written_without_almost():
    [row] = of_kind(tradeoff.rows([BASELINE, PRUNED]), "version")
    assert row["y_text"] == "98.0 % (97.0–99.0), n = 540"
    assert row["x_text"] == "30.0 KB"


def test_baseline_is_always_a_row_and_named():
    rows = tradeoff.rows([BASELINE, PRUNED, PREVIEW])
    [row] = of_kind(rows, "baseline")
    assert row["label"] == "baseline" in [each["label"] for each in of_kind(rows, "label")]


def test_version_that_was_not_timed_is_left_out_of_latency():
    assert of_kind(tradeoff.rows([BASELINE, BEATEN], Shown(PYTORCH)), "version") == []
    said = tradeoff.summary([BASELINE, BEATEN, BOTH], Shown(PYTORCH))
    assert "2 versions. 1 of 2 versions not drawn: not timed on this runtime." in said


def test_preview_without_a_latency_is_a_line_at_its_accuracy():
    [row] = of_kind(tradeoff.rows([BASELINE, PREVIEW], Shown(PYTORCH)), "preview")
    assert (row["x"], row["y"], row["x_text"]) == (None, 0.95, "–")


def test_legend_lists_the_families_in_use():
    first = tradeoff.rows([BASELINE, PRUNED, BOTH])[0]
    assert first["families"] == ["baseline", "pruning", "several"]


@pytest.mark.parametrize(
    ("families", "word"),
    [
        (("pruning",), "pruning"),
        (("pruning", "training"), "pruning"),
        (("pruning", "training", "quantization"), "several"),
        (("training",), "training"),
        ((), "training"),
    ],
)
def test_family_of_a_recipe(families, word):
    assert theme.family_of(families) == word


def test_every_family_of_the_registry_has_a_colour_and_a_shape_of_its_own():
    from workbench.technique import FAMILIES

    assert set(FAMILIES) <= set(theme.FAMILIES)
    assert len({shape for _, shape in theme.FAMILIES.values()}) == len(theme.FAMILIES)
    colours = [colour for colour, _ in theme.FAMILIES.values() if colour != "ink"]
    assert len(set(colours)) == len(colours)


def test_axes_rest_while_a_slider_moves():
    spans = {span(BYTES, [164_000, size], 164_000) for size in range(20_000, 160_000, 5_000)}
    assert len(spans) == 1


def test_axis_holds_every_value():
    for size in (1, 33, 4_096, 11e6, 2e9):
        log, linear = span(BYTES, [size], size), span(MILLISECONDS, [size])
        assert log.low < size < log.high
        assert linear.low == 0 and linear.high > size
    for unit, values in ((NUMBER, [-3.0, 5.0]), (NUMBER, [0.0]), (NUMBER, [-2.0]), (SHARE, [0.0, 1.0])):
        axis = span(unit, values)
        assert axis.low <= min(values) and axis.high >= max(values) and axis.low < axis.high


def test_axis_brings_a_near_limit_into_sight_and_not_a_far_one():
    assert span(BYTES, [164_000], 164_000, limit=1_000_000).high >= 1_000_000
    assert span(BYTES, [164_000], 164_000, limit=1e9) == span(BYTES, [164_000], 164_000)
    assert span(SHARE, [0.99], limit=0.75).low == 0.7


def test_labels_neither_overlap_nor_cover_marks():
    crowd = [
        Point(str(i), f"version {i}", "version", ("pruning",), found(0.97 + i / 1000, 0.9, 1, stored=size))
        for i, size in enumerate(range(30_000, 35_000, 500))
    ]
    rows = tradeoff.rows([BASELINE, *crowd])
    low, high = of_kind(rows, "frame")
    frame = Frame(Span(low["x"], high["x"], True), Span(low["y"], high["y"]))
    placed = of_kind(rows, "label")
    assert 2 <= len(placed) < len(crowd)  # some have no room
    boxes = []
    for row in placed:
        x, y = labels._pixel(row, frame)
        boxes.append(labels._box(row["label"], x + row["dx"], y + row["dy"], row["align"]))
    for index, a in enumerate(boxes):
        for b in boxes[index + 1 :]:
            assert not (a[0] < b[2] - 3 and b[0] < a[2] - 3 and a[1] < b[3] - 3 and b[1] < a[3] - 3)


@pytest.mark.parametrize("width", [200, 340, 640, 1400])
def test_tall_bars_are_named_first_and_names_keep_apart(width):
    heights = [1.0 if place % 7 == 3 else (place % 5) / 10 for place in range(62)]
    rooms = labels.rooms(heights, 21)
    named = [place for place, room in enumerate(rooms) if room <= width]
    plot = max(each for each in labels._PLOTS if each <= width)
    assert all((b - a) * plot / 62 >= 21 for a, b in itertools.pairwise(named))
    near = range(-int(21 * 62 / plot) - 1, int(21 * 62 / plot) + 2)
    for place, height in enumerate(heights):  # a nameless bar has a named one beside it that is no lower
        beside = [heights[place + by] for by in near if 0 <= place + by < 62 and place + by in named]
        assert place in named or max(beside) >= height
    assert len(named) >= plot // 60


def test_few_layers_are_all_named_and_the_chosen_one_always():
    assert labels.rooms([0.1, 0.5, 0.2], 21) == [0] * 3
    assert labels.rooms([], 21) == []
    many = [Layer(f"l{size}", "Linear", size, 1, 10, 10, is_selected=size == 40) for size in range(1, 99)]
    rows = {row["name"]: row["room"] for row in of_kind(layers.rows(many), "layer")}
    assert rows["l40"] == rows["l98"] == 0
    assert max(rows.values()) == labels.NO_ROOM


def test_more_layers_are_named_where_there_is_more_room():
    many = [Layer(f"layer{place:02}", "Linear", 100 + place % 7, 50, 10, 10) for place in range(60)]

    def named(width):
        return still(layers.chart(), layers.rows(many), width=width).count(">layer")

    assert 5 < named(320) < named(640) < named(1300) <= 60


def test_layers_keep_their_order_and_skip_those_that_never_had_weights():
    rows = of_kind(layers.rows(LAYERS), "layer")
    assert [(row["position"], row["name"]) for row in rows] == [(0, "zeta"), (1, "alpha"), (2, "gone")]
    assert [row["selected"] for row in rows] == [False, True, False]


def test_layer_says_what_it_has_and_what_it_had():
    first, second, gone = of_kind(layers.rows(LAYERS), "layer")
    assert (first["text"], first["change"]) == ("500 B", "▼ 1.3× of 640 B")
    assert (second["text"], second["change"]) == ("1.70 KB", "▼ 77× of 132 KB")
    assert (gone["what"], gone["text"], gone["change"]) == ("removed", "0 B", "was 400 B")
    assert [row["text"] for row in of_kind(layers.rows(LAYERS, "zeros"), "layer")][:2] == ["25.0 %", "90.0 %"]
    unknown = layers.rows(LAYERS, "time")
    assert of_kind(unknown, "title")[0]["title"] == "time, measured: not known yet"
    assert not of_kind(unknown, "line")


def test_axis_of_layers_rests_while_a_slider_moves():
    moved = [replace(each, kept_bytes=each.kept_bytes * 0.7) for each in LAYERS]
    assert of_kind(layers.rows(moved), "line") == of_kind(layers.rows(LAYERS), "line")


def test_bins_now_stand_before_those_before_and_end_at_the_top():
    rows = quantization_grid.rows(BESIDE)
    assert [row["height"] for row in of_kind(rows, "after")] == [0.25, 0.5, 1.1]  # of the highest before
    assert of_kind(rows, "title") == [{"kind": "title", "title": ""}]  # it stands above the chart
    assert quantization_grid.summary(BESIDE) == "fc: 6 weights; between -1 and 1 before."


def test_singular_values_now_are_named_at_their_end():
    rows = spectrum.rows(CHANGED)
    assert [row["value"] for row in of_kind(rows, "now")] == [0.9, 0.5, 0.1]
    assert [row["rank"] for row in of_kind(rows, "now label")] == [3]


def test_training_is_thinned_and_ends_with_the_last_record():
    records = [{"epoch": i / 1000, "loss": 1.0} for i in range(5000)]
    rows = training.rows(records)
    assert len(rows) <= 400
    assert rows[-1]["epoch"] == pytest.approx(4.999)


def test_training_axis_is_as_long_as_the_training():
    for make in (training, validation):
        for records in ([], RECORDS):
            assert max(row.get("epoch", 0) for row in make.rows(records, epochs=7)) == 7


def test_validation_draws_only_ends_of_epochs_and_the_baseline():
    rows = validation.rows(RECORDS, baseline=0.99)
    assert [row["epoch"] for row in of_kind(rows, "epoch")] == [1.0, 2.0]
    assert of_kind(rows, "epoch")[0]["text"] == "90.0 % (88.0–92.0)"
    assert [row["accuracy"] for row in of_kind(rows, "baseline")] == [0.99]


def test_summaries_tell_the_figures():
    told = tradeoff.summary([BASELINE, PRUNED, PREVIEW])
    assert "1 versions" not in told and "1 version" in told
    assert "99.0 % (98.5–99.5), n = 540, stored size 164 KB" in told
    assert "alpha: 1.70 KB, ▼ 77× of 132 KB, left alone, chosen." in layers.summary(LAYERS)
    assert "zeta: 25.0 %" in layers.summary(LAYERS, "zeros")
    assert "0.05 at epoch 2.0" in training.summary(RECORDS)
    assert "95.0 % after epoch 2" in validation.summary(RECORDS, 0.99)
