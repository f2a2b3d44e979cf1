"""ONNX Runtime: the model written as ONNX; quantized ones run on its int8 kernels."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar

from workbench.errors import RuntimeUnavailable
from workbench.runtimes.base import INTEGERS, Call, Prepared, Runtime

if TYPE_CHECKING:
    from torch import nn

    from workbench.candidate import Candidate


class OnnxRuntime(Runtime):
    """ONNX Runtime on the CPU, or on the graphics card that the model is on, where the installed build has
    one (`onnxruntime-gpu`). Its artefact is the ONNX file."""

    name: ClassVar[str] = "onnxruntime"
    title: ClassVar[str] = "ONNX Runtime"
    order: ClassVar[int] = 10
    needs: ClassVar[tuple[str, ...]] = ("onnx", "onnxscript", "onnxruntime")
    install: ClassVar[str] = "pip install onnx onnxscript onnxruntime"
    follows: ClassVar[frozenset[str]] = frozenset({INTEGERS})
    is_quick: ClassVar[bool] = True

    def prepare(
        self,
        model: nn.Module,
        example: Any,
        threads: int = 1,
        *,
        call: Call | None = None,
        candidate: Candidate | None = None,
    ) -> Prepared:
        """The model in a session of its own. With one thread the session runs in the calling thread."""
        from workbench.runtimes.lowering.onnx_int8 import said, written
        from workbench.runtimes.onnx_export import CPU, feeds, session

        self.check()
        found = written(model, example, call=call, candidate=candidate)
        data = found.data
        provider = _provider(model)
        running = session(data, threads, provider)
        given = feeds(running, example)

        def outputs(inputs: Any) -> Any:
            import torch

            found = tuple(torch.from_numpy(each) for each in running.run(None, feeds(running, inputs)))
            return found[0] if len(found) == 1 else found

        try:
            running.run(None, given)
        except Exception as error:  # the runtime's own exceptions have no common base
            reason = str(error).split("\n")[0]
            raise RuntimeUnavailable(f"ONNX Runtime cannot run the model on this batch: {reason}") from error
        return Prepared(
            lambda: running.run(None, given),
            outputs,
            len(data),
            threads == 1 and provider == CPU,
            said(found, self.title),
            found.layers,
        )


def _provider(model: nn.Module) -> str:
    """What runs the model: the card it is on, where this build of the runtime knows it, else the CPU."""
    import onnxruntime

    from workbench.runtimes.onnx_export import CPU, CUDA

    is_on_card = any(each.is_cuda for each in model.state_dict().values())
    return CUDA if is_on_card and CUDA in onnxruntime.get_available_providers() else CPU
