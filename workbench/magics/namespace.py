"""The notebook's variables: models, versions and workloads by name. Nothing is evaluated.

torch is not imported to look: where it is not loaded, no variable can be a model.
"""

from __future__ import annotations

import ast
import keyword
import re
import sys
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from workbench.errors import listed, nearest
from workbench.magics import verbs
from workbench.magics.errors import CompressError

_OWN = {"In", "Out", "exit", "quit", "get_ipython", "open"}


@dataclass(frozen=True)
class Namespace:
    """What the notebook has, by name. `hidden` are the names IPython put there itself."""

    variables: Mapping[str, Any]
    hidden: Mapping[str, Any] | tuple[str, ...] = ()

    def own(self) -> Iterator[tuple[str, Any]]:
        """The variables that a person made, in the order they were made."""
        for name, value in list(self.variables.items()):
            if not name.startswith("_") and name not in _OWN and name not in self.hidden:
                yield name, value

    def models(self) -> dict[str, Any]:
        """Models, workloads and versions by name; modules without weights (a loss, say) are left out."""
        return {name: value for name, value in self.own() if is_subject(value) and not _is_empty(value)}

    def versions(self) -> dict[str, Any]:
        """The versions among the variables."""
        return {name: value for name, value in self.own() if is_version(value)}

    def data(self) -> dict[str, Any]:
        """Loaders, data sets and tensors by name."""
        return {name: value for name, value in self.own() if is_data(value)}

    def model(self, name: str) -> Any:
        """The model, workload or version called `name`.

        Raises:
            CompressError: there is none; the line lists those there are.
        """
        if name not in self.variables:
            raise CompressError(f"{self._unknown(name)}; {self.known_models()}")
        value = self.variables[name]
        if isinstance(value, type) and _is_torch_class(value):
            raise CompressError(f"{name} is a class; make a model of it first: net = {name}()")
        if not is_subject(value):
            kind = type(value).__name__
            raise CompressError(f"{name!r} is of type {kind}, not a torch.nn.Module; {self.known_models()}")
        return value

    def value(self, text: str, flag: str) -> Any:
        """What a flag's words name: a variable, or a pair of them `(inputs, targets)`.

        Raises:
            CompressError: no such variable, or something that would have to be evaluated.
        """
        try:
            node = ast.parse(text, mode="eval").body
        except (SyntaxError, ValueError, MemoryError, RecursionError):
            node = None
        if isinstance(node, ast.Name):
            return self._variable(node.id, flag)
        if isinstance(node, ast.Tuple | ast.List) and all(isinstance(each, ast.Name) for each in node.elts):
            return tuple(self._variable(each.id, flag) for each in node.elts)  # type: ignore[attr-defined]
        target = flag.removeprefix("--")
        raise CompressError(
            f"{flag} takes the name of a variable, got {text!r}; "
            f"assign it first: {target}_data = {text}, then {flag} {target}_data"
        )

    def has(self, text: str) -> bool:
        """Whether every name in a flag's words is a variable now."""
        found = re.findall(r"\w+", text)
        return bool(found) and all(name in self.variables for name in found)

    def known_models(self) -> str:
        """`this notebook has: net, teacher`, for the end of a line."""
        models = self.models()
        if not models:
            return "this notebook has no model yet; %compress alone opens an example"
        return f"this notebook has: {listed(models)}"

    def check_free(self, name: str, flag: str = "--into") -> str:
        """`name`, if a result may be put there.

        Raises:
            CompressError: not a name, or the name of a model, which is never overwritten.
        """
        if not name.isidentifier() or keyword.iskeyword(name):
            raise CompressError(f"{flag} takes the name of a variable, got {name!r}; write {flag} small")
        held = self.variables.get(name)
        if is_model(held) or is_workload(held):
            raise CompressError(f"{name!r} is a model, and {flag} never overwrites one; choose another name")
        return name

    def _unknown(self, name: str) -> str:
        near = nearest(name, verbs.names())
        return f"no model or verb named {name!r}{near}" if near else f"no model named {name!r}"

    def _variable(self, name: str, flag: str) -> Any:
        if name in self.variables:
            return self.variables[name]
        data = self.data()
        known = f"this notebook has: {listed(data)}" if data else "this notebook has no data yet"
        raise CompressError(f"no variable named {name!r} for {flag}{nearest(name, data)}; {known}")


def is_model(value: Any) -> bool:
    """Whether this is an `nn.Module`."""
    torch = sys.modules.get("torch")
    return torch is not None and hasattr(torch, "nn") and isinstance(value, torch.nn.Module)


def is_workload(value: Any) -> bool:
    """Whether this is a `Workload`."""
    return _is_own(value, "Workload")


def is_version(value: Any) -> bool:
    """Whether this is a `Version`."""
    return _is_own(value, "Version")


def is_subject(value: Any) -> bool:
    """Whether this may stand where a model stands."""
    return is_model(value) or is_workload(value) or is_version(value)


def is_data(value: Any) -> bool:
    """Whether this is a loader, a data set, a tensor or a pair of tensors."""
    torch = sys.modules.get("torch")
    if torch is None or not hasattr(torch, "utils"):
        return False
    if isinstance(value, tuple | list) and len(value) == 2:
        return all(isinstance(each, torch.Tensor) for each in value)
    kinds = (torch.utils.data.DataLoader, torch.utils.data.Dataset, torch.Tensor)
    return isinstance(value, kinds) and not is_model(value)


def _is_own(value: Any, name: str) -> bool:
    """Whether this is an instance of a class of ours, told by its name so that nothing is imported."""
    kinds = type(value).__mro__
    return any(each.__name__ == name and each.__module__.startswith("workbench.") for each in kinds)


def _is_torch_class(value: type) -> bool:
    torch = sys.modules.get("torch")
    return torch is not None and issubclass(value, torch.nn.Module)


def _is_empty(value: Any) -> bool:
    return is_model(value) and next(value.parameters(), None) is None
