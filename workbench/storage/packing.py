"""A candidate as the bytes of one packed file, and how many bytes that would be."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from typing import Any

from torch import Tensor, nn

from workbench import structure
from workbench.candidate import Candidate
from workbench.constraints import Constraint, Constraints
from workbench.errors import StorageError
from workbench.recipe import Recipe
from workbench.storage import activations, container, header
from workbench.storage.container import Plain
from workbench.storage.content import LEVELS, SMALLEST, Content, Shared
from workbench.storage.encodings import Encoded, constraint_parts, encode, ways
from workbench.tensors import DTYPES, NAMES, Named, as_bytes, plain, raw, tensors

STREAM = "workbench.packed"  # the name of the tensor that holds all that is not plain
_LARGE = 4096  # bytes of a plain tensor that the smallest file, too, keeps under its own name
_TYPICAL_HEADER = 450  # compressed characters of a recipe, seed, fingerprints and a few figures


def pack(
    candidate: Candidate,
    *,
    recipe: Recipe | None = None,
    original: nn.Module,
    report: Any = None,
    seed: int = 0,
    level: str = SMALLEST,
) -> bytes:
    """A candidate as a packed file: one safetensors file, written down in `storage/README.md`.

    Every tensor takes the smallest encoding that gives back each of its bits, which is checked by decoding
    what was just encoded. Tied tensors are written once. Latent weights are not kept: training goes on from
    the weights as they are.

    Args:
        recipe, seed: how the candidate was made; kept in the header.
        original: the model the recipe began from; the file holds how the candidate's structure differs. A
            student of another class is its own original, and the file names the class.
        report: a `Report`, or its `to_dict()`; its main figures are kept in the header.
        level: "coded" for the smallest file, "packed" for the one that is quickest to load.

    Raises:
        StorageError: something that a file cannot hold; nothing was written.
    """
    origin = candidate.base if candidate.base is not None else original
    head = {
        **_origin(recipe, origin, seed, report),
        "structure": structure.difference(origin, candidate.model),
        activations.KEY: activations.to_records(candidate.activations),
    }
    if candidate.base is not None:
        head["student"] = {"class": type(candidate.base).__name__}
    return _assembled(candidate, head, level)


def repack(data: bytes, candidate: Candidate, level: str) -> bytes:
    """The same packed file at another level, from the candidate it holds."""
    opened = container.read(data)
    header.check_format(opened.metadata)
    return _assembled(candidate, dict(header.from_metadata(opened.metadata).given), level)


def estimate_bytes(candidate: Candidate, level: str = SMALLEST) -> int:
    """About how many bytes `pack` would write, within 2 %: the same choices, counted instead of written."""
    names = [Plain("", "F32", (), b"")]
    rounded = {activations.KEY: activations.to_records(candidate.activations)}
    head = header.to_metadata(rounded if candidate.activations else {})
    total = len(container.write(names, head)) + _TYPICAL_HEADER
    is_plain_model = not candidate.constraints
    for each, content in _contents(candidate, level, is_estimate=True):
        constraints = constraint_parts(content)
        way = ways(content)[0]
        total += way.size + sum(len(part.data) for part in constraints)
        is_plain = (
            not constraints
            and way.positions is None
            and (is_plain_model or _has_a_name(content.tensor, level))
        )
        total += len(each.name) + 60 if is_plain else 24 + 6 * len(constraints)
    return total


def with_report(data: bytes, report: Any) -> bytes:
    """The same packed file with a report's main figures in its header; nothing is encoded again.

    Raises:
        StorageError: `data` is not a packed file.
    """
    opened = container.read(data)
    header.check_format(opened.metadata)
    head = {**header.from_metadata(opened.metadata).given, "figures": figures(report)}
    entries = [
        Plain(name, each.dtype, each.shape, opened.data(name)) for name, each in opened.entries.items()
    ]
    return container.write(entries, header.to_metadata(head))


def figures(report: Any) -> dict[str, Any]:
    """The figures of a report that belong in a file: accuracy with its interval and n, and own metrics.

    Bytes are the file's own length, and times belong to the machine they were measured on.
    """
    data = report if isinstance(report, Mapping) else report.to_dict()
    found: dict[str, Any] = {}
    if accuracy := data.get("accuracy"):
        kept = ("value", "low", "high", "n", "split")
        found["accuracy"] = {name: _rounded(accuracy[name]) for name in kept if name in accuracy}
    if metrics := data.get("metrics"):
        found["metrics"] = {name: _rounded(value) for name, value in metrics.items()}
    return found


def _origin(recipe: Recipe | None, original: nn.Module, seed: int, report: Any) -> dict[str, Any]:
    """What the file says about where the weights come from."""
    return {
        "recipe": (recipe if recipe is not None else Recipe()).to_records(),
        "seed": seed,
        "original": {
            "fingerprint": structure.fingerprint(original),
            "structure": structure.structure_fingerprint(original),
            "modules": structure.module_marks(original),
        },
        "figures": figures(report) if report is not None else {},
    }


def _contents(candidate: Candidate, level: str, is_estimate: bool = False) -> Iterator[tuple[Named, Content]]:
    """The tensors of a candidate, each once, with their constraints."""
    shared = Shared()
    for each in tensors(candidate.model):
        constraints = _constraints(candidate.constraints, each)
        tensor = plain(each.tensor, each.name)
        if constraints and not is_estimate and tensor.is_floating_point():
            tensor = tensor + 0.0  # a negative zero has no code; under a constraint its sign means nothing
        yield each, Content(tensor, constraints, level, is_estimate, each.name, shared)


def _constraints(constraints: Constraints, named: Named) -> tuple[Constraint, ...]:
    """A tensor's constraints, under whichever of its names they were put."""
    return next((constraints[name] for name in named.names if name in constraints), ())


def _assembled(candidate: Candidate, head: dict[str, Any], level: str) -> bytes:
    """The file: plain tensors under their own names, then one stream of everything else."""
    if level not in LEVELS:
        raise StorageError(f"level must be one of {', '.join(LEVELS)}, got {level!r}")
    entries, records, stream = [], [], []
    for named, content in _contents(candidate, level):
        tensor, encoded = content.tensor, encode(content)
        record = _record(named, tensor, encoded)
        is_named = not candidate.constraints or _has_a_name(tensor, level)
        is_entry = is_named and encoded.is_plain and named.name != STREAM
        if is_entry:
            entries.append(Plain(named.name, NAMES[tensor.dtype], tuple(tensor.shape), as_bytes(raw(tensor))))
            record = {key: record[key] for key in ("name", "also", "constraints") if key in record}
        parts = encoded.constraints if is_entry else encoded.parts
        if parts:
            record["bytes"] = [len(part.data) for part in parts]
            stream.extend(part.data for part in parts)
        if len(record) > 1 or not is_entry:
            records.append(record)
    entries.sort(key=lambda entry: -DTYPES[entry.dtype].itemsize)  # aligned, as the safetensors library does
    packed = b"".join(stream)
    if records:
        entries.append(Plain(STREAM, "U8", (len(packed),), packed))
    head = {key: value for key, value in head.items() if value not in ({}, [])}
    return container.write(entries, header.to_metadata({**head, "level": level, "tensors": records}))


def _has_a_name(tensor: Tensor, level: str) -> bool:
    """Whether a plain tensor stands under its own name, for every safetensors reader, at about 60 bytes."""
    return level == "packed" or tensor.nbytes >= _LARGE


def _record(named: Named, tensor: Any, encoded: Encoded) -> dict[str, Any]:
    """What the header says of a tensor."""
    record: dict[str, Any] = {
        "name": named.name,
        "also": list(named.names[1:]),
        "dtype": NAMES[tensor.dtype],
        "shape": list(tensor.shape),
        "constraints": [part.record for part in encoded.constraints],
        "positions": encoded.positions.record if encoded.positions else None,
        "values": encoded.values.record,
    }
    return {key: value for key, value in record.items() if value not in ([], None) or key == "shape"}


def _rounded(value: Any) -> Any:
    """A figure as strict JSON holds it: six digits, null for NaN and infinities."""
    value = value.item() if hasattr(value, "item") else value
    if isinstance(value, float):
        return float(f"{value:.6g}") if math.isfinite(value) else None
    return value
