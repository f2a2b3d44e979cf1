"""Runtimes run quantized versions on their int8 kernels, or say why they do not; the report tells which."""

from __future__ import annotations

import functools

import numpy as np
import pytest
import torch
from test_int8_onnx import Residual, Words, quantized, trained

import workbench as wb
from workbench.errors import RuntimeUnavailable, StorageError
from workbench.measurement.report import Report
from workbench.runtimes import Prepared, find

measure = functools.partial(wb.measure, seconds=0.05)


def test_the_report_tells_kernels_from_simulation() -> None:
    work = trained(Residual)
    report = measure(work, quantized(work))
    eager, ort = report.latency["pytorch"], report.latency["onnxruntime"]
    assert eager.is_simulated and not ort.is_simulated
    assert eager.agreement is None and ort.integer_layers == 4
    assert ort.agreement.n == 32
    assert ort.agreement.equal >= 0.9
    assert ort.agreement.largest <= 0.02 * ort.agreement.outputs
    text = report.text()
    assert "simulated only" in text and "equal predictions" in text
    assert ort.artefact_bytes < ort.baseline_artefact_bytes
    assert Report.from_dict(report.to_dict()) == report


def test_a_width_without_kernels_is_simulated_only_and_the_note_says_why() -> None:
    work = trained(Residual)
    report = measure(work, quantized(work, activations=4), runtimes=("onnxruntime",))
    assert report.latency["onnxruntime"].is_simulated
    assert any("ONNX Runtime: " in note and "4 bits" in note for note in report.notes)
    rows = {each["figure"]: each["text"] for each in report.table()}
    assert rows["latency, ONNX Runtime"] == "simulated only"


def test_a_runtime_of_one_batch_only_is_compared_in_that() -> None:
    from workbench.job import finish
    from workbench.measurement.agreement import agreeing

    work = trained(Residual)
    candidate = quantized(work)
    batches = []

    def outputs(inputs: torch.Tensor) -> torch.Tensor:
        if len(inputs) != 3:
            raise RuntimeError("a fixed batch")
        batches.append(len(inputs))
        return candidate.call(work, inputs)

    found = finish(agreeing(work, candidate, Prepared(lambda: None, outputs, 0, True), "validation", 3))
    assert (found.n, found.equal, found.largest) == (30, 1.0, 0.0)  # of 32: the rest does not fill a batch
    nowhere = Prepared(lambda: None, lambda inputs: inputs.nothing, 0, True)
    assert finish(agreeing(work, candidate, nowhere, "validation", 3)) is None


def test_weights_alone_are_simulated_only() -> None:
    work = trained(Words)
    report = measure(work, quantized(work, activations=None), runtimes=("onnxruntime",))
    assert report.latency["onnxruntime"].is_simulated


def test_openvino_computes_the_same() -> None:
    pytest.importorskip("openvino")
    work = trained(Residual)
    candidate = quantized(work)
    ready = find("openvino").prepare(candidate.model, work.example, candidate=candidate)
    inputs = work.test.first()[0]
    ours = candidate.call(work, inputs)
    assert float((ready.outputs(inputs) - ours).abs().max()) <= 0.02 * float(ours.abs().max())
    assert len(ready.integer_layers) == 4


@pytest.mark.slow
def test_executorch_computes_the_same(tmp_path, monkeypatch) -> None:
    pytest.importorskip("executorch")
    work = trained(Residual)
    candidate = quantized(work)
    ready = find("executorch").prepare(candidate.model, work.example, candidate=candidate)
    inputs = work.test.first()[0][:1]
    ours = candidate.call(work, inputs)
    assert float((ready.outputs(inputs) - ours).abs().max()) <= 0.02 * float(ours.abs().max())
    assert ready.integer_layers == ("conv1", "conv2", "conv3")
    assert any("fc in float32" in each for each in ready.notes)


def version(monkeypatch, **options: object) -> wb.Version:
    from workbench.measurement import everything

    monkeypatch.setattr(everything, "measuring", functools.partial(everything.measuring, runtimes=()))
    return wb.compress(trained(Residual), wb.Quantize(**{"activations": 8, **options}))


def test_an_exported_file_runs_in_a_plain_session(tmp_path, monkeypatch) -> None:
    import onnx
    import onnxruntime

    small = version(monkeypatch)
    written = wb.export(small, tmp_path / "small.onnx")
    assert written == (tmp_path / "small.onnx").stat().st_size
    kinds = {each.op_type for each in onnx.load(tmp_path / "small.onnx").graph.node}
    assert {"QuantizeLinear", "DequantizeLinear"} <= kinds
    session = onnxruntime.InferenceSession(tmp_path / "small.onnx", providers=["CPUExecutionProvider"])
    inputs = small.work.test.first()[0]
    found = session.run(None, {"input": inputs.numpy()})[0]
    expected = small(inputs).numpy()
    assert np.abs(found - expected).max() <= 0.02 * np.abs(expected).max()
    sure = np.diff(np.sort(expected, 1)[:, -2:], axis=1)[:, 0] > 0.04 * np.abs(expected).max()
    assert sure.any() and (found.argmax(1) == expected.argmax(1))[sure].all()


def test_pte_without_executorch_says_how_to_install_it(tmp_path, monkeypatch) -> None:
    import importlib.util

    find_spec = importlib.util.find_spec
    monkeypatch.setattr(
        importlib.util,
        "find_spec",
        lambda name, *more: None if name == "executorch" else find_spec(name, *more),
    )
    with pytest.raises(RuntimeUnavailable, match=r"pip install 'compression-workbench\[executorch\]'"):
        wb.export(version(monkeypatch), tmp_path / "small.pte")
    with pytest.raises(StorageError, match=r"\.onnx, \.pte"):
        wb.export(version(monkeypatch), tmp_path / "small.tflite")
    assert not list(tmp_path.iterdir())


def test_torch_compile_needs_a_compiler(monkeypatch) -> None:
    import shutil

    monkeypatch.setattr(shutil, "which", lambda name: None)
    with pytest.raises(RuntimeUnavailable, match="needs a C\\+\\+ compiler"):
        find("torch-compile").check()


@pytest.mark.slow
def test_torch_compile_computes_the_same_in_float32() -> None:
    runtime = find("torch-compile")
    try:
        runtime.check()
    except RuntimeUnavailable as reason:
        pytest.skip(str(reason))
    net = torch.nn.Sequential(torch.nn.Linear(6, 4), torch.nn.ReLU()).eval()
    x = torch.randn(1, 6)
    ready = runtime.prepare(net, x)
    with torch.no_grad():
        torch.testing.assert_close(ready.outputs(x), net(x))
    assert "torch-compile" not in wb.measurement.everything.RUNTIMES  # tens of seconds nobody asked for


def test_example_nets_lose_nothing_much_in_int8() -> None:
    from workbench.job import finish
    from workbench.measurement import evaluating

    for name in ("digits", "lenet-300-100"):
        work = wb.examples.load(name)
        before = finish(evaluating(work)).accuracy.value
        after = finish(evaluating(work, quantized(work))).accuracy.value
        assert after >= before - 0.003
