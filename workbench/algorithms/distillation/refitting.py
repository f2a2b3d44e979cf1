"""Make layers fit what reaches them: after one layer has changed its width, those that follow are remade.

A forward pass on one sample tells each layer how many channels come in. Layers are changed in place, on a
copy, and their new tensors are uninitialised until `fresh.initialised` fills them.
"""

from __future__ import annotations

from contextlib import ExitStack
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor, nn

from workbench.errors import WorkloadError
from workbench.structure.layer_types import arguments, type_name

if TYPE_CHECKING:
    from workbench.workload import Workload

CONVOLUTIONS = (nn.modules.conv._ConvNd,)
_NORMS = (nn.modules.batchnorm._NormBase,)


def refit(model: nn.Module, work: Workload, what: str) -> Tensor | Any:
    """Run `model` once and remake every layer that does not fit its input; what it gives in the end.

    Raises:
        WorkloadError: the model does not run in the new shapes; the line says why. `what` it was to become.
    """
    if work.example is None:
        raise WorkloadError(f"making a student {what} needs the inputs of one sample; give example=...")
    with ExitStack() as stack, torch.no_grad():
        for layer in model.modules():
            if type_name(layer) is not None:
                hook = layer.register_forward_pre_hook(_remade_to_fit, with_kwargs=True)
                stack.callback(hook.remove)
        try:
            outputs = work.call(model, work.example)
        except Exception as error:
            reason = str(error).split("\n")[0][:160] or type(error).__name__
            raise WorkloadError(
                f"{work.name} cannot be made {what}: its forward pass has sizes of its own ({reason}); "
                "give a student of yours: Distill(student=net2)"
            ) from error
    if (
        isinstance(outputs, Tensor)
        and isinstance(work.outputs, Tensor)
        and outputs.shape != work.outputs.shape
    ):
        raise WorkloadError(
            f"{work.name} cannot be made {what}: it would give {tuple(outputs.shape)} instead of "
            f"{tuple(work.outputs.shape)}; give a student of yours: Distill(student=net2)"
        )
    return outputs


def change(layer: nn.Module, **changes: Any) -> None:
    """Make a layer anew with other arguments, in place; hooks stay."""
    given = {**arguments(layer), **changes}
    given = {key: tuple(value) if isinstance(value, list) else value for key, value in given.items()}
    own = next(layer.parameters(), torch.empty(0))
    made = getattr(nn, type(layer).__name__)(**given)
    made.to(own.device)
    if own.is_floating_point():
        made.to(own.dtype)
    made.train(layer.training)
    for key, value in vars(made).items():
        if not key.endswith("_hooks"):
            vars(layer)[key] = value


def _remade_to_fit(layer: nn.Module, args: tuple[Any, ...], kwargs: dict[str, Any]) -> None:
    inputs = [each for each in (*args, *kwargs.values()) if isinstance(each, Tensor)]
    if not inputs:
        return
    wanted = _wanted(layer, inputs)
    now = arguments(layer)
    if any(now[key] != (list(value) if isinstance(value, tuple) else value) for key, value in wanted.items()):
        change(layer, **wanted)


def _wanted(layer: nn.Module, inputs: list[Tensor]) -> dict[str, Any]:
    """The arguments a layer needs for its input."""
    value = inputs[0]
    if isinstance(layer, nn.Linear):
        return {"in_features": value.shape[-1]}
    if isinstance(layer, CONVOLUTIONS):
        return _convolution(layer, value.shape[1])
    if isinstance(layer, _NORMS):
        return {"num_features": value.shape[1]}
    if isinstance(layer, (nn.LayerNorm, nn.RMSNorm)):
        return {"normalized_shape": tuple(value.shape[-len(layer.normalized_shape) :])}
    if isinstance(layer, nn.GroupNorm):
        channels = value.shape[1]
        return {"num_channels": channels, "num_groups": divisor(layer.num_groups, channels)}
    if isinstance(layer, nn.RNNBase):
        return {"input_size": value.shape[-1]}
    if isinstance(layer, nn.MultiheadAttention):
        keys = [*inputs, value, value][1:3]
        width = value.shape[-1]
        sizes = {"kdim": keys[0].shape[-1], "vdim": keys[1].shape[-1]}
        return {"embed_dim": width, "num_heads": divisor(layer.num_heads, width), **sizes}
    if isinstance(layer, nn.PReLU) and layer.num_parameters > 1:
        return {"num_parameters": value.shape[1]}
    return {}


def _convolution(layer: Any, channels: int) -> dict[str, Any]:
    is_depthwise = layer.groups > 1 and layer.groups == layer.in_channels
    if is_depthwise and channels != layer.in_channels:  # as many filters for each channel as before
        each = max(1, layer.out_channels // layer.in_channels)
        return {"in_channels": channels, "out_channels": channels * each, "groups": channels}
    if is_depthwise:
        return {"in_channels": channels}
    return {"in_channels": channels, "groups": divisor(layer.groups, channels, layer.out_channels)}


def divisor(most: int, *numbers: int) -> int:
    """The largest number up to `most` that divides all."""
    return next(each for each in range(most, 0, -1) if all(n % each == 0 for n in numbers))
