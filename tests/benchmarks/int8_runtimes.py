"""int8 of resnet18 and mobilenet_v2 at 224, batch 1: ours beside what each runtime's own tool gives.

    python tests/benchmarks/int8_runtimes.py [resnet18 | mobilenet_v2] [--rounds 40] [--executorch]

One thread, all in turns within one run: PyTorch eager float32, ONNX Runtime float32, ours and
`quantize_static` on ONNX Runtime; where they are installed, OpenVINO float32, ours and NNCF's on OpenVINO,
and torchao's int8 in eager PyTorch; with --executorch the .pte of ours. Weights are random, with batch norms
that know their data: no pretrained ones can be had offline, and time does not depend on them. Outputs of such
nets are nearly chaotic: ties that fall the other way grow from layer to layer, which trained nets damp.
"""

from __future__ import annotations

import argparse
import importlib.util
import statistics
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import torch
import torchvision
from torch import Tensor, nn

from workbench.candidate import Candidate
from workbench.job import finish
from workbench.runtimes import find
from workbench.runtimes.onnx_export import onnx_bytes, session
from workbench.technique import Context, prepared
from workbench.techniques.quantize import Quantize
from workbench.workload import Workload

NETS = ("resnet18", "mobilenet_v2")
# over ONNX Runtime float32, by net; over PyTorch eager; and our time over that of the runtime's own tool
OVER_FLOAT, OVER_EAGER, OVER_OWN = {"resnet18": 2.8, "mobilenet_v2": 1.8}, 4.5, 1.05
_CALIBRATION = 32  # images

Run = Callable[[], Any]


def workload(name: str) -> Workload:
    """A net whose batch norms have seen its data."""
    torch.manual_seed(0)
    net, x = getattr(torchvision.models, name)(weights=None), torch.randn(_CALIBRATION, 3, 224, 224)
    for module in net.modules():
        if isinstance(module, nn.BatchNorm2d):
            module.momentum = None
    with torch.no_grad():
        net.train()(x[:16])
    y = torch.arange(_CALIBRATION)
    return Workload(net.eval(), train=(x, y), validation=(x[:8], y[:8]), test=(x[:8], y[:8]), threads=1)


def quantized(work: Workload) -> Candidate:
    """Weights and activations in 8 bits."""
    step, start, context = Quantize(weights=8, activations=8), work.candidate(), Context(work)
    return finish(step.apply(start, context, prepared(step, start, context)))


def images(work: Workload) -> Tensor:
    """What all tools are calibrated on."""
    return torch.cat([inputs for inputs, _ in work.train])


def onnxruntime_own(work: Workload, folder: Path) -> bytes:
    """What `quantize_static` makes: unsigned activations, signed weights per channel."""
    from onnxruntime.quantization import CalibrationDataReader, QuantFormat, QuantType, quantize_static
    from onnxruntime.quantization.shape_inference import quant_pre_process

    class Reader(CalibrationDataReader):
        def __init__(self) -> None:
            self._left = iter([{"input": each[None].numpy()} for each in images(work)])

        def get_next(self) -> Any:
            return next(self._left, None)

    plain, ready, made = (folder / f"{each}.onnx" for each in ("plain", "ready", "made"))
    plain.write_bytes(onnx_bytes(work.baseline, work.example))
    quant_pre_process(str(plain), str(ready))
    quantize_static(
        str(ready),
        str(made),
        Reader(),
        quant_format=QuantFormat.QDQ,
        per_channel=True,
        activation_type=QuantType.QUInt8,
        weight_type=QuantType.QInt8,
    )
    return made.read_bytes()


def openvino_own(work: Workload) -> Run:
    """What NNCF makes of the OpenVINO model."""
    import nncf
    import openvino

    model = openvino.Core().read_model(onnx_bytes(work.baseline, work.example), b"")
    data = nncf.Dataset([each[None].numpy() for each in images(work)])
    made = nncf.quantize(model, data, subset_size=_CALIBRATION)
    options = {"INFERENCE_NUM_THREADS": 1, "PERFORMANCE_HINT": "LATENCY"}
    request = openvino.Core().compile_model(made, "CPU", options).create_infer_request()
    example = [work.example.numpy()]
    return lambda: request.infer(example)


def torchao_own(work: Workload) -> Run:
    """torchao's eager int8: dynamic activations, int8 weights (linear layers only)."""
    import copy

    from torchao.quantization import Int8DynamicActivationInt8WeightConfig, quantize_

    model = copy.deepcopy(work.baseline)
    quantize_(model, Int8DynamicActivationInt8WeightConfig())
    return _without_gradients(lambda: model(work.example))


def _without_gradients(run: Run) -> Run:
    def wrapped() -> Any:
        with torch.no_grad():
            return run()

    return wrapped


def runs(work: Workload, candidate: Candidate, with_executorch: bool) -> Iterator[tuple[str, Run]]:
    """Everything there is to time, by name."""
    example = work.example
    yield "PyTorch eager", find("pytorch").prepare(work.baseline, example).run
    ort = find("onnxruntime")
    yield "ONNX Runtime float32", ort.prepare(work.baseline, example).run
    ours = ort.prepare(candidate.model, example, candidate=candidate)
    print(
        f"ONNX Runtime int8: {len(ours.integer_layers)} layers, {ours.artefact_bytes:,} bytes; {ours.notes}"
    )
    yield "ONNX Runtime int8, ours", ours.run
    with tempfile.TemporaryDirectory() as folder:
        running = session(onnxruntime_own(work, Path(folder)))
    feed = {running.get_inputs()[0].name: example.numpy()}
    yield "ONNX Runtime int8, quantize_static", lambda: running.run(None, feed)
    if importlib.util.find_spec("openvino"):
        vino = find("openvino")
        yield "OpenVINO float32", vino.prepare(work.baseline, example).run
        yield "OpenVINO int8, ours", vino.prepare(candidate.model, example, candidate=candidate).run
    if importlib.util.find_spec("openvino") and importlib.util.find_spec("nncf"):
        yield "OpenVINO int8, NNCF", openvino_own(work)
    if importlib.util.find_spec("torchao"):
        yield "PyTorch eager int8, torchao", torchao_own(work)
    if with_executorch:
        yield (
            "ExecuTorch int8, ours",
            find("executorch").prepare(candidate.model, example, candidate=candidate).run,
        )


def timed(taken: dict[str, Run], rounds: int) -> dict[str, list[float]]:
    """Milliseconds of process time, in turns: OpenVINO works in a thread of its own, even where it is one."""
    found: dict[str, list[float]] = {name: [] for name in taken}
    with one_thread():
        for run in taken.values():
            for _ in range(3):
                run()
        for number in range(rounds):
            names = list(taken) if number % 2 else list(taken)[::-1]
            for name in names:
                started = time.process_time()
                taken[name]()
                found[name].append(1e3 * (time.process_time() - started))
    return found


@contextmanager
def one_thread() -> Iterator[None]:
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(before)


def compare(name: str, rounds: int, with_executorch: bool) -> dict[str, bool]:
    """Print one net's table, and what was promised of it."""
    work = workload(name)
    started = time.perf_counter()
    candidate = quantized(work)
    print(f"\n{name}: quantized and calibrated in {time.perf_counter() - started:.1f} s")
    agreement(work, candidate)
    found = timed(dict(runs(work, candidate, with_executorch)), rounds)

    def ratio(slow: str, fast: str) -> float:
        return statistics.median(a / b for a, b in zip(found[slow], found[fast], strict=True))

    for each, values in found.items():
        low, middle, high = np.quantile(values, [0.25, 0.5, 0.75])
        speed = ratio("PyTorch eager", each)
        print(f"{each:36}{middle:8.2f} ms ({low:.2f}–{high:.2f}){speed:8.2f}× PyTorch eager")
    ours, eager, plain = "ONNX Runtime int8, ours", "PyTorch eager", "ONNX Runtime float32"
    over_plain, own = ratio(plain, ours), ratio(ours, "ONNX Runtime int8, quantize_static")
    print(f"int8 over ONNX Runtime float32 {over_plain:.2f}×; our time over quantize_static's {own:.3f}")
    promises = {
        f"{name}: int8 at least {OVER_EAGER}× PyTorch eager": ratio(eager, ours) >= OVER_EAGER,
        f"{name}: int8 at least {OVER_FLOAT[name]}× ONNX Runtime float32": over_plain >= OVER_FLOAT[name],
        f"{name}: within 5 % of quantize_static": own <= OVER_OWN,
    }
    if "OpenVINO int8, NNCF" in found:
        own = ratio("OpenVINO int8, ours", "OpenVINO int8, NNCF")
        print(f"our time over NNCF's on OpenVINO {own:.3f}")
        promises[f"{name}: within 5 % of NNCF on OpenVINO"] = own <= OVER_OWN
    return promises


def agreement(work: Workload, candidate: Candidate) -> None:
    """How far ONNX Runtime's outputs are from the simulated ones."""
    inputs = work.test.first()[0]
    ours = candidate.call(work, inputs)
    theirs = find("onnxruntime").prepare(candidate.model, work.example, candidate=candidate).outputs(inputs)
    plain = work.candidate().call(work, inputs)
    off, rounding = (float((ours - each).abs().mean()) for each in (theirs, plain))
    largest = float(ours.abs().max())
    print(
        f"outputs up to {largest:.2f}: simulated is {off:.4f} from ONNX Runtime, {rounding:.4f} from float32"
    )


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("nets", nargs="*", choices=[*NETS, []], default=[])
    parser.add_argument("--rounds", type=int, default=40)
    parser.add_argument("--executorch", action="store_true")
    given = parser.parse_args()
    torch.set_num_threads(1)
    promises: dict[str, bool] = {}
    for name in given.nets or NETS:
        promises |= compare(name, given.rounds, given.executorch)
    for promise, holds in promises.items():
        print(f"{promise}: {holds}")
    return int(not all(promises.values()))


if __name__ == "__main__":
    sys.exit(main())
