"""Every quantity is declared once: read from a report, the baseline and a preview, written and typed."""

from __future__ import annotations

import subprocess
import sys
from types import SimpleNamespace

import pytest
import small

from workbench.charts import axes
from workbench.measurement import typed
from workbench.measurement.accuracy import Accuracy
from workbench.measurement.energy import Energy
from workbench.measurement.found import Found, Timed
from workbench.measurement.quantities import ACCURACY, STORED, UNITS, latency, metric, quantities

ACCURATE = Accuracy(0.984, 0.971, 0.992, 540, "validation", 0.98, 0.97, 0.975)
FOUND = Found(
    ACCURATE,
    {"rmse": 0.25},
    44_100,
    30_000,
    11_000,
    9_000,
    384_000,
    256_000,
    Energy(2e-5, "estimated", "a table"),
    {"pytorch": Timed(0.21, 0.2, 0.24, 90_000), "onnxruntime": Timed(0.1, 0.1, 0.1, 50_000, True)},
)


@pytest.fixture(scope="module")
def work():
    return small.workload(metrics={"rmse": lambda outputs, targets: 0.0, "score": lambda a, b: 1.0})


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("accuracy", "98.4 % (97.1–99.2), n = 540"),
        ("f1", "97.5 %"),
        ("stored", "44.1 KB"),
        ("claimed", "30.0 KB"),
        ("latency:pytorch", "0.21 ms (0.20–0.24)"),
        ("artefact:onnxruntime", "50.0 KB"),
        ("macs", "384 k"),
        ("peak_memory", "256 KB"),
        ("energy", "≈ 20.0 µJ"),
        ("metric:rmse", "0.25"),
    ],
)
def test_a_figure_is_written_with_its_unit(work, name, text):
    assert quantities(work)[name].text(FOUND) == text


def test_every_quantity_that_was_measured_is_read_from_a_report_and_its_baseline(work):
    from workbench.measurement import measure

    report = measure(work, small.net(hidden=4), runtimes=("pytorch",), seconds=0.02, stored=500)
    now, before = Found.of_report(report), Found.of_baseline(report)
    for quantity in quantities(work, ("pytorch",)).values():
        assert quantity.read(now) is not None and quantity.read(before) is not None, quantity.name
        assert quantity.why_not(now) == ""
        assert quantity.change(now, before) != "–"
    assert quantities(work)["stored"].value(now) == 500
    assert quantities(work)["parameters"].value(before) > quantities(work)["parameters"].value(now)


def test_every_figure_of_a_preview_is_written_with_almost(work):
    from workbench.preview import Previewer
    from workbench.recipe import Recipe

    *_, last = Previewer(work).previewing(Recipe.of("PruneWeights(0.5)"))
    found = Found.of_preview(last)
    read = [each for each in quantities(work).values() if each.read(found) is not None]
    assert {"accuracy", "stored", "claimed", "macs", "parameters", "metric:rmse"} <= {q.name for q in read}
    assert all(each.text(found).startswith("≈ ") for each in read)


def test_a_simulated_time_is_no_latency_and_it_is_said_why():
    there, gone = latency("pytorch"), latency("onnxruntime")
    assert there.value(FOUND) == 0.21 and there.why_not(FOUND) == ""
    assert gone.read(FOUND) is None and gone.text(FOUND) == "–"
    assert gone.why_not(FOUND).startswith("simulated only")
    assert gone.why_not(Found()) == "not timed on this runtime"


def test_own_metrics_say_which_way_is_better():
    told = SimpleNamespace(higher_is_better=True)
    assert metric("loss", told).is_higher_better  # what the metric says counts
    assert not metric("val_rmse").is_higher_better
    assert metric("dice").is_higher_better
    assert metric("rmse").is_better(0.1, 0.2) and ACCURACY.is_better(0.9, 0.8) and STORED.is_better(1, 2)


def test_a_workload_without_classes_has_its_metrics_and_no_accuracy():
    import torch

    data = torch.randn(32, small.FEATURES), torch.randn(32, small.CLASSES)
    work = small.workload(
        **dict.fromkeys(("train", "validation", "test"), data), metrics={"rmse": lambda a, b: 0.0}
    )
    names = [*quantities(work)]
    assert names[0] == "metric:rmse" and "accuracy" not in names


def test_what_one_does_not_know_the_other_fills_in():
    first = Found(stored=5, latency={"pytorch": Timed(1.0)})
    merged = first.or_else(Found(ACCURATE, stored=9, latency={"pytorch": Timed(2.0), "openvino": Timed(3.0)}))
    assert (merged.stored, merged.accuracy) == (5, ACCURATE)
    assert {name: each.ms for name, each in merged.latency.items()} == {"pytorch": 1.0, "openvino": 3.0}


@pytest.mark.parametrize("unit", UNITS.values(), ids=lambda unit: unit.name or "number")
def test_every_unit_reads_its_own_example_and_has_axis_labels(unit):
    assert unit.read(unit.example) is not None
    assert unit.name in axes.LABELS
    assert unit.read("much") is None and unit.read("") is None and unit.read(True) is None


@pytest.mark.parametrize("unit", [each for each in UNITS.values() if each.name], ids=lambda unit: unit.name)
def test_what_a_unit_writes_it_reads_again(unit):
    number = unit.read(unit.example)
    assert unit.read(unit.write(number)) == pytest.approx(number)


@pytest.mark.parametrize(
    ("read", "text", "number"),
    [
        (typed.size, "50 KB", 50_000),
        (typed.size, "256KiB", 262_144),
        (typed.size, "1,500", 1_500),
        (typed.size, "0.2", None),
        (typed.size, "-3 KB", None),
        (typed.size, "50 km", None),
        (typed.milliseconds, "200 us", 0.2),
        (typed.milliseconds, "1.5 s", 1500),
        (typed.milliseconds, 3, 3.0),
        (typed.milliseconds, "0 ms", None),
        (typed.share, "98 %", 0.98),
        (typed.share, "99.1%", 0.991),
        (typed.share, "0.98", 0.98),
        (typed.share, "98", None),
        (typed.count, "1.5 M", 1_500_000),
        (typed.joules, "18 µJ", 1.8e-5),
        (typed.plain, "1e-3", 0.001),
        (typed.plain, "nan", None),
    ],
)
def test_figures_as_a_person_types_them(read, text, number):
    assert read(text) == (None if number is None else pytest.approx(number))


def test_quantities_need_no_torch():
    code = (
        "import sys, workbench.measurement.quantities as q; q.quantities(); assert 'torch' not in sys.modules"
    )
    subprocess.run([sys.executable, "-c", code], check=True)
