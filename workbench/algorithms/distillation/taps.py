"""Look at what layers of a model give while it runs."""

from __future__ import annotations

from collections.abc import Iterable
from types import TracebackType
from typing import Any

from torch import Tensor, nn


class Taps:
    """Inside `with`, `seen` holds the latest output of each named layer (the first tensor of several)."""

    def __init__(self, model: nn.Module, paths: Iterable[str]) -> None:
        self._layers = {path: model.get_submodule(path) for path in dict.fromkeys(paths)}
        self._handles: list[Any] = []
        self.seen: dict[str, Tensor] = {}

    def __enter__(self) -> Taps:
        for path, layer in self._layers.items():
            self._handles.append(layer.register_forward_hook(self._hook(path)))
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        for each in self._handles:
            each.remove()
        self._handles.clear()

    def _hook(self, path: str) -> Any:
        def keep(layer: nn.Module, inputs: Any, output: Any) -> None:
            if (tensor := first_tensor(output)) is not None:
                self.seen[path] = tensor

        return keep


def first_tensor(value: Any) -> Tensor | None:
    """The first tensor in what a layer gives: recurrent and attention layers give several."""
    if isinstance(value, Tensor):
        return value
    values = value.values() if isinstance(value, dict) else value if isinstance(value, (tuple, list)) else ()
    return next((found for each in values if (found := first_tensor(each)) is not None), None)
