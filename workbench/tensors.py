"""The tensors of a model by name, tied ones together, and their bytes as NumPy sees them."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from workbench.errors import StorageError

DTYPES = {
    "F64": torch.float64,
    "F32": torch.float32,
    "F16": torch.float16,
    "BF16": torch.bfloat16,
    "F8_E4M3": torch.float8_e4m3fn,
    "F8_E5M2": torch.float8_e5m2,
    "C64": torch.complex64,
    "I64": torch.int64,
    "I32": torch.int32,
    "I16": torch.int16,
    "I8": torch.int8,
    "U64": torch.uint64,
    "U32": torch.uint32,
    "U16": torch.uint16,
    "U8": torch.uint8,
    "BOOL": torch.bool,
}
NAMES = {dtype: name for name, dtype in DTYPES.items()}
_UNSIGNED = {1: np.uint8, 2: np.uint16, 4: np.uint32, 8: np.uint64}


@dataclass(frozen=True, eq=False)
class Named:
    """A parameter or persistent buffer with all the names it goes by; tied tensors have more than one."""

    names: tuple[str, ...]
    tensor: Tensor
    is_parameter: bool

    @property
    def name(self) -> str:
        """The first name, under which it is stored."""
        return self.names[0]


def tensors(model: nn.Module) -> list[Named]:
    """Every parameter and persistent buffer of a model once, in the model's order.

    Two are the same where they are one object, or parameters on the very same memory.
    """
    groups: dict[Any, tuple[list[str], Tensor, bool]] = {}
    for name, parameter in model.named_parameters(remove_duplicate=False):
        groups.setdefault(_identity(parameter), ([], parameter, True))[0].append(name)
    for prefix, module in model.named_modules(remove_duplicate=False):
        for name, buffer in module._buffers.items():
            if buffer is not None and name not in module._non_persistent_buffers_set:
                full = f"{prefix}.{name}" if prefix else name
                groups.setdefault(("buffer", id(buffer)), ([], buffer, False))[0].append(full)
    return [Named(tuple(names), tensor, is_parameter) for names, tensor, is_parameter in groups.values()]


def plain(tensor: Tensor, name: str) -> Tensor:
    """The tensor on the CPU, contiguous and without gradients; shares memory where it can.

    Raises:
        StorageError: a kind of tensor that the file cannot hold.
    """
    if tensor.layout != torch.strided or tensor.is_quantized or tensor.is_meta:
        kind = "meta" if tensor.is_meta else "quantized" if tensor.is_quantized else str(tensor.layout)[6:]
        raise StorageError(f"{name} is a {kind} tensor, which cannot be stored; make it a plain dense one")
    if tensor.dtype not in NAMES:
        dtype = str(tensor.dtype).removeprefix("torch.")
        raise StorageError(f"{name} is {dtype}, which a safetensors file cannot hold")
    return tensor.detach().cpu().resolve_conj().resolve_neg().contiguous()


def raw(tensor: Tensor) -> np.ndarray:
    """A plain tensor's values as unsigned integers of the same width, flat; shares its memory."""
    flat = tensor.reshape(-1)
    if not flat.numel():  # an empty tensor cannot be viewed as another type
        return np.zeros(0, unsigned(tensor.dtype))
    if flat.dtype != torch.uint8:
        flat = flat.view(torch.uint8)
    return flat.numpy().view(_UNSIGNED[tensor.element_size()])


def as_bytes(values: np.ndarray) -> memoryview:
    """The bytes of a flat array, not copied."""
    return memoryview(np.ascontiguousarray(values).view(np.uint8))


def from_raw(values: np.ndarray, dtype: torch.dtype, shape: Sequence[int]) -> Tensor:
    """The tensor whose `raw` is `values`; shares their memory."""
    if not values.size:
        return torch.empty(tuple(shape), dtype=dtype)
    flat = torch.from_numpy(values.view(np.uint8))
    return (flat if dtype == torch.uint8 else flat.view(dtype)).reshape(tuple(shape))


def unsigned(dtype: torch.dtype) -> type[np.unsignedinteger]:
    """The unsigned NumPy type as wide as a torch type."""
    return _UNSIGNED[dtype.itemsize]


def same_bits(a: Tensor, b: Tensor) -> bool:
    """Whether two plain tensors agree in dtype, shape and every bit (NaN included)."""
    return a.dtype == b.dtype and a.shape == b.shape and np.array_equal(raw(a), raw(b))


def by_shape(shape: Sequence[int]) -> str:
    """A shape in words: `300×784`, `one number`."""
    return "×".join(map(str, shape)) or "one number"


def total(shape: Sequence[int]) -> int:
    """How many numbers a shape holds."""
    return math.prod(shape)


def _identity(tensor: Tensor) -> Any:
    if tensor.layout != torch.strided or tensor.is_meta or not tensor.numel():
        return id(tensor)
    return tensor.data_ptr(), tuple(tensor.shape), tensor.stride(), tensor.dtype


def nonzeros(tensor: Tensor) -> int:
    """How many elements differ from zero; NumPy counts flags a hundred times faster than torch sums them."""
    tensor = tensor.detach()
    if tensor.device.type != "cpu" or tensor.dtype is torch.bfloat16 or tensor.layout is not torch.strided:
        return int(torch.count_nonzero(tensor))
    return int(np.count_nonzero(tensor.numpy()))
