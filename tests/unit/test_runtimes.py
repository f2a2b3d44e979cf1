"""Every runtime gives what PyTorch gives, says what it loads, and says in one line what it cannot take."""

from __future__ import annotations

import importlib.util
import subprocess
import sys
import threading
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import nn

from workbench.errors import RuntimeUnavailable, StorageError
from workbench.runtimes import find, onnx_export, runtimes, title
from workbench.runtimes.onnx_export import export_onnx, onnx_bytes
from workbench.runtimes.onnxruntime import OnnxRuntime

pytestmark = pytest.mark.slow

NAMES = ("pytorch", "onnxruntime")


def small(width: int = 4) -> nn.Module:
    return nn.Sequential(
        nn.Conv2d(1, width, 3), nn.BatchNorm2d(width), nn.ReLU(), nn.Flatten(), nn.Linear(36 * width, 3)
    ).eval()


class Two(nn.Module):
    """Takes two inputs, by position or by name."""

    def __init__(self) -> None:
        super().__init__()
        self.layer = nn.Linear(4, 2)

    def forward(self, a, b):
        return self.layer(a) * b


class Branches(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.layer = nn.Linear(4, 4)

    def forward(self, x):
        return self.layer(x) if x.sum().item() > 0 else x


class Unknown(nn.Module):
    def forward(self, x):
        return torch.linalg.eigvals(x.reshape(-1, 2, 2)).real


@pytest.fixture(scope="module")
def exported(tmp_path_factory) -> tuple[nn.Module, Path]:
    """A small model and the file it was exported to."""
    model, path = small(), tmp_path_factory.mktemp("exported") / "small.onnx"
    assert export_onnx(model, torch.randn(1, 1, 8, 8), path) == path.stat().st_size
    return model, path


def test_runtimes_are_the_files_of_their_folder() -> None:
    assert set(NAMES) <= set(runtimes())
    assert next(iter(runtimes())) == "pytorch"
    assert title("onnxruntime") == "ONNX Runtime"
    assert title("gone") == "gone"


def test_an_unknown_runtime_names_the_nearest() -> None:
    with pytest.raises(RuntimeUnavailable, match="did you mean 'onnxruntime'"):
        find("onnx-runtime")


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("batch", [1, 5])
def test_outputs_are_those_of_the_model(name: str, batch: int) -> None:
    model, x = small(), torch.randn(batch, 1, 8, 8)
    prepared = find(name).prepare(model, x)
    prepared.run()
    torch.testing.assert_close(prepared.outputs(x), model(x), rtol=1e-4, atol=1e-5)
    assert prepared.artefact_bytes > 4 * sum(each.numel() for each in model.parameters()) * 0.9


@pytest.mark.parametrize("name", NAMES)
def test_inputs_by_position_by_name_and_called_otherwise(name: str) -> None:
    model, a, b = Two().eval(), torch.randn(1, 4), torch.randn(1, 2)
    runtime = find(name)
    expected = model(a, b)
    for example in ((a, b), {"b": b, "a": a}):
        torch.testing.assert_close(runtime.prepare(model, example).outputs(example), expected)
    swapped = runtime.prepare(model, (b, a), call=lambda model, inputs: model(inputs[1], inputs[0]))
    torch.testing.assert_close(swapped.outputs((b, a)), expected)


@pytest.mark.parametrize("name", NAMES)
def test_preparing_leaves_the_model_alone(name: str) -> None:
    model = small()
    before = {key: value.clone() for key, value in model.state_dict().items()}
    find(name).prepare(model, torch.randn(1, 1, 8, 8)).run()
    assert all(torch.equal(value, before[key]) for key, value in model.state_dict().items())
    assert [type(each) for each in model.parameters()] == [nn.Parameter] * 6


@pytest.mark.parametrize("name", NAMES)
def test_one_thread_runs_in_the_callers(name: str) -> None:
    x = torch.randn(1, 1, 8, 8)
    assert find(name).prepare(small(), x, threads=1).is_in_thread
    assert not find(name).prepare(small(), x, threads=2).is_in_thread


def test_a_structure_is_traced_once_and_filled_with_other_weights(monkeypatch) -> None:
    onnx_export._graphs.clear()
    traced = []
    trace = onnx_export.traced
    monkeypatch.setattr(onnx_export, "traced", lambda *given: traced.append(0) or trace(*given))
    x = torch.randn(2, 1, 8, 8)
    for _ in range(3):
        model = small()
        torch.testing.assert_close(
            find("onnxruntime").prepare(model, x).outputs(x), model(x), rtol=1e-4, atol=1e-5
        )
    assert len(traced) == 1
    find("onnxruntime").prepare(small(5), x)
    assert len(traced) == 2


def test_the_same_layers_put_together_otherwise_are_traced_anew() -> None:
    def call(model, inputs):
        return model(inputs)

    def made(sign: int) -> nn.Module:
        class Net(nn.Module):
            """As when a notebook's cell that defines a class is edited and run again."""

            def __init__(self) -> None:
                super().__init__()
                self.layer = nn.Linear(4, 4)

            def forward(self, x):
                return self.layer(x) * sign

        return Net().eval()

    x, first, second = torch.randn(1, 4), made(1), made(-1)
    onnx_bytes(first, x, call=call)
    graph = onnx_export._graphs[onnx_export.signature(first, x, call)]
    onnx_export._graphs[onnx_export.signature(second, x, call)] = graph
    found = onnx_export.session(onnx_bytes(second, x, call=call)).run(None, {"input": x.numpy()})[0]
    np.testing.assert_allclose(found, second(x).detach().numpy(), rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize(
    ("model", "reason"),
    [
        (Unknown(), "ONNX has no operation for aten.linalg_eig"),
        (Branches(), "depends on the values of a tensor"),
    ],
)
def test_what_onnx_cannot_take_is_said_in_one_line(model: nn.Module, reason: str, capfd) -> None:
    with pytest.raises(RuntimeUnavailable, match=reason) as caught:
        find("onnxruntime").prepare(model.eval(), torch.randn(1, 4))
    assert "\n" not in str(caught.value)
    assert capfd.readouterr() == ("", "")


def test_a_runtime_that_is_not_installed_says_how_to_install_it(monkeypatch) -> None:
    found = importlib.util.find_spec
    monkeypatch.setattr(
        importlib.util, "find_spec", lambda name: None if name == "onnxruntime" else found(name)
    )
    with pytest.raises(RuntimeUnavailable, match=r"pip install .*onnxruntime"):
        OnnxRuntime().check()


def test_export_writes_one_file_that_agrees(exported) -> None:
    import onnx

    model, path = exported
    assert [each.name for each in path.parent.iterdir()] == ["small.onnx"]
    onnx.checker.check_model(str(path))
    x = torch.randn(7, 1, 8, 8)  # the batch dimension is free
    found = onnx_export.session(path.read_bytes()).run(["output"], {"input": x.numpy()})[0]
    np.testing.assert_allclose(found, model(x).detach().numpy(), rtol=1e-4, atol=1e-5)


def test_an_exported_file_holds_no_paths_of_this_machine(exported) -> None:
    data = exported[1].read_bytes()
    assert b".py" not in data
    assert b"site-packages" not in data


def test_a_folder_that_cannot_be_written_gets_one_line(tmp_path) -> None:
    with pytest.raises(StorageError, match="cannot be written"):
        export_onnx(small(), torch.randn(1, 1, 8, 8), tmp_path / "missing" / "small.onnx")


def test_outputs_that_disagree_are_never_written(tmp_path, monkeypatch) -> None:
    monkeypatch.setattr(onnx_export, "_difference", lambda *given: "outputs differ by up to 0.5")
    with pytest.raises(RuntimeUnavailable, match=r"differ by up to 0\.5"):
        export_onnx(small(), torch.randn(1, 1, 8, 8), tmp_path / "small.onnx")
    assert not list(tmp_path.iterdir())


def test_exporting_beside_a_training_thread_disturbs_neither() -> None:
    onnx_export._graphs.clear()
    model, x = small(), torch.randn(8, 1, 8, 8)
    learner = small().train()
    stop, failures = threading.Event(), []

    def train() -> None:
        try:
            while not stop.is_set():
                learner(x).sum().backward()
                model(x)  # the very model that is being exported
        except Exception as error:
            failures.append(error)

    thread = threading.Thread(target=train)
    thread.start()
    try:
        data = onnx_bytes(model, x)
    finally:
        stop.set()
        thread.join()
    assert not failures
    found = onnx_export.session(data).run(None, {"input": x.numpy()})[0]
    np.testing.assert_allclose(found, model(x).detach().numpy(), rtol=1e-4, atol=1e-5)


def test_measurement_and_runtimes_import_nothing_heavy() -> None:
    code = (
        "import sys, workbench.measurement.report, workbench.runtimes; workbench.runtimes.runtimes();"
        "heavy = {'torch', 'onnx', 'onnxruntime', 'onnxscript', 'altair', 'numpy'} & set(sys.modules);"
        "sys.exit(str(heavy) if heavy else 0)"
    )
    assert subprocess.run([sys.executable, "-c", code]).returncode == 0
