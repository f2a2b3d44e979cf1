"""A model as an ONNX graph: traced once per structure, then filled with the weights of any model like it.

Tracing takes about a second and filling some milliseconds, and most candidates differ from the baseline in
their weights only. Whoever fills a graph checks its outputs against PyTorch (`onnx_export`).
"""

from __future__ import annotations

import copy
import threading
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from workbench.errors import RuntimeUnavailable
from workbench.runtimes.base import Call
from workbench.runtimes.onnx_trouble import is_hopeless, quiet, reason

if TYPE_CHECKING:
    import onnx
    from torch import Tensor, nn

_INNER = "model."  # how the traced module names the model it calls
_tracing = threading.Lock()  # torch's tracing switches settings of the whole process


@dataclass(frozen=True, eq=False)
class Graph:
    """A traced structure: the ONNX model before optimization, without its weights.

    Attributes:
        is_dynamic: the batch dimension is free; otherwise it is fixed at the example's.
    """

    skeleton: onnx.ModelProto
    is_dynamic: bool

    def filled(self, model: nn.Module) -> bytes:
        """The optimized ONNX file of this structure with the weights of `model`."""
        import onnxscript.optimizer
        from onnxscript import ir

        proto = copy.deepcopy(self.skeleton)
        tensors = _tensors(model)
        for initializer in proto.graph.initializer:
            if initializer.name in tensors:
                initializer.raw_data = _raw(tensors[initializer.name])
        with quiet():
            optimized = onnxscript.optimizer.optimize(ir.from_proto(proto))
        return ir.to_proto(optimized).SerializeToString()


def traced(model: nn.Module, example: Any, call: Call) -> Graph:
    """The graph of `model`, with a free batch dimension where the model allows one.

    Raises:
        RuntimeUnavailable: it cannot be written as ONNX; the line says which operation or why.
    """
    from workbench.data import mapped

    # traced with two samples: a size of one would be taken for a constant
    pair = mapped(_doubled, example)
    try:
        return _without_weights(_program(model, pair, call, is_dynamic=True), model, True)
    except Exception as error:
        if is_hopeless(error):
            raise RuntimeUnavailable(f"the model cannot be written as ONNX: {reason(error)}") from error
        first = error
    try:
        return _without_weights(_program(model, example, call, is_dynamic=False), model, False)
    except Exception:
        raise RuntimeUnavailable(f"the model cannot be written as ONNX: {reason(first)}") from first


def signature(model: nn.Module, example: Any, call: Call) -> tuple[Any, ...]:
    """What two models with the same graph have in common: layers, shapes and the way they are called."""
    tensors = tuple((name, tuple(each.shape), str(each.dtype)) for name, each in model.state_dict().items())
    return type(model), repr(model), tensors, id(call), _shapes(example)


def names_of(example: Any) -> list[str]:
    """A name for each input tensor, in the order the graph takes them."""
    from torch import Tensor

    if isinstance(example, Mapping):
        return [name for name, each in example.items() if isinstance(each, Tensor)]
    count = sum(isinstance(each, Tensor) for each in example) if isinstance(example, (tuple, list)) else 1
    return ["input"] if count == 1 else [f"input_{index}" for index in range(count)]


def _program(model: nn.Module, inputs: Any, call: Call, is_dynamic: bool) -> Any:
    import torch

    batch = {0: torch.export.Dim("batch")}
    shapes = _mapped_all(lambda each: batch if is_dynamic and each.ndim else None, inputs)
    # on a copy: tracing puts placeholders into the module, which another thread may be using
    called = _called(copy.deepcopy(model).to("cpu"), call)
    with _tracing, quiet(), torch.no_grad():
        return torch.onnx.export(
            called,
            kwargs={"inputs": inputs},  # a mapping given by position would be taken for named arguments
            dynamo=True,
            optimize=False,
            verbose=False,
            input_names=names_of(inputs),
            dynamic_shapes={"inputs": shapes},
        )


def _called(model: nn.Module, call: Call) -> nn.Module:
    from torch import nn

    class Called(nn.Module):
        """The model called the workload's way, with all its inputs as one argument."""

        def __init__(self) -> None:
            super().__init__()
            self.model = model

        def forward(self, inputs: Any) -> Any:
            return call(self.model, inputs)

    return Called().eval()


def _without_weights(program: Any, model: nn.Module, is_dynamic: bool) -> Graph:
    """The graph with the model's own names, its tensors emptied and everything about this machine removed."""
    from onnxscript import ir

    graph = program.model.graph
    for name, value in list(graph.initializers.items()):
        if name.startswith(_INNER):
            value.name = name.removeprefix(_INNER)
    if len(graph.outputs) == 1 and "output" not in graph.initializers:
        graph.outputs[0].name = "output"
    proto = ir.to_proto(program.model)
    _tidy(proto)
    tensors = _tensors(model)
    for initializer in proto.graph.initializer:
        if initializer.name in tensors and tuple(initializer.dims) == tuple(tensors[initializer.name].shape):
            initializer.raw_data = b""
    return Graph(proto, is_dynamic)


def _tidy(proto: onnx.ModelProto) -> None:
    """Remove what the exporter notes for its own debugging: source lines and paths of this machine."""
    del proto.metadata_props[:]
    graphs = [proto.graph, *proto.functions]
    for graph in graphs:
        del graph.metadata_props[:]
        graph.doc_string = ""
        for each in [
            *graph.node,
            *graph.value_info,
            *getattr(graph, "input", ()),
            *getattr(graph, "output", ()),
        ]:
            if hasattr(each, "metadata_props"):
                del each.metadata_props[:]
            if hasattr(each, "doc_string"):
                each.doc_string = ""


def _tensors(model: nn.Module) -> dict[str, Tensor]:
    """Every parameter and buffer by each of its names, on the CPU."""
    named = [*model.named_parameters(remove_duplicate=False), *model.named_buffers(remove_duplicate=False)]
    return {name: each.detach().cpu().contiguous() for name, each in named}


def _raw(tensor: Tensor) -> bytes:
    import torch

    return tensor.reshape(-1).view(torch.uint8).numpy().tobytes()  # by bytes: NumPy has no bfloat16


def _doubled(tensor: Tensor) -> Tensor:
    import torch

    return torch.cat([tensor, tensor]) if tensor.ndim else tensor


def _mapped_all(function: Any, value: Any) -> Any:
    """`function` of every tensor, None for everything else, in the same containers."""
    from torch import Tensor

    if isinstance(value, Tensor):
        return function(value)
    if isinstance(value, Mapping):
        return {key: _mapped_all(function, each) for key, each in value.items()}
    if isinstance(value, (tuple, list)):
        return tuple(_mapped_all(function, each) for each in value)
    return None


def _shapes(example: Any) -> Any:
    shapes = _mapped_all(lambda each: (tuple(each.shape), str(each.dtype)), example)
    return tuple(shapes.items()) if isinstance(shapes, dict) else shapes
