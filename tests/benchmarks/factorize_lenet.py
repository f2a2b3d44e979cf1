"""Factorization on the example nets: a fifth of the parameters, and what activations are worth.

    WORKBENCH_DATA=FOLDER python tests/benchmarks/factorize_lenet.py

First, LeNet-300-100 with a fifth of its parameters, trained on: at most 0.2 points more errors. Then every
example net without training, at equal parameters: activation-aware (three calibration seeds) beside plain
SVD. On the full MNIST where WORKBENCH_DATA names it, else on the subset that is shipped. Exits with an error
where a promise does not hold.
"""

from __future__ import annotations

import sys
import time

import torch

from workbench import examples
from workbench.candidate import Candidate
from workbench.job import finish
from workbench.measurement.accuracy import Evaluation, evaluating
from workbench.technique import Context, Technique, prepared
from workbench.techniques.factorize import Factorize
from workbench.techniques.fine_tune import FineTune
from workbench.workload import Workload

SEEDS = (0, 1, 2)
RATIO = 0.12  # of the full rank: low enough that plain SVD loses, high enough that something is left


def run(work: Workload, *steps: Technique, seed: int = 0) -> Candidate:
    """What some steps make of the untouched model."""
    candidate = work.candidate()
    for step in steps:
        context = Context(work, seed=seed)
        candidate = finish(step.apply(candidate, context, prepared(step, candidate, context)))
    return candidate


def evaluated(work: Workload, candidate: Candidate | None = None) -> Evaluation:
    """The model on the test data."""
    return finish(evaluating(work, candidate, "test"))


def parameters(candidate: Candidate) -> int:
    """How many there are."""
    return sum(each.numel() for each in candidate.model.parameters())


def a_fifth_of_the_parameters() -> bool:
    """LeNet-300-100, split and trained on."""
    work = examples.load("lenet-300-100")
    before = evaluated(work).accuracy
    started = time.process_time()
    split = Factorize(0.2, by="parameters")
    untrained = evaluated(work, run(work, split)).accuracy
    candidate = run(work, split, FineTune(6, learning_rate=1e-3))
    after = evaluated(work, candidate).accuracy
    smaller = parameters(work.candidate()) / parameters(candidate)
    lost = 100 * (before.value - after.value)
    print(f"{work.name}: {before} before, {untrained} split, {after} trained")
    seconds = time.process_time() - started
    print(f"  {smaller:.2f}× fewer parameters, {lost:+.2f} points lost, {seconds:.0f} s CPU")
    return smaller >= 5 and lost <= 0.2


def what_activations_are_worth(name: str) -> bool:
    """One net without training: activation-aware and plain at the same ranks."""
    work = examples.load(name)
    plain = run(work, Factorize(RATIO, method="channel", error="weights"))
    aware = [run(work, Factorize(RATIO, method="channel"), seed=seed) for seed in SEEDS]
    base = evaluated(work, plain).accuracy.value
    values = [evaluated(work, each).accuracy.value for each in aware]
    assert {parameters(each) for each in aware} == {parameters(plain)}
    told = ", ".join(f"{value:.2%}" for value in values)
    print(f"{work.name}: {parameters(plain):,} parameters, plain {base:.2%}, aware {told}")
    return min(values) > base


def main() -> int:
    torch.set_num_threads(1)
    holds = [a_fifth_of_the_parameters(), *map(what_activations_are_worth, examples.names())]
    print("all promises hold" if all(holds) else "a promise does not hold")
    return int(not all(holds))


if __name__ == "__main__":
    sys.exit(main())
