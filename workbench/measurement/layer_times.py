"""How long each layer takes in a forward pass, measured inside the pass, the original in turns.

A layer is timed where it stands, with its inputs as the layers before it left them in the caches, so that the
times add up to that of the pass; timed alone it would be faster than it ever is. What is inside a layer that
is timed itself is taken off. Hooks are put on a copy that shares the weights, never on the model.
"""

from __future__ import annotations

import time
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from workbench.job import Progress, Steps, Stopped
from workbench.measurement.compute import Call, plain_call
from workbench.measurement.intervals import quantile
from workbench.measurement.latency import torch_threads

if TYPE_CHECKING:
    from torch import nn

SECONDS = 0.6
_FEWEST, _MOST = 5, 200  # rounds
_WARM = 2  # passes
_LONG = 3.0  # times the budget: the fewest rounds of a slow model are cut there


@dataclass(frozen=True)
class LayerTime:
    """Milliseconds inside one layer for one pass: the median with its quartiles."""

    ms: float
    low_ms: float
    high_ms: float


@dataclass(frozen=True)
class LayerTimes:
    """The times of a model's layers, by path, and of the original's, from the same rounds.

    Attributes:
        layers: of those that were called as modules; a layer whose weights are used otherwise is missing.
        original: the same of the model it was timed beside; the same mapping where there was none.
        whole_ms: of the pass. rest_ms: of it outside the layers: activations, pooling, additions.
        rounds, threads, batch: how it was measured.
    """

    layers: Mapping[str, LayerTime]
    original: Mapping[str, LayerTime]
    whole_ms: float
    rest_ms: float
    rounds: int
    threads: int = 1
    batch: int = 1
    runtime: str = "PyTorch"

    @property
    def how(self) -> str:
        """`PyTorch, 1 thread, batch of 1, median of 40 passes`."""
        threads = f"{self.threads} thread{'s' if self.threads > 1 else ''}"
        return f"{self.runtime}, {threads}, batch of {self.batch}, median of {self.rounds} passes"


@dataclass
class _Clock:
    """A model whose layers tell when they begin and end."""

    model: nn.Module
    inputs: Any
    call: Call
    rounds: list[dict[str, float]] = field(default_factory=list)
    wholes: list[float] = field(default_factory=list)
    _taken: dict[str, float] = field(default_factory=lambda: defaultdict(float))
    _open: list[list[Any]] = field(default_factory=list)  # name, when it began, seconds of layers inside

    def watch(self, names: Sequence[str]) -> None:
        """Put hooks on the layers of these paths, where they are modules of the model."""
        found = dict(self.model.named_modules())
        for name in names:
            if (module := found.get(name)) is not None:
                module.register_forward_pre_hook(lambda *_, name=name: self._begin(name))
                module.register_forward_hook(lambda *_: self._end(), always_call=True)

    def run(self, is_kept: bool = True) -> None:
        """One pass."""
        self._taken.clear()
        self._open.clear()
        started = time.thread_time()
        self.call(self.model, self.inputs)
        whole = time.thread_time() - started
        if is_kept:
            self.rounds.append(dict(self._taken))
            self.wholes.append(whole)

    def times(self) -> dict[str, LayerTime]:
        """By path, of the layers that were called."""
        names = dict.fromkeys(name for each in self.rounds for name in each)
        return {name: _summary([each[name] for each in self.rounds if name in each]) for name in names}

    def _begin(self, name: str) -> None:
        self._open.append([name, time.thread_time(), 0.0])

    def _end(self) -> None:
        if not self._open:
            return
        name, began, inside = self._open.pop()
        taken = time.thread_time() - began
        self._taken[name] += taken - inside
        if self._open:
            self._open[-1][2] += taken


def timing_layers(
    model: nn.Module,
    names: Sequence[str],
    example: Any,
    call: Call | None = None,
    *,
    original: nn.Module | None = None,
    seconds: float = SECONDS,
) -> Steps[LayerTimes | None]:
    """Time the layers of these paths on one thread, a pass of each model a step.

    Stopped, it returns what it has. None where the processor's clock cannot tell: a model on another device.

    Args:
        example: one input, as the model takes it. call: how it is called, where that is unusual.
        original: a model to time in the same rounds; its layers of the same paths are told beside.
    """
    import torch

    models = [model] if original is None else [model, original]
    if any(each.device.type != "cpu" for one in models for each in one.parameters()):
        return None
    clocks = [_Clock(_twin(one), example, call or plain_call) for one in models]
    for clock in clocks:
        clock.watch(names)
    done, spent = 0, 0.0
    try:
        for index in range(_WARM + _MOST):
            for clock in clocks:
                yield Progress(done, _MOST, "timing layers")
                started = time.perf_counter()  # others may work between two passes
                with torch_threads(1), torch.no_grad():
                    clock.run(is_kept=index >= _WARM)
                spent += time.perf_counter() - started
            done = max(0, index + 1 - _WARM)
            if _is_enough(done, spent, seconds):
                break
    except Stopped:
        if not done:
            raise
    return _told(clocks, done)


def _told(clocks: Sequence[_Clock], done: int) -> LayerTimes:
    first = clocks[0]
    rests = [whole - sum(taken.values()) for whole, taken in zip(first.wholes, first.rounds, strict=True)]
    whole, rest = (1e3 * quantile(sorted(each), 0.5) for each in (first.wholes, rests))
    return LayerTimes(first.times(), clocks[-1].times(), whole, rest, done)


def _is_enough(done: int, spent: float, seconds: float) -> bool:
    if spent >= _LONG * seconds:
        return done >= 1
    return spent >= seconds and done >= _FEWEST


def _summary(taken: list[float]) -> LayerTime:
    ordered = sorted(1e3 * each for each in taken)
    return LayerTime(*(quantile(ordered, share) for share in (0.5, 0.25, 0.75)))


def _twin(model: nn.Module) -> nn.Module:
    """A copy on the same tensors, which may have hooks of its own."""
    from workbench.plain import own_copy

    return own_copy(model, {id(each): each for each in [*model.parameters(), *model.buffers()]})
