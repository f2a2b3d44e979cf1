"""Which nodes of an ONNX graph are which layers: by the names that tracing gave, before optimization."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    import onnx
    from torch import nn

KINDS = ("Conv", "ConvTranspose", "Gemm", "MatMul", "Gather", "LSTM", "GRU", "RNN")

_ASKING = ("Shape", "CastLike", "Size")  # they take a tensor for its shape or its type


@dataclass(frozen=True)
class Traced:
    """What the traced graph says of one use of a weight.

    Attributes:
        weight: the parameter's name.
        norm: the path of the batch norm that follows; empty where none does.
        is_turned: the weight stands transposed.
    """

    weight: str
    norm: str = ""
    is_turned: bool = False

    @property
    def layer(self) -> str:
        """The path of the module that owns the weight."""
        return self.weight.rpartition(".")[0]


@dataclass(frozen=True)
class Names:
    """How to tell layers in the optimized graph: by what their node gives, or by the weight it takes."""

    by_output: Mapping[str, Traced]
    by_weight: Mapping[str, Traced]

    def of(self, node: onnx.NodeProto) -> Traced | None:
        """The layer a node computes, None where it is no layer's."""
        if node.op_type not in KINDS or len(node.input) < 2:
            return None
        at = 0 if node.op_type == "Gather" else 1
        return self.by_output.get(node.output[0]) or self.by_weight.get(node.input[at])


def names(skeleton: onnx.ModelProto, model: nn.Module) -> Names:
    """The layers of a traced graph."""
    weights = {name for name, each in model.named_parameters(remove_duplicate=False) if each.ndim >= 2}
    by_weight = {name: Traced(name) for name in weights}
    consumers: dict[str, list[onnx.NodeProto]] = {}
    for node in skeleton.graph.node:
        for name in node.input:
            consumers.setdefault(name, []).append(node)
        if node.op_type == "Transpose" and node.input[0] in weights:
            by_weight[node.output[0]] = Traced(node.input[0], is_turned=True)
    by_output: dict[str, Traced] = {}
    for node in skeleton.graph.node:
        at = 0 if node.op_type == "Gather" else 1
        if node.op_type not in KINDS or len(node.input) < 2 or node.input[at] not in by_weight:
            continue
        found, output = by_weight[node.input[at]], node.output[0]
        after = [each for each in consumers.get(output, []) if each.op_type not in _ASKING]
        if len(after) == 1 and after[0].op_type == "BatchNormalization":
            norm = after[0].input[3].rpartition(".")[0]  # always there, unlike weight and bias
            found, output = Traced(found.weight, norm, found.is_turned), after[0].output[0]
        by_output[output] = found
    return Names(by_output, by_weight)


def factors(model: nn.Module, path: str) -> np.ndarray:
    """What a batch norm multiplies each channel with."""
    norm: Any = model.get_submodule(path)
    inverse = (norm.running_var.detach().cpu().double() + norm.eps).rsqrt()
    if norm.weight is not None:
        inverse = inverse * norm.weight.detach().cpu().double()
    found: np.ndarray = inverse.numpy()
    return found
