"""Which tensors of a model are worth compressing, by parameter name."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from torch import nn

_TRANSPOSED = (nn.ConvTranspose1d, nn.ConvTranspose2d, nn.ConvTranspose3d)
_NORMALIZATIONS = (nn.modules.batchnorm._NormBase, nn.LayerNorm, nn.GroupNorm, nn.RMSNorm)


@dataclass(frozen=True)
class Weight:
    """One weight tensor worth compressing: its parameter name, the module that owns it, its output axis."""

    name: str
    layer: str
    module: nn.Module
    parameter: nn.Parameter
    channel_axis: int


def weights(model: nn.Module) -> Iterator[Weight]:
    """The weights with two or more dimensions of linear, convolution, embedding, attention and recurrent
    layers (and of others' layers that call theirs `weight`), tied ones once, in the model's own order.
    Biases, normalizations and free-standing parameters (positions, class tokens) are left alone.
    """
    seen: set[int] = set()
    for path, module in model.named_modules():
        if isinstance(module, _NORMALIZATIONS):
            continue
        for key, parameter in module.named_parameters(recurse=False):
            if id(parameter) in seen or parameter.ndim < 2 or not parameter.is_floating_point():
                continue
            if "weight" not in key:
                continue
            seen.add(id(parameter))
            name = f"{path}.{key}" if path else key
            axis = 1 if isinstance(module, _TRANSPOSED) else 0
            yield Weight(name, path or key, module, parameter, axis)
