"""Biases moved by the mean error that rounding the weights adds to each output channel."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Any

import torch
from torch import Tensor, nn

from workbench.attention import without_fused_attention
from workbench.candidate import Candidate, with_parameters
from workbench.data import length
from workbench.errors import WorkbenchError, listed
from workbench.job import Progress, Steps
from workbench.layers import Weight
from workbench.workload import Workload

SAMPLES = 256

_CONVOLUTIONS = (nn.Conv1d, nn.Conv2d, nn.Conv3d)
_TRANSPOSED = (nn.ConvTranspose1d, nn.ConvTranspose2d, nn.ConvTranspose3d)


def input_means(candidate: Candidate, work: Workload, samples: int = SAMPLES) -> Steps[dict[str, Tensor]]:
    """The mean input of each linear and convolution layer, per input channel, over training data, by path."""
    twin = with_parameters(candidate.model, {})  # hooks on a copy of the modules
    sums: dict[str, Tensor] = {}
    counts: dict[str, int] = {}
    for path, module in twin.named_modules():
        if isinstance(module, (nn.Linear, *_CONVOLUTIONS, *_TRANSPOSED)):
            module.register_forward_pre_hook(_adding(path, sums, counts))
    seen = 0
    with without_fused_attention():
        for inputs, targets in work.split("train").shuffled(0):
            with torch.no_grad():
                work.call(twin, inputs)
            seen += length(targets)
            yield Progress(min(seen, samples), samples, "mean inputs of each layer")
            if seen >= samples:
                break
    means = {path: total / counts[path] for path, total in sums.items()}
    if not all(bool(torch.isfinite(each).all()) for each in means.values()):
        raise WorkbenchError(
            "the training data give values that are not finite (NaN or infinite) in the model"
        )
    return means


def corrected(
    before: Candidate, after: Candidate, found: Sequence[Weight], means: Mapping[str, Tensor]
) -> Candidate:
    """`after` with each bias lowered by what rounding adds to its channel on average.

    Of a convolution the border is counted as if it had the mean input, too. After Nagel et al. 2019,
    "Data-free quantization through weight equalization and bias correction", section 4.2, with means that
    were measured.
    """
    biases, without = {}, []
    for each in found:
        bias = getattr(each.module, "bias", None)
        name = f"{each.layer}.bias" if each.name != "weight" else "bias"
        if each.layer not in means or not each.name.endswith("weight"):
            continue
        if not isinstance(bias, nn.Parameter) or name in before.constraints:
            without.append(each.layer)
            continue
        change = after.model.get_parameter(each.name).detach() - each.parameter.detach()
        biases[name] = bias.detach() - _shift(each.module, change, means[each.layer]).to(bias.dtype)
    made = replace(after, model=with_parameters(after.model, biases)) if biases else after
    note = (
        f"no bias to correct: {listed(without, 6)}; fold_batch_norm=True gives one where a batch norm follows"
    )
    return made.noting(note) if without else made


def _shift(module: nn.Module, change: Tensor, mean: Tensor) -> Tensor:
    """What a change of the weights adds to each output channel for the mean input."""
    if isinstance(module, nn.Linear):
        return change @ mean.to(change.dtype)
    mean = mean.to(change.dtype)
    kernel = change.flatten(2).sum(2)
    if isinstance(module, _TRANSPOSED):
        kernel = kernel / math.prod(module.stride)  # of the kernel's places so many reach one output
        blocks = zip(kernel.chunk(module.groups), mean.chunk(module.groups), strict=True)
        return torch.cat([block.T @ part for block, part in blocks])
    blocks = zip(kernel.chunk(module.groups), mean.chunk(module.groups), strict=True)
    return torch.cat([block @ part for block, part in blocks])


def _adding(path: str, sums: dict[str, Tensor], counts: dict[str, int]) -> Callable[..., None]:
    def hook(module: nn.Module, inputs: tuple[Any, ...]) -> None:
        given = inputs[0].detach()
        if isinstance(module, nn.Linear):
            rows = given.reshape(-1, given.shape[-1])
        else:
            axis = given.ndim - len(module.kernel_size) - 1
            rows = given.movedim(axis, -1).reshape(-1, given.shape[axis])
        sums[path] = sums.get(path, 0) + rows.sum(0, dtype=torch.float64)
        counts[path] = counts.get(path, 0) + len(rows)

    return hook
