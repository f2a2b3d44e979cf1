"""Layers computed from their weights that differ from zero alone, and where that is measured to be faster.

The weights lie in compressed rows (CSR) with 32-bit indices, for which PyTorch calls MKL. Nothing here is
worth it below about 80 % zeros; above, it depends on the layer, the batch and the machine, so it is timed.
"""

from __future__ import annotations

import statistics
import time
import warnings
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from torch import Tensor, nn

Forward = Callable[["Tensor"], "Tensor"]

FEWEST_ZEROS = 0.5  # below, no kernel is tried
FASTER = 1.05  # below, the dense kernel stays: the rest is chance
SPARSITIES = (0.5, 0.7, 0.8, 0.85, 0.9, 0.93, 0.95, 0.97, 0.98, 0.99)
_ROUNDS = 7
_SAMPLE = 0.001  # seconds


@dataclass(frozen=True)
class Trial:
    """A layer timed with sparse and dense kernels in turns.

    Attributes:
        sparsity: the share of zeros of its weight. speedup: above 1 the sparse kernel is faster.
    """

    name: str
    sparsity: float
    speedup: float
    kept_bytes: int = 0

    @property
    def is_faster(self) -> bool:
        """Whether the sparse kernel wins by more than chance."""
        return self.speedup >= FASTER


def can_be_sparse(module: nn.Module) -> bool:
    """Whether there is a sparse kernel for a layer: linear, or an ungrouped 2-d convolution, in float32."""
    import torch
    from torch import nn

    weight = getattr(module, "weight", None)
    is_plain = isinstance(weight, torch.Tensor) and weight.dtype == torch.float32
    if not is_plain or weight.device.type != "cpu" or weight.layout is not torch.strided:
        return False
    if type(module) is nn.Linear:
        return True
    if type(module) is not nn.Conv2d:
        return False
    return module.groups == 1 and module.padding_mode == "zeros" and not isinstance(module.padding, str)


def sparse_forward(module: nn.Module) -> tuple[Forward, int]:
    """What computes the layer's outputs from its nonzero weights, and the bytes those take."""
    import torch
    from torch import nn

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # that this layout is in beta
        dense = module.weight.detach().flatten(1).to_sparse_csr()
        rows, columns = dense.crow_indices().int(), dense.col_indices().int()
        weight = torch.sparse_csr_tensor(rows, columns, dense.values(), dense.shape)
    bias = module.bias.detach() if module.bias is not None else torch.zeros(dense.shape[0])
    kept_bytes = 4 * (len(rows) + 2 * len(columns))
    make = _convolution if isinstance(module, nn.Conv2d) else _linear
    return make(module, weight, bias), kept_bytes


def _linear(module: nn.Module, weight: Tensor, bias: Tensor) -> Forward:
    import torch

    column = bias[:, None]

    def forward(inputs: Tensor) -> Tensor:
        flat = inputs.reshape(-1, inputs.shape[-1])
        if len(flat) == 1:
            found = torch.addmv(bias, weight, flat[0])
        else:
            found = torch.addmm(column, weight, flat.t()).t().contiguous()
        return found.reshape(*inputs.shape[:-1], len(bias))

    return forward


def _convolution(module: Any, weight: Tensor, bias: Tensor) -> Forward:
    """By the columns of `unfold`, an image at a time: together they would have to be moved about."""
    import torch
    from torch.nn import functional

    kernel, stride, padding, dilation = module.kernel_size, module.stride, module.padding, module.dilation
    is_pointwise = kernel == stride == dilation == (1, 1) and padding == (0, 0)
    column = bias[:, None]

    def forward(inputs: Tensor) -> Tensor:
        images = inputs if inputs.ndim == 4 else inputs[None]
        size = [
            (images.shape[2 + i] + 2 * padding[i] - dilation[i] * (kernel[i] - 1) - 1) // stride[i] + 1
            for i in (0, 1)
        ]
        columns = (
            images.flatten(2)
            if is_pointwise
            else functional.unfold(images, kernel, dilation, padding, stride)
        )
        found = torch.stack([torch.addmm(column, weight, each) for each in columns])
        found = found.reshape(len(images), len(bias), *size)
        return found if inputs.ndim == 4 else found[0]

    return forward


def try_out(
    name: str, module: nn.Module, inputs: Tensor, clock: Callable[[], float] = time.perf_counter
) -> tuple[Trial, Forward]:
    """A layer timed on the inputs it gets, sparse and dense in turns; and its sparse forward."""
    import torch

    from workbench.tensors import nonzeros

    sparse, kept_bytes = sparse_forward(module)
    weight = module.weight
    with torch.no_grad():
        speedup = _speedup(lambda: sparse(inputs), lambda: module(inputs), clock)
    return Trial(name, 1 - nonzeros(weight) / weight.numel(), speedup, kept_bytes), sparse


def break_even(
    rows: int, columns: int, batch: int = 1, sparsities: Sequence[float] = SPARSITIES, seed: int = 0
) -> list[Trial]:
    """How a linear layer of so many outputs and inputs does at rising shares of zeros, on this machine.

    One thread; zeros lie at random. `crossing` says from where on the sparse kernel wins.
    """
    import torch
    from torch import nn

    from workbench.measurement.latency import torch_threads

    generator = torch.Generator().manual_seed(seed)
    layer = nn.Linear(columns, rows)
    dense = torch.randn(rows, columns, generator=generator)
    order = torch.rand(rows, columns, generator=generator).flatten().argsort()
    inputs = torch.randn(batch, columns, generator=generator)
    found = []
    with torch_threads(1):
        for share in sparsities:
            weight = dense.clone()
            weight.view(-1)[order[: round(share * len(order))]] = 0
            layer.weight = nn.Parameter(weight, requires_grad=False)
            found.append(try_out(f"{rows}×{columns}", layer, inputs, time.thread_time)[0])
    return found


def crossing(trials: Sequence[Trial]) -> float | None:
    """The lowest share of zeros from which on every trial was faster; None where the last one was not."""
    found = None
    for each in sorted(trials, key=lambda each: -each.sparsity):
        if not each.is_faster:
            break
        found = each.sparsity
    return found


def _speedup(ours: Callable[[], Any], theirs: Callable[[], Any], clock: Callable[[], float]) -> float:
    """The median over rounds of their time over ours, a millisecond of each in turn."""
    counts = [max(1, round(_SAMPLE / max(_passes(run, 2, clock) / 2, 1e-7))) for run in (ours, theirs)]
    ratios = []
    for _ in range(_ROUNDS):
        mine = _passes(ours, counts[0], clock) / counts[0]
        ratios.append(_passes(theirs, counts[1], clock) / counts[1] / max(mine, 1e-9))
    return statistics.median(ratios)


def _passes(run: Callable[[], Any], count: int, clock: Callable[[], float]) -> float:
    started = clock()
    for _ in range(count):
        run()
    return clock() - started
