"""Read and write a checkpoint: safetensors only, with the figures of its training in the header."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from torch import nn


def write(net: nn.Module, path: Path, metadata: Mapping[str, str]) -> None:
    """Write the weights of `net`, with `metadata` in the header; the same net gives the same bytes."""
    import json

    from safetensors.torch import save

    tensors = {name: tensor.detach().contiguous() for name, tensor in net.state_dict().items()}
    # safetensors writes the metadata in the order of a hash map, which differs from run to run
    data = save(tensors)
    length = int.from_bytes(data[:8], "little")
    header = {"__metadata__": dict(metadata), **json.loads(data[8 : 8 + length])}
    text = json.dumps(header, separators=(",", ":"), ensure_ascii=False).encode()
    text += b" " * (-len(text) % 8)
    path.write_bytes(len(text).to_bytes(8, "little") + text + data[8 + length :])


def read_into(net: nn.Module, path: Path) -> None:
    """Give `net` the weights in the file; names and shapes must be exactly its own."""
    from safetensors.torch import load_model

    load_model(net, path, strict=True)


def metadata(path: Path) -> dict[str, str]:
    """The header's figures: seed, epochs, command, accuracies and the samples they were counted on."""
    from safetensors import safe_open

    with safe_open(path, framework="pt") as file:
        return dict(file.metadata() or {})
