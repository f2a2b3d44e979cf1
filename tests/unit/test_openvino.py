"""The OpenVINO extra: the same outputs as PyTorch, timed like every runtime, one line where it is missing."""

from __future__ import annotations

import importlib.util

import pytest
import torch
from torch import nn

from workbench import Workload, measure, runtimes
from workbench.errors import RuntimeUnavailable

pytestmark = pytest.mark.slow


@pytest.fixture
def net() -> nn.Module:
    torch.manual_seed(0)
    return nn.Sequential(nn.Conv2d(1, 4, 3), nn.ReLU(), nn.Flatten(), nn.Linear(4 * 36, 10)).eval()


def test_same_outputs_as_pytorch(net: nn.Module) -> None:
    inputs = torch.randn(5, 1, 8, 8)
    prepared = runtimes.find("openvino").prepare(net, inputs[:1])
    assert torch.allclose(prepared.outputs(inputs), net(inputs), atol=1e-5)


def test_latency_is_timed_beside_the_baseline(net: nn.Module) -> None:
    work = Workload(net, input_shape=(1, 8, 8))
    latency = measure(work, work.candidate(), runtimes=("openvino",)).latency["openvino"]
    assert latency.baseline_ms is not None
    assert latency.speedup_low <= latency.speedup <= latency.speedup_high


def test_missing_extra_names_its_install_line(net: nn.Module, monkeypatch: pytest.MonkeyPatch) -> None:
    found = importlib.util.find_spec
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None if name == "openvino" else found(name))
    with pytest.raises(RuntimeUnavailable, match=r"pip install 'compression-workbench\[openvino\]'"):
        runtimes.find("openvino").check()
