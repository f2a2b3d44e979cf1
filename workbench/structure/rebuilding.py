"""Applying structure records to a model. The records come from a file, so nothing in them is believed."""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Any

import torch
from torch import Tensor, nn

from workbench.candidate import plain_copy
from workbench.errors import StorageError
from workbench.fields import Fields, shown, whole
from workbench.structure.layer_types import arguments, construct, is_scalar, plain, type_name

_NAME = re.compile(r"(?!__)[A-Za-z0-9_]{1,100}")
_CONTAINERS = {"Sequential": nn.Sequential, "ModuleList": nn.ModuleList}
_MOST_RECORDS = 5_000
_DEEPEST = 8  # containers inside containers
_GROWTH, _GRACE = 4, 16_000_000  # a rebuilt model takes at most four times the original's bytes, and 16 MB


def rebuild(original: nn.Module, records: Any) -> nn.Module:
    """A copy of `original` with the structure that the records describe, in eval mode.

    Unchanged tensors keep the original's values; those of new layers are on the meta device.

    Raises:
        StorageError: a record that is hostile or does not fit the original; the line names it.
    """
    if not isinstance(records, list) or len(records) > _MOST_RECORDS:
        raise StorageError(f"structure: expected a list of at most {_MOST_RECORDS:,} records")
    model = plain_copy(original)
    allowed = _GROWTH * _bytes(model) + _GRACE
    root = nn.Module()
    root._modules["model"] = model
    for record in records:
        _apply(root, Fields(record, "structure"))
    changed = root._modules["model"]
    if _bytes(changed) > allowed:
        raise StorageError(
            f"structure: the layers would take {_bytes(changed):,} bytes, far more than the original"
        )
    return changed.eval()


def _apply(root: nn.Module, record: Fields) -> None:
    path = record.text("at", longest=2000)
    where = f"structure of {path[:80]!r}"
    parent, name = _parent(root, path, where)
    if "is" in record:
        parent._modules[name] = _new(record, where)
        return
    module = parent._modules.get(name)
    if module is None:
        raise StorageError(f"{where}: the original has no such module")
    if "drop" in record:
        _drop(parent, name, module, where)
    elif "set" in record:
        parent._modules[name] = _with_scalars(module, record.object("set").given, where)
    elif "children" in record:
        _hold(module, record.items("children", _MOST_RECORDS), where)
    elif "tensors" in record:
        _reshape(module, record.object("tensors"), where)
    else:
        raise StorageError(f"{where}: the record says nothing that this workbench knows")


def _parent(root: nn.Module, path: str, where: str) -> tuple[nn.Module, str]:
    """The module that holds the one at a path, and its name there. Walks registered children only."""
    steps = ["model", *(path.split(".") if path else [])]
    if not all(_NAME.fullmatch(step) for step in steps):
        raise StorageError(f"{where}: a path is made of the names of modules")
    parent = root
    for step in steps[:-1]:
        child = parent._modules.get(step)
        if child is None:
            raise StorageError(f"{where}: the original has no such module")
        parent = child
    if isinstance(parent, (nn.Sequential, nn.ModuleList)) and steps[-1] not in parent._modules:
        raise StorageError(f"{where}: the original has no such module")
    if steps[-1] not in parent._modules and _is_taken(parent, steps[-1]):
        raise StorageError(f"{where}: this is not a module of the original")
    return parent, steps[-1]


def _is_taken(module: nn.Module, name: str) -> bool:
    """Whether a name means something else there: looked up without running anybody's property."""
    held = (module._parameters, module._buffers, vars(module))
    return any(name in each for each in held) or any(name in vars(cls) for cls in type(module).__mro__)


def _new(record: Fields, where: str, depth: int = 0) -> nn.Module:
    kind = record.text("is", longest=40)
    if kind not in _CONTAINERS:
        return construct(kind, record.object("with").given, where)
    held = record.object("of")
    if depth >= _DEEPEST or len(held.given) > _MOST_RECORDS:
        raise StorageError(f"{where}: containers are nested too deeply or hold too much")
    container = _CONTAINERS[kind]()
    for name in held:
        if not _NAME.fullmatch(name):
            raise StorageError(f"{where}: {shown(name)} is no name of a module")
        container._modules[name] = _new(held.object(name), where, depth + 1)
    return container.eval()


def _drop(parent: nn.Module, name: str, module: nn.Module, where: str) -> None:
    """Take a child away; the attribute stays, as None, so that `if self.downsample is not None` works."""
    if isinstance(parent, (nn.Sequential, nn.ModuleList, nn.ModuleDict)):
        del parent._modules[name]
    elif name == "model":
        raise StorageError(f"{where}: a model cannot be dropped from itself")
    else:
        parent._modules[name] = None


def _with_scalars(module: nn.Module, given: dict[str, Any], where: str) -> nn.Module:
    """A layer made again with some arguments changed, or the module itself with scalars changed."""
    kind = type_name(module)
    if kind is not None:
        return construct(kind, {**arguments(module), **given}, where)
    for name, value in given.items():
        old = vars(module).get(name)
        if name.startswith("_") or name == "training" or name not in vars(module):
            raise StorageError(f"{where}: {shown(name)} is not a public attribute of the original's module")
        if not is_scalar(value) or not is_scalar(old) or not _may_become(old, value):
            raise StorageError(f"{where}: {name} cannot become {shown(value)}")
        setattr(module, name, tuple(value) if isinstance(old, tuple) else value)
    return module


def _may_become(old: Any, new: Any) -> bool:
    """Whether a scalar may take another's place: numbers may, None may come and go; texts may not.

    A text in somebody's module can mean anything, a file's name for one.
    """
    if isinstance(old, str) or isinstance(new, str):
        return False
    return (
        old is None or new is None or type(plain(old)) is type(new) or {type(old), type(new)} == {int, float}
    )


def _hold(container: nn.Module, held: list[Any], where: str) -> None:
    """Give a positional container the children listed: its own by name, each once, and new ones."""
    if not isinstance(container, (nn.Sequential, nn.ModuleList)):
        raise StorageError(f"{where}: only a Sequential or a ModuleList has numbered children")
    before = dict(container._modules)
    children = []
    for each in held:
        if isinstance(each, str):
            if before.get(each) is None:
                raise StorageError(f"{where}: the original has no child {shown(each)}, or it is named twice")
            children.append(before.pop(each))
        else:
            children.append(_new(Fields(each, where), where))
    container._modules.clear()
    container._modules.update({str(index): child for index, child in enumerate(children)})


def _reshape(module: nn.Module, given: Fields, where: str) -> None:
    """Give a module's own tensors other shapes, without values yet."""
    for name in given:
        own = module._parameters if name in module._parameters else module._buffers
        if name not in own:
            raise StorageError(f"{where}: the original's module has no tensor {shown(name)}")
        if given.given[name] is None:
            own[name] = None
            continue
        shape = [whole(size, f"{where}: the size of {name}", high=2**31) for size in given.items(name, 16)]
        old = own[name]
        dtype = torch.float32 if old is None else old.dtype
        try:
            empty: Tensor = torch.empty(shape, dtype=dtype, device="meta")
        except RuntimeError:
            raise StorageError(f"{where}: {name} would be too large") from None
        if own is module._parameters:
            empty = nn.Parameter(empty, requires_grad=empty.is_floating_point())
        setattr(module, name, empty)  # not into the dictionary: recurrent layers keep a list of their weights


def _bytes(model: nn.Module) -> int:
    every: Iterable[Tensor] = [*model.parameters(), *model.buffers()]
    return sum(each.numel() * each.element_size() for each in every)
