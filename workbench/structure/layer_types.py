"""The torch.nn layers that can be written down: which constructor arguments each has, and where to read them.

A file may name these types and no others; nothing else is ever constructed from a file.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import torch
from torch import nn
from torch.overrides import TorchFunctionMode

from workbench.attention import NarrowAttention
from workbench.errors import StorageError

Scalar = bool | int | float | str | None | list[Any]

_CONV = "in_channels out_channels kernel_size stride padding dilation groups bias padding_mode"
_CONV_BACK = f"{_CONV} output_padding"
_BATCH_NORM = "num_features eps momentum affine track_running_stats"
_MAX_POOL = "kernel_size stride padding dilation return_indices ceil_mode"
_RNN = "input_size hidden_size num_layers bias batch_first dropout bidirectional"
_ATTENTION = "embed_dim num_heads dropout bias add_bias_kv add_zero_attn kdim vdim batch_first"
_DIMENSIONS = (1, 2, 3)

ARGUMENTS: Mapping[str, tuple[str, ...]] = {
    name: tuple(arguments.split())
    for name, arguments in {
        "Identity": "",
        "Flatten": "start_dim end_dim",
        "Unflatten": "dim unflattened_size",
        "Linear": "in_features out_features bias",
        "Bilinear": "in1_features in2_features out_features bias",
        "Embedding": "num_embeddings embedding_dim padding_idx max_norm norm_type scale_grad_by_freq",
        **{f"Conv{d}d": _CONV for d in _DIMENSIONS},
        **{f"ConvTranspose{d}d": _CONV_BACK for d in _DIMENSIONS},
        **{f"BatchNorm{d}d": _BATCH_NORM for d in _DIMENSIONS},
        **{f"InstanceNorm{d}d": _BATCH_NORM for d in _DIMENSIONS},
        "LayerNorm": "normalized_shape eps elementwise_affine bias",
        "RMSNorm": "normalized_shape eps elementwise_affine",
        "GroupNorm": "num_groups num_channels eps affine",
        "LocalResponseNorm": "size alpha beta k",
        "RNN": f"{_RNN} nonlinearity",
        "GRU": _RNN,
        "LSTM": f"{_RNN} proj_size",
        "MultiheadAttention": _ATTENTION,
        "NarrowAttention": "embed_dim num_heads head_dim dropout bias batch_first",
        **{f"MaxPool{d}d": _MAX_POOL for d in _DIMENSIONS},
        "AvgPool1d": "kernel_size stride padding ceil_mode count_include_pad",
        "AvgPool2d": "kernel_size stride padding ceil_mode count_include_pad divisor_override",
        "AvgPool3d": "kernel_size stride padding ceil_mode count_include_pad divisor_override",
        **{f"AdaptiveAvgPool{d}d": "output_size" for d in _DIMENSIONS},
        **{f"AdaptiveMaxPool{d}d": "output_size return_indices" for d in _DIMENSIONS},
        **{
            f"{kind}Pad{d}d": "padding" for kind in ("Zero", "Reflection", "Replication") for d in _DIMENSIONS
        },
        "Upsample": "size scale_factor mode align_corners",
        "PixelShuffle": "upscale_factor",
        "PixelUnshuffle": "downscale_factor",
        "ChannelShuffle": "groups",
        **{f"Dropout{d}": "p inplace" for d in ("", "1d", "2d", "3d")},
        "AlphaDropout": "p inplace",
        **dict.fromkeys(("ReLU", "ReLU6", "SELU", "SiLU", "Mish", "Hardswish", "Hardsigmoid"), "inplace"),
        **dict.fromkeys(("Sigmoid", "Tanh", "LogSigmoid", "Softsign", "Tanhshrink"), ""),
        "LeakyReLU": "negative_slope inplace",
        "ELU": "alpha inplace",
        "CELU": "alpha inplace",
        "GELU": "approximate",
        "GLU": "dim",
        "Hardtanh": "min_val max_val inplace",
        "Hardshrink": "lambd",
        "Softshrink": "lambd",
        "Softplus": "beta threshold",
        "Threshold": "threshold value inplace",
        "PReLU": "num_parameters",
        "Softmax": "dim",
        "LogSoftmax": "dim",
        "Softmin": "dim",
    }.items()
}

# arguments that no attribute of the same name gives back
_READ: Mapping[tuple[str, str], Callable[[Any], Any]] = {
    ("MultiheadAttention", "bias"): lambda layer: layer.in_proj_bias is not None,
    ("NarrowAttention", "bias"): lambda layer: layer.in_proj_bias is not None,
    ("MultiheadAttention", "add_bias_kv"): lambda layer: layer.bias_k is not None,
    **{
        (name, "bias"): lambda layer: layer.bias is not None
        for name in ARGUMENTS
        if name in ("Linear", "Bilinear", "LayerNorm") or name.startswith("Conv")
    },
}
_WITHOUT_EFFECT = {"inplace", "p", "dropout", "momentum", "scale_grad_by_freq", "max_norm", "norm_type"}
_MOST_LAYERS = 64  # of a recurrent network: they are constructed one by one


def type_name(module: nn.Module) -> str | None:
    """The name of a module's type where it is one that can be written down, else None."""
    name = type(module).__name__
    return name if name in ARGUMENTS and type(module) is class_of(name) else None


def arguments(module: nn.Module) -> dict[str, Scalar]:
    """The constructor arguments of a module whose type can be written down, as JSON holds them."""
    name = type(module).__name__
    read = {
        each: _READ.get((name, each), lambda m, a=each: getattr(m, a))(module) for each in ARGUMENTS[name]
    }
    return {each: plain(value) for each, value in read.items()}


def effective_arguments(module: nn.Module) -> dict[str, Scalar]:
    """Those of `arguments` that change what the module computes in eval mode."""
    return {name: value for name, value in arguments(module).items() if name not in _WITHOUT_EFFECT}


def construct(name: Any, given: Any, where: str) -> nn.Module:
    """A new layer of a type that may be written down, on the meta device: no memory is taken.

    Raises:
        StorageError: an unknown type or argument, a value that is no plain scalar, or one that torch refuses.
    """
    if not isinstance(name, str) or name not in ARGUMENTS:
        raise StorageError(
            f"{where} asks for a layer of type {str(name)[:40]!r}, which is not allowed in a file"
        )
    if not isinstance(given, dict) or not set(given) <= set(ARGUMENTS[name]):
        raise StorageError(f"{where} gives {name} arguments that it does not have")
    if not all(is_scalar(value) for value in given.values()):
        raise StorageError(f"{where} gives {name} an argument that is neither a number nor a text")
    layers = given.get("num_layers", 1)
    if not isinstance(layers, int) or layers > _MOST_LAYERS:
        raise StorageError(f"{where} asks for {name} with more than {_MOST_LAYERS} layers")
    keywords = {key: tuple(value) if isinstance(value, list) else value for key, value in given.items()}
    try:
        with torch.device("meta"), _Uninitialised():
            layer: nn.Module = class_of(name)(**keywords)
            return layer.eval()
    except Exception as error:
        reason = str(error).split("\n")[0][:100]
        raise StorageError(f"{where}: {name} cannot be made with these arguments ({reason})") from None


def class_of(name: str) -> Any:
    """The class that a name in a file stands for: torch's, or one of the few of our own."""
    return NarrowAttention if name == NarrowAttention.__name__ else getattr(nn, name, None)


class _Uninitialised(TorchFunctionMode):
    """Leaves out what fills new tensors: on the meta device it only costs time (a second for attention)."""

    def __torch_function__(self, function: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        if getattr(function, "__name__", "") in ("uniform_", "normal_", "fill_", "zero_", "constant_"):
            return args[0] if args else (kwargs or {})["tensor"]
        return function(*args, **(kwargs or {}))


def plain(value: Any) -> Scalar:
    """A scalar or a tuple of scalars as JSON holds it."""
    return [plain(each) for each in value] if isinstance(value, (tuple, list)) else value


def is_scalar(value: Any, depth: int = 0) -> bool:
    """Whether a value is a number, a text, true, false, null, or a short list of those."""
    if isinstance(value, (list, tuple)):
        return depth < 2 and len(value) <= 16 and all(is_scalar(each, depth + 1) for each in value)
    if isinstance(value, str):
        return len(value) <= 64
    return (
        value is None or isinstance(value, (bool, float)) or (isinstance(value, int) and abs(value) < 2**31)
    )
