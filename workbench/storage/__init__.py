"""The packed file: zeros not stored, codes really packed; `README.md` has the format."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from torch import nn

from workbench.errors import StorageError, listed
from workbench.storage import files
from workbench.storage.inventory import Line, inventory
from workbench.storage.packing import estimate_bytes, figures, pack, with_report
from workbench.storage.unpacking import Header, Unpacked, unpack

if TYPE_CHECKING:
    from workbench.versions import Version

SUFFIX = ".safetensors"


def save(version: Version, path: str | Path, level: str | None = None) -> int:
    """Write a version as one packed file and return its length in bytes.

    The file is written under a temporary name and renamed: a full disk or a kill leaves the old file or none.

    Args:
        path: ends in `.safetensors`; its folder exists.
        level: "coded" for the smallest file, "packed" for the one that is quickest to load; the bytes that
            the version's report counts, the smallest, where it is not given.

    Raises:
        StorageError: one line; nothing was written.
    """
    if not hasattr(version, "packed_as"):
        raise StorageError(f"save takes a version, as wb.compress gives it; got {type(version).__name__}")
    place = files.target(path, SUFFIX)
    return files.write(place, version.packed if level is None else version.packed_as(level))


def load(path: str | Path, model: nn.Module) -> Version:
    """The version a packed file holds, on a copy of `model`, which is not changed. Nothing is unpickled.

    Args:
        model: a new instance of the original class, `Net()`; its weights do not matter, its structure does.

    Raises:
        StorageError: one line that names the file and what is wrong with it.
    """
    from workbench.versions import Version

    data = files.read(path)
    try:
        return Version.of_packed(data, model, name=Path(path).stem)
    except StorageError as error:
        raise StorageError(f"{Path(path).name}: {error}") from error


def export(version: Version, path: str | Path, example: Any = None) -> int:
    """Write a version for another runtime and return the bytes written.

    Weights are plain float32; a version whose activations are rounded to 8 bits, too, computes in int8 there
    (ONNX: QuantizeLinear and DequantizeLinear with the version's own codes and scales).

    Args:
        path: the suffix decides: `.onnx`, or `.pte` for ExecuTorch, which takes the example's shape only.
        example: the inputs of one sample; the workload's own where it is not given.

    Raises:
        StorageError: an unknown suffix, a folder that cannot be written, or no example; one line.
        RuntimeUnavailable: the model cannot be written in that format, or would give other outputs.
    """
    suffix = Path(path).suffix.lower()
    if suffix not in _EXPORTERS:
        known = listed(sorted(_EXPORTERS))
        raise StorageError(
            f"{Path(path).name!r} names no format that can be exported; those that work: {known}"
        )
    place = files.target(path, suffix)
    if example is None and version.work is not None:
        example = version.work.example
    if example is None:
        raise StorageError("export needs the inputs of one sample: export(version, path, example=inputs)")
    return _EXPORTERS[suffix](version, example, place)


def _to_onnx(version: Version, example: Any, path: Path) -> int:
    from workbench.runtimes.onnx_export import export_onnx

    call = version.work.forward if version.work is not None else None
    candidate = version.candidate
    return export_onnx(candidate.model, example, path, call=call, candidate=candidate)


def _to_pte(version: Version, example: Any, path: Path) -> int:
    from workbench.measurement.compute import plain_call
    from workbench.runtimes import find
    from workbench.runtimes.lowering.pte import program

    find("executorch").check()
    candidate, call = version.candidate, version.work.forward if version.work is not None else None
    found = program(candidate.model, example, call=call or plain_call, candidate=candidate)
    return files.write(path, found.data)


_EXPORTERS = {".onnx": _to_onnx, ".pte": _to_pte}

__all__ = [
    "Header",
    "Line",
    "Unpacked",
    "estimate_bytes",
    "export",
    "figures",
    "inventory",
    "load",
    "pack",
    "save",
    "unpack",
    "with_report",
]
