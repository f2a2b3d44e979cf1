"""Which tensor goes from where to where in one forward pass: layers, and the operations between them.

Recorded while the model runs on one example, by the tensors themselves: no tracing, so any Python is fine.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

import torch
from torch import Tensor, nn
from torch.overrides import TorchFunctionMode

from workbench.attention import without_fused_attention
from workbench.candidate import with_parameters

_BATCH_NORMS = (nn.BatchNorm1d, nn.BatchNorm2d, nn.BatchNorm3d)
BATCH_NORM, LAYER = "batch_norm", "layer"


@dataclass(frozen=True)
class Step:
    """One operation: a whole layer, or one function between layers.

    Attributes:
        kind: "layer", "batch_norm", or the function's name.
        path: of the layer; empty for a function.
        inputs, outputs: numbers of the values that go in and come out.
        floor, cap: of a function that cuts values off below 0 and maybe above; None where it does not.
    """

    kind: str
    path: str
    inputs: tuple[int, ...]
    outputs: tuple[int, ...]
    floor: float | None = None
    cap: float | None = None


@dataclass(frozen=True)
class Flow:
    """All steps of one forward pass, in the order they were taken.

    Attributes:
        outputs_of: the value that each module gave, by path; of modules that were called once.
        calls: how often each module was called.
    """

    steps: tuple[Step, ...] = ()
    outputs_of: Mapping[str, int] = field(default_factory=dict)
    calls: Mapping[str, int] = field(default_factory=dict)

    @cached_property
    def consumers(self) -> Mapping[int, tuple[Step, ...]]:
        """The steps that take each value."""
        found: dict[int, list[Step]] = defaultdict(list)
        for step in self.steps:
            for value in dict.fromkeys(step.inputs):
                found[value].append(step)
        return {value: tuple(steps) for value, steps in found.items()}


def flow(
    model: nn.Module, example: Any, call: Callable[[nn.Module, Any], Any], layers: frozenset[str]
) -> Flow:
    """One forward pass of `example`; `layers` and batch norms are taken as wholes."""
    twin = with_parameters(model, {})  # hooks on a copy of the modules: the model may be in use elsewhere
    recorder = _Recorder()
    for path, module in twin.named_modules():
        kind = LAYER if path in layers else BATCH_NORM if isinstance(module, _BATCH_NORMS) else ""
        module.register_forward_pre_hook(recorder.entering(kind), with_kwargs=True)
        module.register_forward_hook(recorder.leaving(path, kind))
    with torch.no_grad(), without_fused_attention(), recorder:
        call(twin, example)
    once = {path: value for path, value in recorder.outputs.items() if recorder.calls[path] == 1}
    return Flow(tuple(recorder.steps), once, dict(recorder.calls))


class _Recorder(TorchFunctionMode):
    """Writes down every function of tensors that is called, except within a layer."""

    def __init__(self) -> None:
        super().__init__()
        self.steps: list[Step] = []
        self.outputs: dict[str, int] = {}
        self.calls: dict[str, int] = defaultdict(int)
        self._depth = 0  # of layers that are taken as wholes
        self._entered: list[tuple[int, ...]] = []
        self._numbers: dict[int, int] = {}
        self._count = 0
        self._alive: list[Tensor] = []  # an id is a tensor's own for as long as it lives

    def __torch_function__(self, function, types, args=(), kwargs=None):  # type: ignore[no-untyped-def]
        kwargs = kwargs or {}
        if self._depth:
            return function(*args, **kwargs)
        inputs = tuple(map(self._number, _tensors((args, kwargs))))
        result = function(*args, **kwargs)
        outputs = tuple(self._anew(each) for each in _tensors(result))
        if outputs:
            name = getattr(function, "__name__", "")
            self.steps.append(Step(name, "", inputs, outputs, *_limits(name, args, kwargs)))
        return result

    def entering(self, kind: str) -> Callable[..., None]:
        def hook(module: nn.Module, args: Any, kwargs: Any) -> None:
            if kind:
                self._entered.append(tuple(map(self._number, _tensors((args, kwargs)))))
                self._depth += 1

        return hook

    def leaving(self, path: str, kind: str) -> Callable[..., None]:
        def hook(module: nn.Module, args: Any, output: Any) -> None:
            if kind:
                self._depth -= 1
                inputs = self._entered.pop()
                if not self._depth:
                    outputs = tuple(self._anew(each) for each in _tensors(output))
                    self.steps.append(Step(kind, path, inputs, outputs))
            if not self._depth:
                self.calls[path] += 1
                if isinstance(output, Tensor):
                    self.outputs[path] = self._number(output)

        return hook

    def _number(self, tensor: Tensor) -> int:
        if id(tensor) not in self._numbers:
            self._anew(tensor)
        return self._numbers[id(tensor)]

    def _anew(self, tensor: Tensor) -> int:
        """A new value: also where an operation in place gave the same tensor another content."""
        self._alive.append(tensor)
        self._count += 1
        self._numbers[id(tensor)] = self._count
        return self._count


def _limits(name: str, args: tuple[Any, ...], kwargs: Mapping[str, Any]) -> tuple[float | None, float | None]:
    """Where a function cuts off: below at 0, and above; None, None for one that does not, or elsewhere."""
    name = name.rstrip("_")
    if name == "relu":
        return 0.0, None
    if name == "relu6":
        return 0.0, 6.0
    if name in ("hardtanh", "clamp", "clip"):
        words = ("min_val", "max_val") if name == "hardtanh" else ("min", "max")
        low, high = (kwargs.get(w, args[i] if len(args) > i else None) for i, w in enumerate(words, 1))
        if low == 0 and (high is None or isinstance(high, (int, float))):
            return 0.0, None if high is None else float(high)
    return None, None


def _tensors(value: Any) -> Iterator[Tensor]:
    if isinstance(value, Tensor):
        if not isinstance(value, nn.Parameter):
            yield value
    elif isinstance(value, Mapping):
        for each in value.values():
            yield from _tensors(each)
    elif isinstance(value, (tuple, list)):
        for each in value:
            yield from _tensors(each)
