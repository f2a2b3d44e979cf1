"""PyTorch with sparse kernels in those layers where they were measured to win; dense ones elsewhere."""

from __future__ import annotations

import time
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, ClassVar

from workbench.errors import RuntimeUnavailable, listed
from workbench.runtimes.base import ZEROS, Call, Prepared, Runtime
from workbench.runtimes.sparse_kernels import FEWEST_ZEROS, Trial, can_be_sparse, try_out

if TYPE_CHECKING:
    from torch import Tensor, nn

    from workbench.candidate import Candidate

_CLOSE = 1e-4  # of the largest output: sums are taken in another order


class PyTorchSparse(Runtime):
    """PyTorch eager, skipping zeros where that pays. Its artefact is the weights, in rows where sparse."""

    name: ClassVar[str] = "pytorch-sparse"
    title: ClassVar[str] = "PyTorch with sparse layers"
    order: ClassVar[int] = 5
    needs: ClassVar[tuple[str, ...]] = ("torch",)
    install: ClassVar[str] = "pip install torch"
    follows: ClassVar[frozenset[str]] = frozenset({ZEROS})
    is_quick: ClassVar[bool] = True

    def prepare(
        self,
        model: nn.Module,
        example: Any,
        threads: int = 1,
        *,
        call: Call | None = None,
        candidate: Candidate | None = None,
    ) -> Prepared:
        """The model with its own choice of kernels for each layer; the notes say which layers are sparse.

        Raises:
            RuntimeUnavailable: sparse kernels compute something else.
        """
        import torch

        from workbench.measurement.compute import plain_call
        from workbench.measurement.latency import torch_threads
        from workbench.measurement.size import file_bytes
        from workbench.plain import own_copy

        call = call or plain_call
        shared = {id(each): each for each in [*model.parameters(), *model.buffers()]}
        twin = own_copy(model, shared)  # layers of its own, on the same tensors
        clock = time.thread_time if threads == 1 else time.perf_counter
        with torch.no_grad(), torch_threads(threads):
            before = call(model, example)
            trials = _choose(twin, _seen(twin, example, call), clock)
            _check_same(call(twin, example), before)

        def outputs(given: Any) -> Any:
            with torch.no_grad():
                return call(twin, given)

        size = file_bytes(model) - sum(
            4 * twin.get_submodule(each.name).weight.numel() - each.kept_bytes
            for each in trials
            if each.is_faster
        )
        return Prepared(lambda: outputs(example), outputs, size, threads == 1, (_told(trials),))


def _seen(twin: nn.Module, example: Any, call: Call) -> dict[str, Tensor]:
    """What each layer that could be sparse is called with; a layer in two places by its first name."""
    from workbench.tensors import nonzeros

    seen: dict[str, Tensor] = {}
    watched = []
    for name, module in twin.named_modules():
        weight = getattr(module, "weight", None)
        if can_be_sparse(module) and 1 - nonzeros(weight) / max(1, weight.numel()) >= FEWEST_ZEROS:
            watched.append(module)
            module.forward = _noting(name, module.forward, seen)  # type: ignore[method-assign]
    try:
        call(twin, example)  # no hooks: with them, attention would take another way than it takes when timed
    finally:
        for module in watched:
            del module.forward
    return seen


def _noting(name: str, forward: Any, seen: dict[str, Tensor]) -> Any:
    def noting(inputs: Tensor) -> Tensor:
        seen.setdefault(name, inputs)
        return forward(inputs)

    return noting


def _choose(twin: nn.Module, seen: Mapping[str, Tensor], clock: Any) -> list[Trial]:
    """Try every layer, and let those that win compute sparsely from now on."""
    trials = []
    for name, inputs in seen.items():
        module = twin.get_submodule(name)
        trial, forward = try_out(name, module, inputs, clock)
        trials.append(trial)
        if trial.is_faster:
            module.forward = forward  # type: ignore[method-assign]
    return trials


def _check_same(found: Any, before: Any) -> None:
    import torch

    from workbench.data import mapped

    flat: list[list[Tensor]] = [[], []]
    for each, into in zip((found, before), flat, strict=True):
        mapped(into.append, each)
    for one, other in zip(*flat, strict=True):
        if one.is_floating_point():
            largest = float(other.abs().max()) if other.numel() else 0.0
            if not torch.allclose(one, other, rtol=0, atol=_CLOSE * max(largest, 1e-3)):
                raise RuntimeUnavailable("sparse kernels give other outputs than dense ones; use pytorch")


def _told(trials: list[Trial]) -> str:
    """One sentence on where sparse kernels win and where not."""
    faster = [
        f"{each.name} ({each.sparsity:.0%} zeros, {each.speedup:.1f}×)" for each in trials if each.is_faster
    ]
    slower = [
        f"{each.name} ({each.sparsity:.0%}, {each.speedup:.1f}×)" for each in trials if not each.is_faster
    ]
    if not trials:
        return f"no layer has {FEWEST_ZEROS:.0%} zeros or more: every kernel is dense"
    if not faster:
        return f"sparse kernels win nowhere on this machine: {listed(slower)}"
    rest = f"; dense stay {listed(slower)}" if slower else ""
    return f"sparse kernels in {listed(faster)}{rest}"
