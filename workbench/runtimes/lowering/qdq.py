"""An ONNX graph with a candidate's own codes in it: QuantizeLinear and DequantizeLinear around each layer.

ONNX Runtime and OpenVINO read such a graph as int8 kernels: unsigned activations, signed weights with one
scale for each output channel, biases as int32 in the product of both scales. A batch norm that was folded
into its convolution multiplies the scales; codes stay what the candidate's file holds.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np

from workbench.activations import OUTPUT, Affine, place
from workbench.runtimes.lowering.integers import Integers, NotInteger, integers, rounding_in
from workbench.runtimes.lowering.onnx_layers import Names, Traced, factors, names
from workbench.runtimes.lowering.onnx_writer import Writer

if TYPE_CHECKING:
    import onnx

    from workbench.candidate import Candidate

_WITHOUT_KERNEL = {
    "ConvTranspose": "there is no int8 kernel for transposed convolutions",
    "Gather": "an embedding is looked up, not multiplied",
    "LSTM": "there is no int8 kernel for recurrent layers",
    "GRU": "there is no int8 kernel for recurrent layers",
    "RNN": "there is no int8 kernel for recurrent layers",
}
_SAME = 1e-3  # of the largest weight: the graph's own weight is the product of the same numbers


@dataclass(frozen=True)
class Lowered:
    """A graph on whole numbers.

    Attributes:
        layers: those that compute on whole numbers. left: those that do not, and why.
    """

    data: bytes
    layers: tuple[str, ...]
    left: Mapping[str, str] = field(default_factory=dict)


def lowered(proto: onnx.ModelProto, skeleton: onnx.ModelProto, candidate: Candidate) -> Lowered:
    """The graph `proto` (optimized, with the candidate's weights) lowered.

    Args:
        skeleton: the same graph as it was traced.
    """
    lowering = _Lowering(Writer(proto), names(skeleton, candidate.model), candidate)
    for node in list(proto.graph.node):
        lowering.take(node)
    data = lowering.writer.finished().SerializeToString()
    left = {path: why for path, why in lowering.left.items() if path not in lowering.done}
    return Lowered(data, tuple(lowering.done), left)


class _Lowering:
    """One graph on its way."""

    def __init__(self, writer: Writer, known: Names, candidate: Candidate) -> None:
        self.writer = writer
        self.done: dict[str, None] = {}
        self.left: dict[str, str] = {}
        self._known = known
        self._candidate = candidate

    def take(self, node: onnx.NodeProto) -> None:
        """Lower one node if it is a layer's and can be lowered; write down why where it cannot."""
        found = self._known.of(node)
        if found is None or (found.weight not in self._candidate.constraints and not self._is_rounded(found)):
            return
        try:
            if why := _WITHOUT_KERNEL.get(node.op_type):
                raise NotInteger(why)
            rounding = rounding_in(self._candidate, found.layer, is_dynamic=node.op_type != "Conv")
            weight = self._weight(node, found)
            if isinstance(rounding, Affine):
                self._static(node, found, rounding, weight)
            else:
                self._dynamic(node, weight)
            self.done[found.layer] = None
        except NotInteger as reason:
            self.left.setdefault(found.layer, str(reason))

    def _is_rounded(self, found: Traced) -> bool:
        return any(name.rpartition("/")[0] == found.layer for name in self._candidate.activations)

    def _weight(self, node: onnx.NodeProto, found: Traced) -> Integers:
        """The layer's codes, with the batch norm in its scales, once they were seen to be the graph's."""
        weight = integers(self._candidate, found.weight)
        own = self.writer.value(node.input[1])
        if own is None:
            raise NotInteger("its weight is computed in the graph")
        turned = _is_turned(node)
        own = own.T if turned else own
        plain = _values(weight)
        if found.norm and not _agree(own, plain):
            weight = weight.scaled(factors(self._candidate.model, found.norm))
            plain = _values(weight)
        if not _agree(own, plain):
            raise NotInteger("the graph holds another weight")
        return weight

    def _static(self, node: onnx.NodeProto, found: Traced, rounding: Affine, weight: Integers) -> None:
        bias = self.writer.value(node.input[2]) if len(node.input) > 2 and node.input[2] else None
        if len(node.input) > 2 and node.input[2] and bias is None:
            raise NotInteger("its bias is computed in the graph")
        outgoing = self._outgoing(node, found)
        self.writer.rounded(node.input[0], rounding)
        label = found.weight
        if bias is not None:
            weight, codes, steps = weight.with_bias(bias.astype(np.float64), float(rounding.step))
            inputs = [self.writer.constant(f"{label}_bias_codes", codes)]
            inputs.append(self.writer.constant(f"{label}_bias_scale", steps))
            node.input[2] = self.writer.add("DequantizeLinear", inputs, f"{label}_bias", axis=0)
        turned = _is_turned(node)
        inputs = [
            self.writer.constant(f"{label}_codes", weight.codes.T if turned else weight.codes),
            self.writer.constant(f"{label}_scale", weight.scales),
            self.writer.constant(f"{label}_zero_point", np.zeros(len(weight.scales), np.int8)),
        ]
        axis = 1 if turned else 0
        node.input[1] = self.writer.add("DequantizeLinear", inputs, f"{label}_rounded", axis=axis)
        if outgoing is not None:
            self.writer.rounded(node.output[0], outgoing)

    def _outgoing(self, node: onnx.NodeProto, found: Traced) -> Affine | None:
        """How what a convolution gives is rounded, alone or after its batch norm; None where it is not."""
        roundings = self._candidate.activations
        at = [place(path, OUTPUT) for path in (found.norm, found.layer) if path]
        given = next((roundings[name] for name in at if name in roundings), None)
        return given if isinstance(given, Affine) and given.bits == 8 else None

    def _dynamic(self, node: onnx.NodeProto, weight: Integers) -> None:
        """Ranges found in every call, by DynamicQuantizeLinear and MatMulInteger."""
        write, output = self.writer, node.output[0]
        codes, step, zero = (write.fresh(f"{output}_{each}") for each in ("codes", "step", "zero"))
        self._add_three(node.input[0], [codes, step, zero])
        held = write.constant(f"{output}_weight_codes", np.ascontiguousarray(weight.codes.T))
        scales = write.constant(f"{output}_weight_scale", weight.scales)
        sums = write.add(
            "MatMulInteger",
            [codes, held, zero, write.constant(f"{output}_weight_zero", np.int8(0))],
            f"{output}_sums",
        )
        real = write.add("Cast", [sums], f"{output}_real", to=1)
        both = write.add("Mul", [step, scales], f"{output}_steps")
        last = write.add("Mul", [real, both], f"{output}_product")
        if len(node.input) > 2 and node.input[2]:
            last = write.add("Add", [last, node.input[2]], f"{output}_sum")
        node.op_type = "Identity"
        del node.input[:], node.attribute[:]
        node.input.append(last)

    def _add_three(self, tensor: str, outputs: list[str]) -> None:
        from onnx import helper

        self.writer.nodes.append(helper.make_node("DynamicQuantizeLinear", [tensor], outputs))


def _is_turned(node: onnx.NodeProto) -> bool:
    """Whether a node's weight has its output channels last."""
    if node.op_type == "Conv":
        return False
    return not any(each.name == "transB" and each.i == 1 for each in node.attribute)


def _values(weight: Integers) -> np.ndarray:
    shape = (-1, *[1] * (weight.codes.ndim - 1))
    values: np.ndarray = weight.codes * weight.scales.reshape(shape)
    return values


def _agree(own: np.ndarray, ours: np.ndarray) -> bool:
    if own.shape != ours.shape:
        return False
    allowed: Any = _SAME * float(np.abs(own).max(initial=0)) + 1e-12
    return bool(np.abs(own - ours).max(initial=0) <= allowed)
