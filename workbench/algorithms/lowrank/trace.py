"""Where one run of the model calls its layers: how many times each weight is multiplied."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn

from workbench.attention import without_fused_attention
from workbench.candidate import with_parameters

CONVOLUTIONS = (nn.Conv1d, nn.Conv2d, nn.Conv3d)
KINDS = (nn.Linear, nn.Embedding, *CONVOLUTIONS)


@dataclass(frozen=True)
class Places:
    """At how many positions one sample applies a layer: before, in the middle of, and after its kernel.

    `shape` is that of the inputs of its first call, with the batch dimension.
    """

    before: int
    between: int
    after: int
    shape: tuple[int, ...] = ()


def trace(model: nn.Module, example: Any, call: Callable[[nn.Module, Any], Any]) -> dict[str, Places]:
    """Where one forward pass of `example` (one sample) calls the layers that might be split, by name.

    A layer that is missing was not called: somebody reads its weight, or nobody needs it.
    """
    twin = with_parameters(model, {})  # hooks on a copy of the modules: the model may be in use elsewhere
    found: dict[str, Places] = {}
    for name, module in twin.named_modules():
        if type(module) in KINDS:
            module.register_forward_hook(_noting(name, found))
    with torch.no_grad(), without_fused_attention():
        call(twin, example)
    return found


def _noting(name: str, found: dict[str, Places]) -> Callable[..., None]:
    def hook(module: nn.Module, inputs: tuple[Any, ...], output: Tensor) -> None:
        now, old = _places(module, inputs[0], output), found.get(name)
        if old is None:
            found[name] = Places(*now, tuple(inputs[0].shape))
        else:
            before, between, after = now
            found[name] = Places(old.before + before, old.between + between, old.after + after, old.shape)

    return hook


def _places(module: nn.Module, inputs: Tensor, output: Tensor) -> tuple[int, int, int]:
    if not isinstance(module, CONVOLUTIONS):
        count = math.prod(output.shape[:-1])
        return count, count, count
    axes = len(module.kernel_size)
    before, after = inputs.shape[-axes:], output.shape[-axes:]
    return math.prod(before), math.prod((after[0], *before[1:])), math.prod(after)
