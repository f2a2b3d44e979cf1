"""How a compressed model's structure differs from the original's, as records."""

from __future__ import annotations

from typing import Any

from torch import nn

from workbench.errors import StorageError
from workbench.structure.fingerprints import shapes, structure_fingerprint
from workbench.structure.layer_types import arguments, construct, is_scalar, plain, type_name
from workbench.structure.rebuilding import rebuild

Record = dict[str, Any]

_POSITIONAL = (nn.Sequential, nn.ModuleList)


def difference(original: nn.Module, model: nn.Module) -> list[Record]:
    """The records that turn `original` into the structure of `model`; empty where it is the same.

    Raises:
        StorageError: a module of a person's own class where the original has none of that class: a file
            cannot say how to make it.
    """
    records: list[Record] = []
    _compare("", original, model, records, set())
    if records and structure_fingerprint(rebuild(original, records)) != structure_fingerprint(model):
        raise StorageError("the changed structure cannot be written down exactly; nothing was stored")
    return records


def _compare(
    path: str, old: nn.Module, new: nn.Module, records: list[Record], above: set[tuple[int, int]]
) -> None:
    if type(old) is not type(new):
        records.append({"at": path, **_described(new, path)})
        return
    if (pair := (id(old), id(new))) in above:  # a module that contains itself
        return
    expected = _compare_scalars(path, old, new, records)
    if (now := shapes(new)) != expected:
        changed = {k: now.get(k) for k in {**expected, **now} if now.get(k) != expected.get(k)}
        records.append({"at": path, "tensors": changed})
    for name, old_child, new_child in _children(path, old, new, records):
        _compare(_joined(path, name), old_child, new_child, records, above | {pair})


def _compare_scalars(
    path: str, old: nn.Module, new: nn.Module, records: list[Record]
) -> dict[str, list[int] | None]:
    """Record changed arguments or scalars; the tensors' shapes to expect after them."""
    kind = type_name(new)
    before, after = (_scalars(old), _scalars(new)) if kind is None else (arguments(old), arguments(new))
    changed = {name: value for name, value in after.items() if name in before and before[name] != value}
    if not changed:
        return shapes(old)
    records.append({"at": path, "set": changed})
    return shapes(old) if kind is None else shapes(construct(kind, after, path))


def _scalars(module: nn.Module) -> dict[str, Any]:
    """A module's public scalar attributes, as JSON holds them."""
    return {
        name: plain(value)
        for name, value in vars(module).items()
        if not name.startswith("_") and name != "training" and is_scalar(value)
    }


def _children(
    path: str, old: nn.Module, new: nn.Module, records: list[Record]
) -> list[tuple[str, nn.Module, nn.Module]]:
    """The pairs of children to compare; children that came or went are recorded here."""
    before, after = _named(old), _named(new)
    if isinstance(new, _POSITIONAL) and len(before) != len(after):
        pairs = _aligned(list(before.values()), list(after.values()))
        names = list(before)
        held = [
            names[pairs[index]] if index in pairs else _described(child, _joined(path, name))
            for index, (name, child) in enumerate(after.items())
        ]
        records.append({"at": path, "children": held})
        old_children = list(before.values())
        return [
            (name, old_children[pairs[index]], child)
            for index, (name, child) in enumerate(after.items())
            if index in pairs
        ]
    for name in before.keys() - after.keys():
        records.append({"at": _joined(path, name), "drop": True})
    for name in after.keys() - before.keys():
        records.append({"at": _joined(path, name), **_described(after[name], _joined(path, name))})
    return [(name, before[name], child) for name, child in after.items() if name in before]


def _named(module: nn.Module) -> dict[str, nn.Module]:
    return {name: child for name, child in module._modules.items() if child is not None}


def _aligned(old: list[nn.Module], new: list[nn.Module]) -> dict[int, int]:
    """For each new child the old one it most likely is, in order: the longest common subsequence."""
    old_marks, new_marks = [structure_fingerprint(m) for m in old], [structure_fingerprint(m) for m in new]
    best = [[0] * (len(old) + 1) for _ in range(len(new) + 1)]
    score = [
        [0 if type(a) is not type(b) else 3 if old_marks[i] == new_marks[j] else 1 for i, a in enumerate(old)]
        for j, b in enumerate(new)
    ]
    for j in reversed(range(len(new))):
        for i in reversed(range(len(old))):
            taken = score[j][i] + best[j + 1][i + 1] if score[j][i] else 0
            best[j][i] = max(taken, best[j + 1][i], best[j][i + 1])
    pairs, i, j = {}, 0, 0
    while i < len(old) and j < len(new):
        if score[j][i] and best[j][i] == score[j][i] + best[j + 1][i + 1]:
            pairs[j] = i
            i, j = i + 1, j + 1
        elif best[j][i] == best[j][i + 1]:
            i += 1
        else:
            j += 1
    return pairs


def _described(module: nn.Module, path: str) -> Record:
    """A new layer as a record: its type and arguments, or a container and what it holds."""
    if type(module) in _POSITIONAL:
        held = {name: _described(child, _joined(path, name)) for name, child in _named(module).items()}
        return {"is": type(module).__name__, "of": held}
    kind = type_name(module)
    if kind is None:
        raise StorageError(
            f"{path or 'the model'} was replaced by a {type(module).__name__}, which a file cannot describe; "
            "use torch.nn layers, or Sequential of them"
        )
    described: Record = {"is": kind, "with": arguments(module)}
    if shapes(module) != shapes(construct(kind, described["with"], path)):
        raise StorageError(f"the tensors of {path} do not agree with its arguments as a {kind}")
    return described


def _joined(path: str, name: str) -> str:
    return f"{path}.{name}" if path else name
