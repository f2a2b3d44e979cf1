"""Masking all of ResNet-18 globally at 90 %: ours against `torch.nn.utils.prune`, interleaved in one run.

    python tests/benchmarks/masking_resnet18.py

Prints the ratio for a first mask (nothing ordered yet) and for the next ones (a slider moving over one
order), in CPU time of this thread, medians with quartiles.
"""

from __future__ import annotations

import copy
import statistics
import time

import torch
import torchvision
from torch import nn
from torch.nn.utils import prune

from workbench.candidate import Candidate
from workbench.job import finish
from workbench.layers import weights
from workbench.technique import Context, prepared
from workbench.techniques.prune_weights import PruneWeights

ROUNDS = 9


def of_torch(model: nn.Module) -> float:
    """Seconds `global_unstructured` takes on a copy of the model."""
    copied = copy.deepcopy(model)
    layers = [(copied.get_submodule(each.layer), "weight") for each in weights(copied)]
    started = time.thread_time()
    prune.global_unstructured(layers, pruning_method=prune.L1Unstructured, amount=0.9)
    return time.thread_time() - started


def of_ours(candidate: Candidate, sparsity: float) -> float:
    """Seconds one mask takes on a candidate, ordering included where it was not ordered before."""
    step, context = PruneWeights(sparsity), Context(work=None)
    started = time.thread_time()
    finish(step.apply(candidate, context, prepared(step, candidate, context)))
    return time.thread_time() - started


def summary(values: list[float]) -> str:
    """Median and quartiles in words."""
    low, median, high = statistics.quantiles(values, n=4)
    return f"{median * 1e3:7.1f} ms ({low * 1e3:.1f}-{high * 1e3:.1f})"


def main() -> None:
    torch.set_num_threads(1)
    torch.manual_seed(0)
    model = torchvision.models.resnet18(weights=None)
    ordered = Candidate.of(model)
    of_ours(ordered, 0.5), of_ours(ordered, 0.6)  # the second one sorts
    theirs, first, again = [], [], []
    for round_number in range(ROUNDS):
        theirs.append(of_torch(model))
        first.append(of_ours(Candidate.of(model), 0.9))
        again.append(of_ours(ordered, 0.9 + 0.001 * round_number))
    median = statistics.median
    print(f"torch global_unstructured {summary(theirs)}")
    print(f"ours, first mask          {summary(first)}   {median(theirs) / median(first):.1f}× faster")
    print(f"ours, once ordered        {summary(again)}   {median(theirs) / median(again):.1f}× faster")


if __name__ == "__main__":
    main()
