"""A report keeps claimed, stored and measured apart, beside the baseline, in every form it is shown in."""

from __future__ import annotations

import dataclasses
import json
import re

import pytest
import torch
from torch import nn

from workbench.candidate import Candidate
from workbench.constraints import Grid, Mask
from workbench.errors import RuntimeUnavailable, WorkbenchError
from workbench.job import Stopped, finish
from workbench.measurement import measure, measuring
from workbench.measurement.accuracy import Accuracy
from workbench.measurement.pairing import Paired
from workbench.measurement.report import Baseline, Latency, Report
from workbench.measurement.size import Size, file_bytes
from workbench.measurement.verdict import sentence
from workbench.workload import Workload


def latency(speedup: float = 1.0, runtime: str = "pytorch", **options) -> Latency:
    ours = 0.2 / speedup
    return Latency(
        runtime, ours, 0.9 * ours, 1.1 * ours, 1.3 * ours, 0.2,
        speedup, 0.97 * speedup, 1.03 * speedup, 45_000, 1, 1, 200, **options,
    )  # fmt: skip


BEFORE = Baseline(
    Accuracy(0.992, 0.986, 0.996, 1500, "test", 0.99, 0.99, 0.99), {}, 100_000, 100_000, 2_000_000, 640_000
)


def report(**changes) -> Report:
    """A model that was pruned to 92 % zeros: a small file, the same speed."""
    plain = Report(
        name="lenet-5",
        accuracy=Accuracy(0.991, 0.985, 0.995, 1500, "test", 0.99, 0.99, 0.99),
        metrics={"rmse": 0.25},
        size=Size(40_000, 44_100),
        baseline_size=Size(1_700_000, 1_720_000),
        latency={"pytorch": latency()},
        parameters=100_000,
        nonzero=8_000,
        macs=2_000_000,
        peak_memory=634_000,
        paired=Paired(1500, 3, 2, 1.0, -0.001, -0.004, 0.003),
        notes=("the validation data were split once by seed 0",),
        baseline=BEFORE,
        nonzero_macs=380_000,
    )
    return dataclasses.replace(plain, **changes)


def rows_of(found: Report, figure: str) -> list[dict]:
    return [each for each in found.table() if each["figure"] == figure]


def work_of(model: nn.Module | None = None, **options) -> Workload:
    torch.manual_seed(0)
    inputs = torch.randn(60, 4)
    data = (inputs, (inputs[:, 0] > 0).long())
    return Workload(model or nn.Linear(4, 2), validation=data, test=data, name="tiny", **options)


def quick(work: Workload, model=None, **options) -> Report:
    return measure(work, model, **{"runtimes": ("pytorch",), "seconds": 0.05, **options})


def test_json_round_trip_keeps_everything() -> None:
    whole = report()
    assert Report.from_dict(json.loads(json.dumps(whole.to_dict()))) == whole
    bare = report(accuracy=None, paired=None, baseline=None, macs=None, peak_memory=None, latency={})
    assert Report.from_dict(json.loads(json.dumps(bare.to_dict()))) == bare


def test_a_report_of_another_version_can_be_read() -> None:
    data = report().to_dict()
    data["added_later"] = 1
    del data["nonzero_macs"]
    data["latency"]["pytorch"]["added_later"] = 1
    assert Report.from_dict(data).nonzero_macs is None


def test_a_report_cannot_be_changed() -> None:
    with pytest.raises(dataclasses.FrozenInstanceError):
        report().macs = 0


def test_claimed_stored_and_measured_have_columns_of_their_own() -> None:
    lines = report().text().splitlines()
    head = next(line for line in lines if "claimed" in line)
    size = next(line for line in lines if line.startswith("size"))
    accuracy = next(line for line in lines if line.startswith("accuracy"))
    assert size.index("40.0 KB") == head.index("claimed")
    assert size.index("44.1 KB") == head.index("stored")
    assert accuracy.index("99.1 % (98.5–99.5)") == head.index("measured")


def test_every_figure_has_its_baseline_and_its_change() -> None:
    said = report().text()
    assert re.search(r"size .* 1\.72 MB +▼ 39×", said)
    assert re.search(r"non-zero .* 100 k +▼ 12\.5×", said)
    assert re.search(r"accuracy .* 99\.2 % +−0\.1 points \(−0\.4 to \+0\.3\), no difference seen", said)
    assert re.search(r"latency, PyTorch .* 0\.20 ms +1\.00× \(0\.97–1\.03\) as fast", said)


def test_a_difference_that_is_seen_is_called_one() -> None:
    assert "a difference" in report(paired=Paired(1500, 30, 2, 0.001, -0.02, -0.03, -0.01)).text()


def test_the_unit_of_sizes_is_stated_once() -> None:
    assert (
        report().text().count("1 KB = 1,000 bytes") == report()._repr_html_().count("1 KB = 1,000 bytes") == 1
    )


def test_table_rows_hold_numbers() -> None:
    found = report()
    claimed, stored = rows_of(found, "size")
    assert (claimed["kind"], claimed["value"], claimed["baseline"]) == ("claimed", 40_000, 1_700_000)
    assert (stored["kind"], stored["value"], stored["unit"]) == ("stored", 44_100, "bytes")
    (accuracy,) = rows_of(found, "accuracy")
    assert (accuracy["value"], accuracy["low"], accuracy["high"]) == (0.991, 0.985, 0.995)
    assert rows_of(found, "rmse")[0]["value"] == 0.25
    json.dumps(found.table())


def test_the_page_takes_its_colors_from_the_theme() -> None:
    page = report()._repr_html_()
    assert "var(--jp-ui-font-color1" in page
    assert "tabular-nums" in page
    assert not re.search(r"#[0-9a-fA-F]{3,6}\b|\b(white|black)\b(?!-)", page)


def test_names_are_escaped() -> None:
    page = report(name="<script>", notes=("a < b",), metrics={"<b>": 1.0})._repr_html_()
    assert "<script>" not in page
    assert "<b>" not in page
    assert "a &lt; b" in page


def test_what_is_missing_leaves_no_row() -> None:
    said = report(accuracy=None, paired=None, macs=None, latency={}, metrics={}, peak_memory=None).text()
    assert not re.search(r"accuracy|MACs|latency|memory", said)


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({}, "92 % zeros make the file small; this runtime still multiplies them."),
        (
            {"latency": {"pytorch": latency(), "onnxruntime": latency(runtime="onnxruntime")}},
            "92 % zeros make the file small; dense kernels still multiply them.",
        ),
        (
            {"nonzero": 100_000, "weight_bits": 4},
            "4-bit weights are stored in 4 bits but computed in float32",
        ),
        ({"weight_bits": 4}, "92 % zeros and 4-bit weights make the file small"),
        (
            {"nonzero": 25_000, "parameters": 25_000, "macs": 500_000, "latency": {"pytorch": latency(2.5)}},
            "4.0× fewer multiplications make it 2.5× as fast on PyTorch",
        ),
        (
            {"nonzero": 50_000, "parameters": 50_000, "macs": 800_000, "latency": {"pytorch": latency(0.8)}},
            "and yet slower on PyTorch (0.80×)",
        ),
        ({"nonzero": 100_000, "size": Size(10_000, 20_000)}, "The file holds 10.0 KB more than the weights"),
        ({"nonzero": 100_000, "size": Size(20_000, 10_000)}, "The file is 2.0× smaller than bits × weights"),
        ({"nonzero": 100_000}, ""),
        ({"baseline": None}, ""),
    ],
)
def test_one_sentence_says_where_the_figures_disagree(changes, words) -> None:
    found = sentence(report(**changes))
    assert found.startswith(words) or words in found
    assert bool(found) == bool(words)
    assert found.count(". ") == 0


def test_the_baseline_is_measured_alone() -> None:
    work = work_of()
    found = quick(work)
    assert (found.is_baseline, found.paired, found.name) == (True, None, "tiny")
    assert (found.accuracy.n, found.accuracy.split) == (60, "validation")
    assert found.size == found.baseline_size == Size(4 * 10, file_bytes(work.baseline))
    assert (found.parameters, found.macs) == (10, 8)
    assert found.peak_memory == 4 * (10 + 4 + 2)
    assert found.latency["pytorch"].speedup == 1.0
    assert found.sentence == ""


def test_a_candidate_is_measured_beside_the_baseline() -> None:
    work = work_of()
    keep = torch.tensor([[True, False, False, False]] * 2)
    candidate = work.candidate().constrained({"weight": Mask(keep)})
    found = quick(work, candidate, stored=123, split="test")
    assert found.size.stored == 123
    assert found.size.claimed == 4 * (2 + 2)
    assert (found.nonzero, found.baseline.nonzero) == (4, 10)
    assert (found.macs, found.nonzero_macs) == (8, 2)
    assert found.paired.n == 60
    assert found.paired.difference == pytest.approx(found.accuracy.value - found.baseline.accuracy.value)
    assert found.accuracy.split == found.baseline.accuracy.split == "test"
    assert found.latency["pytorch"].speedup_low <= found.latency["pytorch"].speedup


def test_a_users_model_is_measured_as_it_is_and_left_alone() -> None:
    work, theirs = work_of(), nn.Sequential(nn.Linear(4, 8), nn.Dropout(0.5), nn.Linear(8, 2)).train()
    found = quick(work, theirs)
    assert theirs.training
    assert (found.name, found.parameters) == ("Sequential", 58)
    assert found.size.stored == file_bytes(theirs)
    assert quick(work, theirs).accuracy == found.accuracy  # dropout is off


def test_a_versions_file_is_its_stored_size() -> None:
    class Version:
        def __init__(self, candidate: Candidate) -> None:
            self.candidate, self.name, self.packed = candidate, "v1", b"x" * 77

    work = work_of()
    found = quick(work, Version(work.candidate()))
    assert (found.name, found.size.stored) == ("v1", 77)


def test_rounded_weights_are_called_simulated() -> None:
    work = work_of()
    found = quick(work, work.candidate().constrained({"weight": Grid(4, torch.full((2, 1), 0.1))}))
    assert found.weight_bits == 4
    assert found.latency["pytorch"].is_simulated
    assert any(note.startswith("simulated") for note in found.notes)
    assert "simulated" in found.text()


def test_the_baseline_is_evaluated_once(monkeypatch) -> None:
    calls = []
    work = work_of(forward=lambda model, inputs: calls.append(len(inputs)) or model(inputs))
    quick(work, runtimes=())
    before = calls.count(60)
    quick(work, work.candidate(), runtimes=())
    assert calls.count(60) - before == 1


def test_without_data_everything_but_accuracy_is_measured() -> None:
    work = Workload(nn.Conv2d(1, 2, 3), input_shape=(1, 5, 5))
    found = quick(work, work.candidate())
    assert (found.accuracy, found.paired) == (None, None)
    assert found.macs == 2 * 9 * 9
    assert found.latency["pytorch"].median_ms > 0
    assert any("no validation data" in note for note in found.notes)
    assert found.text()
    assert found._repr_html_()


def test_without_an_input_the_report_says_what_to_give() -> None:
    found = measure(Workload(nn.Conv2d(1, 2, 3)))
    assert (found.macs, found.peak_memory, found.latency) == (None, None, {})
    assert found.parameters == 20
    assert sum("input_shape=" in note for note in found.notes) == 1


def test_a_runtime_that_cannot_take_the_model_is_a_note() -> None:
    class Branches(nn.Linear):
        def forward(self, x):
            return super().forward(x) if x.sum().item() > -1e9 else x

    found = measure(work_of(Branches(4, 2)), runtimes=("pytorch", "onnxruntime"), seconds=0.05)
    assert set(found.latency) == {"pytorch"}
    assert any(note.startswith("no latency on ONNX Runtime: the model cannot") for note in found.notes)


def test_a_regression_reports_its_metrics() -> None:
    inputs = torch.randn(20, 4)
    metrics = {"mae": lambda outputs, targets: (outputs - targets).abs().mean()}
    work = Workload(
        nn.Linear(4, 1), validation=(inputs, inputs[:, :1]), test=(inputs, inputs[:, :1]), metrics=metrics
    )
    found = quick(work, nn.Linear(4, 1))
    assert (found.accuracy, found.paired) == (None, None)
    assert found.metrics["mae"] > 0
    assert found.baseline.metrics["mae"] > 0
    assert rows_of(found, "mae")[0]["baseline"] == found.baseline.metrics["mae"]


def test_data_in_another_order_each_time_give_no_paired_test() -> None:
    class Stream:
        """A source of the user's own that starts elsewhere at every reading."""

        readings = 0

        def __iter__(self):
            self.readings += 1
            yield torch.randn(8, 4), torch.tensor([0, 1] * 4).roll(self.readings)

    work = Workload(nn.Linear(4, 2), validation=Stream(), test=Stream())
    found = finish(measuring(work, work.candidate(), runtimes=()))
    assert found.paired is None
    assert any("in the same order" in note for note in found.notes)


def test_stop_reports_what_there_is() -> None:
    work = work_of()
    quick(work, runtimes=())
    steps = measuring(work, work.candidate(), runtimes=("pytorch",), seconds=60)
    while "PyTorch: " not in next(steps).message:
        pass
    with pytest.raises(StopIteration) as end:
        while True:
            steps.throw(Stopped())
    found = end.value.value
    assert found.is_stopped
    assert found.accuracy.n == 60


def test_progress_never_falls() -> None:
    fractions = [
        each.fraction for each in measuring(work_of(), nn.Linear(4, 2), runtimes=("pytorch",), seconds=0.1)
    ]
    assert fractions == sorted(fractions)
    assert all(0 <= each <= 1 for each in fractions)


def test_batches_and_threads() -> None:
    work = work_of()
    found = quick(work, work.candidate(), batch=16, threads=2).latency["pytorch"]
    assert (found.batch, found.threads) == (16, 2)
    with pytest.raises(WorkbenchError, match="batch and threads must be at least 1, got 0 and 1"):
        quick(work, batch=0)
    with pytest.raises(RuntimeUnavailable, match="no runtime named 'tensorrt'"):
        quick(work, runtimes=("tensorrt",))
