"""Short texts that tell models apart: by their structure alone, or by structure and every weight."""

from __future__ import annotations

import hashlib

from torch import nn

from workbench.structure.layer_types import effective_arguments, type_name
from workbench.tensors import plain, raw, tensors


def fingerprint(model: nn.Module) -> str:
    """Sixteen hex digits of a model's structure and of every weight and persistent buffer, bit for bit."""
    digest = hashlib.blake2b(digest_size=8)
    for line in _lines(model):
        digest.update(line.encode() + b"\n")
    for each in tensors(model):
        tensor = plain(each.tensor, each.name)
        digest.update(f"{each.names} {tensor.dtype}\n".encode())
        digest.update(raw(tensor).data)
    return digest.hexdigest()


def structure_fingerprint(model: nn.Module) -> str:
    """Eight hex digits of a model's structure: paths, types and arguments of layers, shapes; no weights.

    Class names of a person's own modules do not count, nor does what only matters in training.
    """
    return _short("\n".join(_lines(model)), 4)


def module_marks(model: nn.Module) -> str:
    """Two hex digits per module, in order: enough to name the first one in which two models differ."""
    return "".join(_short(line, 1) for line in _lines(model))


def first_difference(model: nn.Module, marks: str) -> str | None:
    """The path of the first module whose mark differs, or None where none is seen to."""
    own = module_marks(model)
    for index, (path, _) in enumerate(model.named_modules()):
        if own[2 * index : 2 * index + 2] != marks[2 * index : 2 * index + 2]:
            return path or type(model).__name__
    return None


def shapes(module: nn.Module) -> dict[str, list[int] | None]:
    """The shapes of a module's own parameters and persistent buffers; None for one that is left out."""
    own = {**module._parameters, **module._buffers}
    hidden = module._non_persistent_buffers_set
    return {
        name: None if tensor is None else list(tensor.shape)
        for name, tensor in own.items()
        if name not in hidden
    }


def _lines(model: nn.Module) -> list[str]:
    return [f"{path} {_kind(module)} {shapes(module)}" for path, module in model.named_modules()]


def _kind(module: nn.Module) -> str:
    name = type_name(module)
    return f"{name} {effective_arguments(module)}" if name else "-"


def _short(text: str, size: int) -> str:
    return hashlib.blake2b(text.encode(), digest_size=size).hexdigest()
