"""ExecuTorch: the model as a program for XNNPACK, quantized ones on its int8 kernels. An extra."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar

from workbench.errors import RuntimeUnavailable
from workbench.runtimes.base import INTEGERS, Call, Prepared, Runtime

if TYPE_CHECKING:
    from torch import nn

    from workbench.candidate import Candidate


class ExecuTorch(Runtime):
    """ExecuTorch with XNNPACK, on this CPU. Its artefact is the `.pte` file, half a minute's work."""

    name: ClassVar[str] = "executorch"
    title: ClassVar[str] = "ExecuTorch"
    order: ClassVar[int] = 40
    needs: ClassVar[tuple[str, ...]] = ("executorch",)
    install: ClassVar[str] = "pip install 'compression-workbench[executorch]'"
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
        """The program loaded, for inputs of the example's very shape; XNNPACK decides on its threads."""
        self.check()
        from executorch.runtime import Runtime as Loaded

        from workbench.measurement.compute import plain_call
        from workbench.runtimes.lowering.onnx_int8 import said
        from workbench.runtimes.lowering.pte import program
        from workbench.runtimes.onnx_export import leaves

        found = program(model, example, call=call or plain_call, candidate=candidate)
        loaded = Loaded.get().load_program(found.data)
        method = loaded.load_method("forward")
        given = list(leaves(example))

        def execute(inputs: list[Any], kept: Any = (loaded, found.data)) -> Any:
            return method.execute(inputs)  # it reads the program and its bytes, and keeps neither alive

        def outputs(inputs: Any) -> Any:
            computed = tuple(execute(list(leaves(inputs))))
            return computed[0].clone() if len(computed) == 1 else tuple(each.clone() for each in computed)

        try:
            execute(given)
        except RuntimeError as error:
            reason = str(error).strip().split("\n")[0]
            raise RuntimeUnavailable(f"ExecuTorch cannot run the model: {reason}") from error
        return Prepared(
            lambda: execute(given),
            outputs,
            len(found.data),
            False,
            said(found, self.title),
            found.layers,
        )
