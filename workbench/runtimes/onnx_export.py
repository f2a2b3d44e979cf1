"""Write a model as a float32 ONNX file whose outputs agree with PyTorch's."""

from __future__ import annotations

import os
import tempfile
from collections import OrderedDict
from pathlib import Path
from typing import TYPE_CHECKING, Any

from workbench.errors import RuntimeUnavailable, StorageError
from workbench.runtimes.base import Call
from workbench.runtimes.onnx_graph import Graph, signature, traced

if TYPE_CHECKING:
    from collections.abc import Iterator

    import onnxruntime
    from torch import Tensor, nn

    from workbench.candidate import Candidate

# float32 sums in another order: a thousandth of the largest output is far above what rounding does in the
# deepest of common networks, and far below what a wrong weight does
_TOLERANCE = 1e-3
CPU, CUDA = "CPUExecutionProvider", "CUDAExecutionProvider"
_KEPT = 16  # traced structures; they hold no weights
_graphs: OrderedDict[tuple[Any, ...], Graph] = OrderedDict()


def export_onnx(
    model: nn.Module,
    example: Any,
    path: str | Path,
    *,
    call: Call | None = None,
    candidate: Candidate | None = None,
) -> int:
    """Write `model` to one ONNX file and return its bytes.

    The batch dimension is free where the model allows it. The file appears under its name only when it is
    complete and its outputs agree with PyTorch's.

    Args:
        model: in eval mode; it is not changed.
        example: the inputs of one sample; a tensor, a tuple (positional) or a mapping (by name).
        call: `call(model, inputs)` where the model is called in an unusual way.
        candidate: whose model it is; what it simulates in 8 bits is written with QuantizeLinear and
            DequantizeLinear, its own codes and scales between them.

    Raises:
        RuntimeUnavailable: the model cannot be written as ONNX, or its outputs would differ.
        StorageError: the file cannot be written.
    """
    path = Path(path)
    if not path.parent.is_dir():
        raise StorageError(f"{path} cannot be written: there is no folder {path.parent}")
    from workbench.runtimes.lowering.onnx_int8 import written

    data = written(model, example, call=call, candidate=candidate, is_fresh=True).data
    try:
        handle, name = tempfile.mkstemp(prefix=f".{path.name}.", dir=path.parent)
        try:
            with os.fdopen(handle, "wb") as file:
                file.write(data)
            Path(name).replace(path)
        except BaseException:
            Path(name).unlink(missing_ok=True)
            raise
    except OSError as error:
        raise StorageError(f"{path} cannot be written: {error.strerror or error}") from error
    return len(data)


def onnx_bytes(model: nn.Module, example: Any, *, call: Call | None = None, is_fresh: bool = False) -> bytes:
    """The ONNX file of `model` as bytes, checked against PyTorch.

    A structure that was traced before is filled with the model's weights; `is_fresh` traces anew.

    Raises:
        RuntimeUnavailable: as for `export_onnx`.
    """
    return onnx_graph(model, example, call=call, is_fresh=is_fresh)[1]


def onnx_graph(
    model: nn.Module, example: Any, *, call: Call | None = None, is_fresh: bool = False
) -> tuple[Graph, bytes]:
    """The traced graph of `model` and its float32 ONNX file, checked against PyTorch.

    Raises:
        RuntimeUnavailable: as for `export_onnx`.
    """
    from workbench.data import mapped
    from workbench.measurement.compute import plain_call

    call = call or plain_call
    example = mapped(lambda each: each[:1].cpu() if each.ndim else each.cpu(), example)
    key = signature(model, example, call)
    if not is_fresh and (graph := _graphs.get(key)) is not None:
        data = graph.filled(model)
        if _difference(data, graph, model, example, call) is None:
            return graph, data
        # the same layers, put together in another way: trace this one
    graph = traced(model, example, call)
    data = graph.filled(model)
    if difference := _difference(data, graph, model, example, call):
        raise RuntimeUnavailable(f"the ONNX file would not compute what the model does: {difference}")
    _graphs[key] = graph
    while len(_graphs) > _KEPT:
        _graphs.popitem(last=False)
    return graph, data


def session(data: bytes, threads: int = 1, provider: str = CPU) -> onnxruntime.InferenceSession:
    """An ONNX Runtime session on the CPU; with one thread it runs in the caller's."""
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads
    options.inter_op_num_threads = 1
    options.log_severity_level = 4
    # threads that spin while they wait would take time from the other model of an interleaved run
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")
    return onnxruntime.InferenceSession(data, options, providers=list(dict.fromkeys((provider, CPU))))


def feeds(running: onnxruntime.InferenceSession, inputs: Any) -> dict[str, Any]:
    """The inputs as a session takes them: arrays by name."""
    names = [each.name for each in running.get_inputs()]
    return dict(zip(names, (each.cpu().numpy() for each in leaves(inputs)), strict=True))


def leaves(value: Any) -> Iterator[Tensor]:
    """Every tensor in nested outputs or inputs, in order."""
    from torch import Tensor

    if isinstance(value, Tensor):
        yield value
    elif isinstance(value, dict):
        for each in value.values():
            yield from leaves(each)
    elif isinstance(value, (tuple, list)):
        for each in value:
            yield from leaves(each)


def _difference(data: bytes, graph: Graph, model: nn.Module, example: Any, call: Call) -> str | None:
    """What differs between the file and the model, in words; None where they agree."""
    import torch

    running = session(data)
    for inputs in _samples(example, 3 if graph.is_dynamic else 1):
        with torch.no_grad():
            expected = [each.detach().float().cpu() for each in leaves(call(model, _on(inputs, model)))]
        try:
            found = [torch.from_numpy(each).float() for each in running.run(None, feeds(running, inputs))]
        except Exception as error:
            return str(error).split("\n")[0]
        if [each.shape for each in found] != [each.shape for each in expected]:
            return "its outputs have other shapes"
        for ours, theirs in zip(expected, found, strict=True):
            allowed = _TOLERANCE * float(ours.nan_to_num(0, 0, 0).abs().amax()) + 1e-6 if ours.numel() else 0
            if not torch.allclose(theirs, ours, rtol=0, atol=allowed, equal_nan=True):
                return f"outputs differ by up to {float((theirs - ours).abs().max()):.3g}"
    return None


def _samples(example: Any, batch: int) -> Iterator[Any]:
    """The example itself, and as many samples of noise of its kind: an example of zeros tells little."""
    import torch

    from workbench.data import mapped

    generator = torch.Generator().manual_seed(0)

    def noisy(tensor: Tensor) -> Tensor:
        if not tensor.ndim:
            return tensor
        many = tensor.expand(batch, *tensor.shape[1:]) if tensor.shape[0] == 1 else tensor
        if not tensor.is_floating_point():
            return many.contiguous()  # indices and masks: other values may have no meaning
        return torch.randn(many.shape, generator=generator).to(tensor.dtype)

    yield example
    yield mapped(noisy, example)


def _on(inputs: Any, model: nn.Module) -> Any:
    from workbench.data import mapped

    device = next((each.device for each in model.state_dict().values()), None)
    return mapped(lambda each: each.to(device), inputs) if device is not None else inputs
