"""torch.compile: the model compiled by TorchInductor with its weights frozen in. Takes tens of seconds."""

from __future__ import annotations

import shutil
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, ClassVar

from workbench.errors import RuntimeUnavailable
from workbench.runtimes.base import Call, Prepared, Runtime

if TYPE_CHECKING:
    from torch import nn

    from workbench.candidate import Candidate

_COMPILERS = ("g++", "clang++", "c++", "cl")
_compiling = threading.Lock()  # its settings are those of the whole process


class TorchCompile(Runtime):
    """torch.compile on the CPU, in float32. Its artefact is the model's plain safetensors file, since what is
    compiled stays in this process. Not among the runtimes that are measured unasked: compiling is slow."""

    name: ClassVar[str] = "torch-compile"
    title: ClassVar[str] = "torch.compile"
    order: ClassVar[int] = 30
    needs: ClassVar[tuple[str, ...]] = ("torch",)
    install: ClassVar[str] = "apt install g++ (or your system's C++ compiler)"

    def check(self) -> None:
        """Nothing, where there is a C++ compiler.

        Raises:
            RuntimeUnavailable: there is none; the line says how to get one.
        """
        super().check()
        if not any(map(shutil.which, _COMPILERS)):
            raise RuntimeUnavailable(f"torch.compile needs a C++ compiler; install one: {self.install}")

    def prepare(
        self,
        model: nn.Module,
        example: Any,
        threads: int = 1,
        *,
        call: Call | None = None,
        candidate: Candidate | None = None,
    ) -> Prepared:
        """The model compiled for inputs of the example's shape; another shape compiles again."""
        self.check()
        import torch

        from workbench.data import mapped
        from workbench.measurement.compute import plain_call
        from workbench.measurement.latency import torch_threads
        from workbench.measurement.size import file_bytes
        from workbench.plain import own_copy

        call, running = call or plain_call, own_copy(model).eval()
        device = next((each.device for each in model.state_dict().values()), torch.device("cpu"))
        is_cpu, on_device = device.type == "cpu", mapped(lambda each: each.to(device), example)

        def forward(inputs: Any) -> Any:
            return call(running, inputs)

        compiled = torch.compile(forward, dynamic=False)

        def outputs(inputs: Any) -> Any:
            with torch.no_grad():
                result = compiled(inputs)
            if not is_cpu:
                torch.accelerator.synchronize()
            return result

        try:
            with _compiling, _frozen(), torch_threads(threads):
                outputs(on_device)
                outputs(on_device)
        except Exception as error:  # dynamo, inductor and the compiler raise errors of many kinds
            reason = str(error).strip().split("\n")[0][:200] or type(error).__name__
            raise RuntimeUnavailable(f"torch.compile cannot take the model: {reason}") from error
        is_rounded = candidate is not None and bool(candidate.activations)
        notes = ("torch.compile: int8 is not lowered to it; it computes in float32",) if is_rounded else ()
        return Prepared(
            lambda: outputs(on_device), outputs, file_bytes(model), is_cpu and threads == 1, notes
        )


@contextmanager
def _frozen() -> Iterator[None]:
    """Weights become constants of what is compiled: folded batch norms, packed for the processor."""
    from torch._inductor import config

    with config.patch(freezing=True):
        yield
