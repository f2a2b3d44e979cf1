"""Edit an ONNX graph: names, constants, who takes a tensor, and where tensors are rounded."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import onnx
from onnx import helper, numpy_helper

from workbench.runtimes.lowering.integers import unsigned

if TYPE_CHECKING:
    from workbench.activations import Affine

_CLOSE = 1e-6  # a grid up to 6 may end at 6.0000005


class Writer:
    """A graph being changed. Nodes are kept in a list and sorted when it is written."""

    def __init__(self, proto: onnx.ModelProto) -> None:
        self.proto = proto
        self.nodes = list(proto.graph.node)
        self.constants = {each.name: each for each in proto.graph.initializer}
        self._pairs: dict[str, str] = {}
        self._taken = {name for node in self.nodes for name in (*node.input, *node.output)}
        self._taken |= set(self.constants)

    def value(self, name: str) -> np.ndarray | None:
        """A constant's value; None where it is none."""
        each = self.constants.get(name)
        return None if each is None else numpy_helper.to_array(each)

    def constant(self, name: str, value: Any) -> str:
        """Add a constant under a name of its own, and return that."""
        name = self.fresh(name)
        self.constants[name] = numpy_helper.from_array(np.asarray(value), name)
        return name

    def fresh(self, name: str) -> str:
        """The name, or one like it that nothing has."""
        chosen, number = name, 1
        while chosen in self._taken:
            chosen, number = f"{name}_{number}", number + 1
        self._taken.add(chosen)
        return chosen

    def add(self, kind: str, inputs: list[str], output: str, **attributes: Any) -> str:
        """Add a node with one output, and return the output's name."""
        name = self.fresh(output)
        self.nodes.append(helper.make_node(kind, inputs, [name], name=f"{name}/{kind}", **attributes))
        return name

    def producer(self, name: str) -> onnx.NodeProto | None:
        """The node that gives a tensor."""
        return next((each for each in self.nodes if name in each.output), None)

    def consumers(self, name: str) -> list[onnx.NodeProto]:
        """The nodes that take a tensor."""
        return [each for each in self.nodes if name in each.input]

    def redirect(self, old: str, new: str, but: tuple[str, ...] = ()) -> None:
        """Let every node that takes `old` take `new`, but those with an output named in `but`."""
        for node in self.nodes:
            if node.output[0] in but:
                continue
            for index, name in enumerate(node.input):
                if name == old:
                    node.input[index] = new

    def rounded(self, tensor: str, rounding: Affine) -> str:
        """`tensor` rounded, for all that take it; where it was cut off at zero, the grid does that."""
        if tensor in self._pairs:
            return self._pairs[tensor]
        scale, zero_point = unsigned(rounding)
        source = self._before_cut(tensor, rounding)
        steps = [
            self.constant(f"{tensor}_scale", np.float32(scale)),
            self.constant(f"{tensor}_zero_point", np.uint8(zero_point)),
        ]
        codes = self.add("QuantizeLinear", [source, *steps], f"{tensor}_codes")
        back = self.add("DequantizeLinear", [codes, *steps], f"{tensor}_rounded")
        self.redirect(tensor, back, but=(codes, back))
        if source != tensor and not any(tensor == each.name for each in self.proto.graph.output):
            self.nodes.remove(self.producer(tensor))
        for node in self.consumers(back):  # a cut-off of what the grid has cut off already
            if self._cuts_nothing(node, rounding) and node.output[0] not in self._outputs():
                self.redirect(node.output[0], back)
                self.nodes.remove(node)
        self._pairs[tensor] = self._pairs[back] = back
        return back

    def _outputs(self) -> set[str]:
        return {each.name for each in self.proto.graph.output}

    def _before_cut(self, tensor: str, rounding: Affine) -> str:
        """What goes into a cut-off that gives `tensor`, where rounding cuts off as much."""
        node = self.producer(tensor)
        if node is None or tensor in self._outputs() or not self._cuts_nothing(node, rounding):
            return tensor
        return node.input[0]

    def _cuts_nothing(self, node: onnx.NodeProto, rounding: Affine) -> bool:
        """Whether a node is a cut-off at zero that changes none of the grid's values."""
        low, high = rounding.range
        if node.op_type == "Relu":
            return low >= 0
        if node.op_type != "Clip" or len(node.input) != 3:
            return False
        limits = [self.value(name) if name else None for name in node.input[1:]]
        if any(name and limit is None for name, limit in zip(node.input[1:], limits, strict=True)):
            return False
        bottom, top = (None if each is None else float(each) for each in limits)
        return (bottom is None or low >= bottom) and (top is None or high <= top * (1 + _CLOSE))

    def finished(self) -> onnx.ModelProto:
        """The graph with its nodes in order, and without what nothing takes."""
        graph = self.proto.graph
        nodes = _sorted(self.nodes, {*self.constants, *(each.name for each in graph.input), ""})
        kept: list[onnx.NodeProto] = []
        needed = self._outputs()
        for node in reversed(nodes):
            if needed.intersection(node.output):
                kept.append(node)
                needed.update(node.input)
                needed.update(_captured(node))
        del graph.node[:]
        graph.node.extend(reversed(kept))
        del graph.initializer[:]
        graph.initializer.extend(each for name, each in self.constants.items() if name in needed)
        del graph.value_info[:]
        return self.proto


def _sorted(nodes: list[onnx.NodeProto], known: set[str]) -> list[onnx.NodeProto]:
    """Every node after those whose outputs it takes."""
    givers = {name: node for node in nodes for name in node.output if name}
    done: list[onnx.NodeProto] = []
    seen: set[int] = set()
    for start in nodes:
        stack = [start]
        while stack:
            node = stack[-1]
            if id(node) in seen:
                stack.pop()
                continue
            inputs = (givers.get(n) for n in (*node.input, *_captured(node)) if n not in known)
            waiting = [each for each in inputs if each is not None and id(each) not in seen]
            if waiting:
                stack.extend(waiting)
            else:
                seen.add(id(node))
                done.append(stack.pop())
    return done


def _captured(node: onnx.NodeProto) -> list[str]:
    """What the branches of a node take from outside."""
    graphs = [each.g for each in node.attribute if each.type == onnx.AttributeProto.GRAPH]
    return [name for graph in graphs for inner in graph.node for name in (*inner.input, *_captured(inner))]
