"""What was simulated is what ONNX Runtime's int8 kernels compute, on small nets of every shape they take."""

from __future__ import annotations

from collections.abc import Callable

import onnx
import pytest
import torch
from torch import Tensor, nn

from workbench.candidate import Candidate
from workbench.job import finish
from workbench.runtimes.lowering.onnx_int8 import int8_onnx, said
from workbench.runtimes.onnx_export import session
from workbench.technique import Context, prepared
from workbench.techniques.quantize import Quantize
from workbench.workload import Workload

SIZE = 8


class Residual(nn.Module):
    """Convolution, batch norm and a sum, as in a ResNet: one ReLU module in three places."""

    def __init__(self) -> None:
        super().__init__()
        self.conv1, self.bn1 = nn.Conv2d(3, 8, 3, padding=1, bias=False), nn.BatchNorm2d(8)
        self.conv2, self.bn2 = nn.Conv2d(8, 8, 3, padding=1, bias=False), nn.BatchNorm2d(8)
        self.conv3, self.bn3 = nn.Conv2d(8, 8, 3, padding=1, bias=False), nn.BatchNorm2d(8)
        self.relu, self.fc = nn.ReLU(inplace=True), nn.Linear(8, 4)

    def forward(self, x: Tensor) -> Tensor:
        x = nn.functional.max_pool2d(self.relu(self.bn1(self.conv1(x))), 2)
        y = self.bn3(self.conv3(self.relu(self.bn2(self.conv2(x)))))
        return self.fc(self.relu(x + y).mean((2, 3)))


class Mobile(nn.Module):
    """Depthwise convolutions between narrow ends that are summed, with ReLU6."""

    def __init__(self) -> None:
        super().__init__()
        self.stem = nn.Sequential(nn.Conv2d(3, 4, 3, padding=1), nn.BatchNorm2d(4), nn.ReLU6())
        self.wide = nn.Sequential(nn.Conv2d(4, 16, 1, bias=False), nn.BatchNorm2d(16), nn.ReLU6())
        self.deep = nn.Conv2d(16, 16, 3, padding=1, groups=16, bias=False)
        self.norm = nn.BatchNorm2d(16, affine=False)
        self.thin = nn.Sequential(nn.Conv2d(16, 4, 1, bias=False), nn.BatchNorm2d(4))
        self.head = nn.Sequential(nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(4, 4))

    def forward(self, x: Tensor) -> Tensor:
        x = self.stem(x)
        return self.head(x + self.thin(nn.functional.relu6(self.norm(self.deep(self.wide(x))))))


class Joined(nn.Module):
    """Two convolutions joined along the channels, one of them with negative values, then a third."""

    def __init__(self) -> None:
        super().__init__()
        self.a, self.b = nn.Conv2d(3, 4, 3), nn.Conv2d(3, 4, 3)
        self.c, self.fc = nn.Conv2d(8, 4, 1), nn.Linear(4 * 36, 4)

    def forward(self, x: Tensor) -> Tensor:
        x = torch.cat([torch.relu(self.a(x)), self.b(x)], 1)
        return self.fc(torch.relu(self.c(x)).flatten(1))


class Words(nn.Module):
    """Linear layers along a sequence, two of them side by side on one input."""

    def __init__(self) -> None:
        super().__init__()
        self.q, self.k = nn.Linear(SIZE, SIZE, bias=False), nn.Linear(SIZE, SIZE)
        self.out = nn.Linear(SIZE, 4)

    def forward(self, x: Tensor) -> Tensor:
        x = x.flatten(1, 2)
        return self.out((self.q(x) * torch.sigmoid(self.k(x))).mean(1))


NETS = {"residual": Residual, "mobile": Mobile, "joined": Joined, "words": Words}


def trained(make: Callable[[], nn.Module]) -> Workload:
    """A net whose batch norms know their data, with every third channel of them upside down."""
    torch.manual_seed(0)
    net, x = make().train(), torch.randn(192, 3, SIZE, SIZE)
    for module in net.modules():
        if isinstance(module, nn.BatchNorm2d) and module.affine:
            nn.init.uniform_(module.weight, 0.5, 1.5)
            nn.init.normal_(module.bias)
            with torch.no_grad():
                module.weight[::3] *= -1
    with torch.no_grad():
        for _ in range(20):
            net(x)
    y = torch.arange(192) % 4
    parts = {"train": slice(0, 128), "validation": slice(128, 160), "test": slice(160, 192)}
    return Workload(net.eval(), **{name: (x[part], y[part]) for name, part in parts.items()})


def quantized(work: Workload, **options: object) -> Candidate:
    step, start, context = Quantize(**{"activations": 8, **options}), work.candidate(), Context(work)
    return finish(step.apply(start, context, prepared(step, start, context)))


def compared(work: Workload, candidate: Candidate, data: bytes) -> tuple[float, float]:
    """The largest difference between the file and the simulation, and the largest output."""
    x = next(iter(work.test))[0]
    ours = candidate.call(work, x)
    theirs = torch.from_numpy(session(data).run(None, {"input": x.numpy()})[0])
    return float((ours - theirs).abs().max()), float(ours.abs().max())


@pytest.mark.parametrize(
    "name",
    [each if each in ("residual", "words") else pytest.param(each, marks=pytest.mark.slow) for each in NETS],
)
def test_what_was_simulated_is_what_runs(name: str) -> None:
    work = trained(NETS[name])
    candidate = quantized(work)
    found = int8_onnx(candidate, work.example)
    assert not found.left
    difference, largest = compared(work, candidate, found.data)
    float_only, _ = compared(work, work.candidate(), found.data)
    assert difference <= 0.01 * largest  # a tie that falls the other way moves one code of 255
    assert difference < float_only  # the file computes what is simulated, not what the original does


@pytest.mark.parametrize("bits", [2, 4])
def test_few_bits_of_weights_run_in_int8_too(bits: int) -> None:
    work = trained(Residual)
    candidate = quantized(work, weights=bits, symmetric=bits != 4)
    found = int8_onnx(candidate, work.example)
    assert not found.left
    difference, largest = compared(work, candidate, found.data)
    assert difference <= 0.02 * largest
    held = onnx.load_from_string(found.data).graph.initializer
    codes = next(
        onnx.numpy_helper.to_array(each) for each in held if each.name.startswith("conv2.weight_codes")
    )
    assert len(set(codes.reshape(-1).tolist())) <= 2 ** (bits + 1)


def test_every_convolution_becomes_an_integer_kernel(tmp_path) -> None:
    import onnxruntime

    data = int8_onnx(quantized(work := trained(Residual)), work.example).data
    options = onnxruntime.SessionOptions()
    options.optimized_model_filepath = str(tmp_path / "optimized.onnx")
    options.log_severity_level = 4
    onnxruntime.InferenceSession(data, options, providers=["CPUExecutionProvider"])
    kinds = [each.op_type for each in onnx.load(tmp_path / "optimized.onnx").graph.node]
    assert kinds.count("QLinearConv") == 3 and "Conv" not in kinds
    assert "Gemm" not in kinds and "MatMul" not in kinds
    assert kinds.count("QuantizeLinear") <= 2  # what goes in, and what the mean gives


@pytest.mark.slow
def test_a_file_takes_any_batch() -> None:
    work = trained(Mobile)
    running = session(int8_onnx(quantized(work), work.example).data)
    for batch in (1, 3):
        assert running.run(None, {"input": torch.randn(batch, 3, SIZE, SIZE).numpy()})[0].shape == (batch, 4)


def test_dynamic_ranges_run_in_linear_layers_and_are_told_of_convolutions() -> None:
    work = trained(Words)
    candidate = quantized(work, scheme="dynamic")
    found = int8_onnx(candidate, work.example)
    assert not found.left
    difference, largest = compared(work, candidate, found.data)
    assert difference <= 1e-4 * largest
    work = trained(Residual)
    found = int8_onnx(quantized(work, scheme="dynamic"), work.example)
    assert found.layers == ("fc",)
    assert "dynamic" in found.left["conv1"]


@pytest.mark.parametrize(
    ("options", "why"),
    [
        ({"activations": 4}, "4 bits, int8 kernels take 8"),
        ({"weights": 16}, "16 bits, int8 kernels take 8 at most"),
        ({"granularity": "group"}, "a scale for each group"),
    ],
)
def test_what_kernels_cannot_take_stays_in_float32_and_is_told(options: dict, why: str) -> None:
    work = trained(Residual)
    found = int8_onnx(quantized(work, **options), work.example)
    assert why in found.left["conv2"]
    assert any(why in each for each in said(found, "ONNX Runtime"))


@pytest.mark.slow
def test_a_channel_without_weights_keeps_its_bias() -> None:
    torch.manual_seed(0)
    net = nn.Sequential(nn.Conv2d(3, 4, 3), nn.ReLU(), nn.Conv2d(4, 4, 3), nn.Flatten(), nn.Linear(64, 4))
    with torch.no_grad():
        net[0].weight[1] = 0
        net[2].weight[2] *= 1e-9  # and a bias that no int32 holds beside such a scale
        net[2].bias[2] = 3.0
    x, y = torch.randn(64, 3, SIZE, SIZE), torch.arange(64) % 4
    work = Workload(net, train=(x, y), validation=(x, y), test=(x, y))
    candidate = quantized(work)
    found = int8_onnx(candidate, work.example)
    assert not found.left
    difference, largest = compared(work, candidate, found.data)
    assert difference <= 0.01 * largest
