"""A quantized candidate as an ONNX file on whole numbers, or as plain float32 where nothing of it can be."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from workbench.errors import listed
from workbench.runtimes.base import Call
from workbench.runtimes.lowering.qdq import Lowered, lowered
from workbench.runtimes.onnx_export import onnx_bytes, onnx_graph

if TYPE_CHECKING:
    from torch import nn

    from workbench.candidate import Candidate


def written(
    model: nn.Module,
    example: Any,
    *,
    call: Call | None = None,
    candidate: Candidate | None = None,
    is_fresh: bool = False,
) -> Lowered:
    """The ONNX file of a model, on the codes of the candidate it belongs to as far as that can be.

    Raises:
        RuntimeUnavailable: the model cannot be written as ONNX.
    """
    if candidate is not None and candidate.activations:
        return int8_onnx(candidate, example, call=call, is_fresh=is_fresh)
    return Lowered(onnx_bytes(model, example, call=call, is_fresh=is_fresh), ())


def int8_onnx(
    candidate: Candidate, example: Any, *, call: Call | None = None, is_fresh: bool = False
) -> Lowered:
    """The ONNX file of what the candidate simulates; layers that cannot be lowered stay in float32.

    Raises:
        RuntimeUnavailable: the model cannot be written as ONNX.
    """
    import onnx

    graph, data = onnx_graph(candidate.model, example, call=call, is_fresh=is_fresh)
    found = lowered(onnx.load_from_string(data), graph.skeleton, candidate)
    return found if found.layers else Lowered(data, (), found.left)


def said(found: Lowered, title: str) -> tuple[str, ...]:
    """What a reader must know of a lowering: which layers stay in float32, and why."""
    reasons: dict[str, list[str]] = {}
    for layer, why in found.left.items():
        reasons.setdefault(why, []).append(layer)
    return tuple(f"{title}: {listed(layers, 4)} in float32: {why}" for why, layers in reasons.items())
