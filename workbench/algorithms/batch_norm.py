"""Batch-norm statistics measured anew: after channels or layers went, the old ones describe another network.

The running mean and variance become those of the first training samples, by a cumulative average; weights
stay as they are. After Peters and Welling 2018, "Probabilistic Binary Neural Networks" (section 3.3) and Li
et al. 2020, "EagleEye: Fast Sub-net Evaluation for Efficient Neural Network Pruning" (adaptive batch norm).
"""

from __future__ import annotations

from dataclasses import replace

import torch
from torch import nn

from workbench.algorithms.channels.criteria import bounded
from workbench.candidate import Candidate
from workbench.data import length
from workbench.job import Progress, Steps, Stopped
from workbench.plain import own_copy
from workbench.workload import Workload

NORMS = nn.modules.batchnorm._BatchNorm


def keeps_statistics(model: nn.Module) -> bool:
    """Whether a model has batch normalization with running statistics."""
    return any(_has_statistics(each) for each in model.modules())


def re_estimating(candidate: Candidate, work: Workload, samples: int) -> Steps[Candidate]:
    """The candidate with batch-norm statistics of at most `samples` training samples; a note says how many.

    Without training data, without batch normalization, or stopped, it is the candidate as it was. Parameters
    are shared with it, statistics are not.
    """
    if not keeps_statistics(candidate.model):
        return candidate
    if work.train is None:
        return candidate.noting("batch-norm statistics are the old ones: there are no training data")
    twin = _with_own_statistics(candidate.model)
    running = replace(candidate, model=twin, notes=()).simulated
    seen = 0
    try:
        for inputs, targets in bounded(work.train, samples):
            yield Progress(min(seen / samples, 1.0), 1, "batch-norm statistics")
            _see(running, work, inputs)
            seen += length(targets)
    except Stopped:
        return candidate.noting("batch-norm statistics are the old ones: it was stopped before")
    except ValueError as error:  # torch's own: one value per channel has no variance
        return candidate.noting(f"batch-norm statistics are the old ones: {str(error).splitlines()[0]}")
    _take(running, twin)
    return replace(candidate, model=twin.eval()).noting(f"batch-norm statistics of {seen:,} training samples")


def _see(model: nn.Module, work: Workload, inputs: object) -> None:
    """One batch through the model, only its batch normalizations in training mode."""
    norms = {each: each.momentum for each in model.modules() if _has_statistics(each)}
    for each in norms:
        each.train()
        each.momentum = None  # every batch counts as much as the ones before
    try:
        with torch.no_grad():
            work.call(model, inputs)
    finally:
        for each, momentum in norms.items():
            each.eval()
            each.momentum = momentum


def _with_own_statistics(model: nn.Module) -> nn.Module:
    """A model on the same parameters whose running statistics are its own and begin from nothing."""
    statistics = {id(b) for m in model.modules() if _has_statistics(m) for b in m.buffers(recurse=False)}
    tensors = [*model.parameters(), *model.buffers()]
    twin = own_copy(model, {id(each): each for each in tensors if id(each) not in statistics}).eval()
    for each in twin.modules():
        if _has_statistics(each):
            each.reset_running_stats()
    return twin


def _take(running: nn.Module, model: nn.Module) -> None:
    """The statistics that were gathered where activations are rounded, into the plain model."""
    if running is model:
        return
    gathered = dict(running.named_buffers())
    for name, buffer in model.named_buffers():
        buffer.copy_(gathered[name])


def _has_statistics(module: nn.Module) -> bool:
    return isinstance(module, NORMS) and module.running_mean is not None
