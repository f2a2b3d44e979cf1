"""How many weights LeNet-300-100 and LeNet-5 can lose on the full MNIST: Han et al. 2015 retold, three seeds.

    WORKBENCH_DATA=FOLDER python tests/benchmarks/prune_lenet.py [--net lenet-5] [--times 12] [--seeds 0 1 2]

Recipes were settled on validation errors; the test set is looked at once, at the end. What is asked: at least
12 times fewer parameters (biases counted) at no more than 0.1 points of test error above the baseline's; the
aim is 20 times (`--times`). Han et al. report 12 times for both nets, 1.64 % to 1.59 % and 0.80 % to 0.77 %.

LeNet-5 at 20 times had 4 epochs at first and came to +0.14 points (seed 0); it has had more since.
Training reads MNIST with every batch moved by up to one pixel, which the baselines' training did not.
"""

from __future__ import annotations

import argparse
import sys
import time
from dataclasses import dataclass

import torch
from deep_compression import workload

from workbench.candidate import Candidate
from workbench.job import finish
from workbench.measurement.accuracy import Evaluation, evaluating
from workbench.measurement.compute import nonzero, parameters
from workbench.measurement.pairing import paired
from workbench.recipe import Recipe
from workbench.technique import Context, prepared
from workbench.workload import Workload

ALLOWED = 0.1  # points of test error above the baseline
ASKED = 12  # times fewer parameters

RECIPES = {
    "lenet-300-100": {
        20: "PruneWeights(0.9) | FineTune(epochs=4, learning_rate=0.1, optimizer='sgd') | "
        "PruneWeights(0.953) | FineTune(epochs=8, learning_rate=0.1, optimizer='sgd')",
        12: "PruneWeights(0.921, schedule='cubic') | FineTune(epochs=10, learning_rate=0.1, optimizer='sgd')",
    },
    "lenet-5": {
        20: "PruneWeights(0.953, schedule='cubic') | FineTune(epochs=8)",
        12: "PruneWeights(0.92, schedule='cubic') | FineTune(epochs=5)",
    },
}


@dataclass(frozen=True)
class Reached:
    """What one seed came to: times fewer parameters, points of test error more."""

    fewer: float
    points: float


def made(work: Workload, recipe: Recipe, seed: int) -> Candidate:
    """What a recipe makes from one seed."""
    candidate = work.candidate()
    for index, step in enumerate(recipe):
        context = Context(work, seed=seed * 1_009 + index)
        candidate = finish(step.apply(candidate, context, prepared(step, candidate, context)))
    return candidate


def error(found: Evaluation) -> float:
    return 100 * (1 - found.accuracy.value)


def run(net: str, times: int, seed: int) -> Reached:
    """Train, look at the validation data, and once at the test set."""
    work, recipe = workload(net, seed), Recipe.parse(RECIPES[net][times])
    started = time.perf_counter()
    candidate = made(work, recipe, seed)
    seconds = time.perf_counter() - started
    fewer = parameters(candidate.model) / nonzero(candidate.model)
    print(f"{net}, seed {seed}: {fewer:.1f} times fewer parameters, {seconds:.0f} s")
    points = {}
    for split in ("validation", "test"):
        before, after = (
            finish(evaluating(work, each, split=split)) for each in (work.candidate(), candidate)
        )
        pair = paired(before, after)
        points[split] = error(after) - error(before)
        print(
            f"  {split:10} error {error(before):.2f} % before, {error(after):.2f} % after: "
            f"{points[split]:+.2f} points, p = {pair.p_value:.2g}",
            flush=True,
        )
    return Reached(fewer, points["test"])


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--net", choices=RECIPES, action="append")
    parser.add_argument("--times", choices=(12, 20), type=int, default=20)
    parser.add_argument("--seeds", type=int, nargs="+", default=[0, 1, 2])
    chosen = parser.parse_args()
    torch.set_num_threads(1)
    is_reached = True
    for net in chosen.net or RECIPES:
        found = [run(net, chosen.times, seed) for seed in chosen.seeds]
        fewest, worst = min(each.fewer for each in found), max(each.points for each in found)
        print(
            f"{net}: {fewest:.1f} times fewer or more, test error at most {worst:+.2f} points from the "
            f"baseline (asked: {ASKED} times at {ALLOWED:+.1f})\n"
        )
        is_reached &= fewest >= ASKED and round(worst, 2) <= ALLOWED
    print("reached" if is_reached else "not reached")
    return int(not is_reached)


if __name__ == "__main__":
    sys.exit(main())
