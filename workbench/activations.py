"""Rounding of what layers take in and give out, beside a plain model.

Weights are constrained by what is written into them; activations exist only while a model runs. A rounding is
a record by place (`conv1/input`, `conv1/output`), attached to a model as hooks for as long as it runs.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from torch import Tensor, nn
from torch.utils.hooks import RemovableHandle

INPUT, OUTPUT = "input", "output"


@dataclass(frozen=True, eq=False)
class Rounding:
    """How the values at one place of a model are rounded while it runs."""

    def __call__(self, values: Tensor) -> Tensor:
        """The rounded values; same shape and dtype. Gradients pass straight through."""
        raise NotImplementedError

    def learned(self) -> dict[str, Tensor]:
        """The fields that training makes leaves."""
        return {}


def place(path: str, side: str) -> str:
    """The name of a place: a module's path and `input` or `output`."""
    return f"{path}/{side}"


def attach(model: nn.Module, roundings: Mapping[str, Rounding]) -> list[RemovableHandle]:
    """Round at the places named, from now until the handles are removed.

    Places whose module is not there are passed over: another step may have taken it out.
    """
    modules = dict(model.named_modules())
    handles = []
    for name, rounding in roundings.items():
        path, _, side = name.rpartition("/")
        if (module := modules.get(path)) is None:
            continue
        if side == INPUT:
            handles.append(module.register_forward_pre_hook(_before(rounding), with_kwargs=True))
        else:
            handles.append(module.register_forward_hook(_after(rounding)))
    return handles


def _before(rounding: Rounding) -> Callable[..., Any]:
    def hook(module: nn.Module, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        rounded = {name: _rounded(rounding, value) for name, value in kwargs.items()}
        return tuple(_rounded(rounding, each) for each in args), rounded

    return hook


def _after(rounding: Rounding) -> Callable[..., Any]:
    def hook(module: nn.Module, args: Any, output: Any) -> Any:
        if isinstance(
            output, tuple
        ):  # attention gives weights, recurrent layers their state, beside the output
            return (_rounded(rounding, output[0]), *output[1:])
        return _rounded(rounding, output)

    return hook


def _rounded(rounding: Rounding, value: Any) -> Any:
    is_real = isinstance(value, Tensor) and value.is_floating_point()
    return rounding(value) if is_real else value
