"""PyTorch eager: the model as it is."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar

from workbench.runtimes.base import Call, Prepared, Runtime

if TYPE_CHECKING:
    from torch import nn

    from workbench.candidate import Candidate


class PyTorch(Runtime):
    """PyTorch eager. Its artefact is the model's plain safetensors file."""

    name: ClassVar[str] = "pytorch"
    title: ClassVar[str] = "PyTorch"
    order: ClassVar[int] = 0
    needs: ClassVar[tuple[str, ...]] = ("torch",)
    install: ClassVar[str] = "pip install torch"
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
        """The model itself; whoever runs it sets torch's thread count in the thread that runs."""
        import torch

        from workbench.data import mapped
        from workbench.measurement.compute import plain_call
        from workbench.measurement.size import file_bytes

        call = call or plain_call
        device = next((each.device for each in model.state_dict().values()), torch.device("cpu"))
        inputs = mapped(lambda each: each.to(device), example)
        is_cpu = device.type == "cpu"

        def outputs(given: Any) -> Any:
            # not inference_mode: a model may keep a tensor it made here, and a copy may be trained later
            with torch.no_grad():
                result = call(model, given)
                if not is_cpu:
                    torch.accelerator.synchronize()
                return result

        return Prepared(lambda: outputs(inputs), outputs, file_bytes(model), is_cpu and threads == 1)
