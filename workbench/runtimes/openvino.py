"""OpenVINO: the model's ONNX file, compiled by OpenVINO for this CPU, quantized ones to int8. An extra."""

from __future__ import annotations

import functools
from typing import TYPE_CHECKING, Any, ClassVar

from workbench.errors import RuntimeUnavailable
from workbench.runtimes.base import INTEGERS, Call, Prepared, Runtime

if TYPE_CHECKING:
    from torch import nn

    from workbench.candidate import Candidate


class OpenVino(Runtime):
    """OpenVINO on the CPU. Its artefact is the ONNX file it reads."""

    name: ClassVar[str] = "openvino"
    title: ClassVar[str] = "OpenVINO"
    order: ClassVar[int] = 20
    needs: ClassVar[tuple[str, ...]] = ("onnx", "onnxscript", "openvino")
    install: ClassVar[str] = "pip install 'compression-workbench[openvino]'"
    follows: ClassVar[frozenset[str]] = frozenset({INTEGERS})

    def prepare(
        self,
        model: nn.Module,
        example: Any,
        threads: int = 1,
        *,
        call: Call | None = None,
        candidate: Candidate | None = None,
    ) -> Prepared:
        """The model compiled for low latency, in float32 or the candidate's own int8, never in less."""
        self.check()
        import openvino

        from workbench.runtimes.lowering.onnx_int8 import said, written
        from workbench.runtimes.onnx_export import leaves

        def arrays(inputs: Any) -> list[Any]:
            return [each.detach().cpu().numpy() for each in leaves(inputs)]

        found = written(model, example, call=call, candidate=candidate)
        data = found.data
        options = {
            "INFERENCE_NUM_THREADS": threads,
            "INFERENCE_PRECISION_HINT": "f32",
            "PERFORMANCE_HINT": "LATENCY",
        }
        core = openvino.Core()
        try:
            request = core.compile_model(core.read_model(data, b""), "CPU", options).create_infer_request()
            given = arrays(example)
            request.infer(given)
        except RuntimeError as error:
            reason = str(error).strip().split("\n")[-1]
            raise RuntimeUnavailable(f"OpenVINO cannot run the model: {reason}") from error

        def outputs(inputs: Any) -> Any:
            import torch

            computed = request.infer(arrays(inputs))
            tensors = tuple(torch.from_numpy(each.copy()) for each in computed.values())
            return tensors[0] if len(tensors) == 1 else tensors

        # it hands work to a thread of its own even where it uses one
        run = functools.partial(request.infer, given)
        return Prepared(run, outputs, len(data), False, said(found, self.title), found.layers)
