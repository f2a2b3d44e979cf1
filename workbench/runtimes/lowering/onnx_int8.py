"""A quantized candidate as an ONNX file on whole numbers, or as plain float32 where nothing of it can be."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from workbench.errors import listed
from workbench.runtimes.base import Call
from workbench.runtimes.lowering.qdq import Lowered, lowered

if TYPE_CHECKING:
    from workbench.candidate import Candidate


def int8_onnx(candidate: Candidate, example: Any, *, call: Call | None = None) -> Lowered:
    """The ONNX file of what the candidate simulates; layers that cannot be lowered stay as they are.

    Raises:
        RuntimeUnavailable: the model cannot be written as ONNX.
    """
    import onnx

    from workbench.runtimes.onnx_export import onnx_graph

    graph, data = onnx_graph(candidate.model, example, call=call)
    found = lowered(onnx.load_from_string(data), graph.skeleton, candidate)
    return found if found.layers else Lowered(data, (), found.left)


def said(found: Lowered, title: str) -> tuple[str, ...]:
    """What a reader must know of a lowering: which layers stay in float32, and why."""
    reasons: dict[str, list[str]] = {}
    for layer, why in found.left.items():
        reasons.setdefault(why, []).append(layer)
    where = "" if found.layers else "everything in float32: "
    return tuple(f"{title}, {where}{listed(layers, 4)} in float32: {why}" for why, layers in reasons.items())
