"""What removing channels costs beside torch-pruning itself: CPU seconds for the same cut of the same models.

    python tests/benchmarks/torch_pruning_cost.py [--quick]

Half of the channels by weight norm, from an untouched model to the smaller one: torch-pruning's own
`MagnitudePruner` (in place, on a copy) and `PruneChannels` (which also checks the groups by silencing, runs
the result and carries constraints). In turns, medians. Exits with an error where ours takes more than 1.3
times as long over all models. `--quick` leaves densenet121 out.
"""

from __future__ import annotations

import argparse
import copy
import statistics
import sys
import time
from collections.abc import Callable
from typing import Any

import torch
import torch_pruning
import torchvision
from torch import nn

from workbench.candidate import Candidate
from workbench.job import finish
from workbench.technique import Context, prepared
from workbench.techniques.prune_channels import PruneChannels
from workbench.workload import Workload

MOST = 1.3
ROUNDS = 5
PIXELS = 224


def models(quick: bool) -> dict[str, Callable[[], nn.Module]]:
    """The nets by name."""
    zoo = torchvision.models
    found = {
        "resnet18": zoo.resnet18,
        "mobilenet_v2": zoo.mobilenet_v2,
        "googlenet": lambda: zoo.googlenet(aux_logits=False, init_weights=False),
        "densenet121": zoo.densenet121,
    }
    if quick:
        del found["densenet121"]
    return found


def seconds(work: Callable[[], Any]) -> tuple[float, Any]:
    """CPU seconds of this thread, and the result."""
    started = time.thread_time()
    result = work()
    return time.thread_time() - started, result


def theirs(model: nn.Module, example: torch.Tensor) -> nn.Module:
    """torch-pruning's own way, on a copy."""
    model = copy.deepcopy(model)
    outputs = [each for each in model.modules() if isinstance(each, nn.Linear) and each.out_features == 1000]
    pruner = torch_pruning.pruner.MagnitudePruner(
        model,
        example,
        importance=torch_pruning.importance.MagnitudeImportance(p=1),
        pruning_ratio=0.5,
        ignored_layers=outputs,
        in_channel_groups={},
        out_channel_groups={},
    )
    pruner.step()
    return model


def ours(model: nn.Module, work: Workload) -> Candidate:
    """The step, on a candidate that nothing is known of yet."""
    candidate, step, context = Candidate.of(model), PruneChannels(0.5), Context(work)
    return finish(step.apply(candidate, context, prepared(step, candidate, context)))


def again(work: Workload) -> float:
    """CPU seconds of another ratio on a candidate whose groups are known: a slider's move."""
    candidate, step, context = work.candidate(), PruneChannels(0.5), Context(work)
    kept = prepared(step, candidate, context)
    return seconds(lambda: finish(step.replace(ratio=0.4).apply(candidate, context, kept)))[0]


def parameters(model: nn.Module) -> int:
    """How many there are."""
    return sum(each.numel() for each in model.parameters())


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--quick", action="store_true")
    quick = parser.parse_args().quick
    torch.set_num_threads(1)
    totals = [0.0, 0.0]
    print(
        f"{'':14}{'theirs, s':>10}{'ours, s':>9}{'ratio':>7}{'a move, s':>11}   parameters, theirs and ours"
    )
    for name, make in models(quick).items():
        torch.manual_seed(0)
        model = make().eval()
        taken: tuple[list[float], list[float]] = ([], [])
        for _ in range(ROUNDS):
            work = Workload(model, input_shape=(3, PIXELS, PIXELS), threads=1)  # nothing is known of it yet
            spent, pruned = seconds(lambda m=model, w=work: theirs(m, w.example))
            taken[0].append(spent)
            spent, candidate = seconds(lambda m=model, w=work: ours(m, w))
            taken[1].append(spent)
        medians = [statistics.median(each) for each in taken]
        totals = [a + b for a, b in zip(totals, medians, strict=True)]
        left = [parameters(model) / parameters(each) for each in (pruned, candidate.model)]
        print(
            f"{name:14}{medians[0]:10.2f}{medians[1]:9.2f}{medians[1] / medians[0]:7.2f}"
            f"{again(work):11.2f}   {left[0]:.2f}× {left[1]:.2f}× fewer"
        )
    ratio = totals[1] / totals[0]
    print(f"all together: {ratio:.2f} times torch-pruning's time; at most {MOST}: {ratio <= MOST}")
    return int(ratio > MOST)


if __name__ == "__main__":
    sys.exit(main())
