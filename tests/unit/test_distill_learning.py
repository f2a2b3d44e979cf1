"""Every loss teaches what it says: over three seeds the student comes nearer to its teacher in that."""

from __future__ import annotations

import math

import pytest

import workbench as wb
from workbench.algorithms.distillation.losses import KINDS
from workbench.job import Job
from workbench.technique import Context
from workbench.techniques.distill import Distill

SEEDS = (0, 1, 2)
T_95 = 2.920  # Student's t for three seeds, one-sided 95 %
EPOCHS = {"outputs": 16, "features": 6}  # of few batches; logits as large as a sure teacher's take a while
HARDLY = 1e-9  # a weight with which a term is watched and not learned


def last_term(work: wb.Workload, loss: str, weights: dict[str, float], seed: int) -> float:
    """What is left of a term in the last epoch, on digits, with a student of half the width."""
    epochs = EPOCHS[KINDS[loss].of]
    step = Distill("half-width", loss=loss, epochs=epochs, learning_rate=0.01, weights=weights)
    found = []

    def watched():
        steps = step.apply(work.candidate(), Context(work, seed=seed), None)
        while True:
            try:
                progress = next(steps)
            except StopIteration:
                return
            if loss in progress.record and progress.record["epoch"] >= epochs - 1:
                found.append(progress.record[loss])
            yield progress

    Job(watched, seed=seed, threads=1).run()
    return sum(found) / len(found)


@pytest.mark.slow
@pytest.mark.parametrize("loss", KINDS)
def test_what_is_taught_is_learned(loss):
    work = wb.examples.load("digits")
    by_labels = {"labels": 1.0, loss: HARDLY}
    taught = {"labels": 0.0} if KINDS[loss].of == "outputs" else {}
    gains = [
        1 - last_term(work, loss, taught, seed) / last_term(work, loss, by_labels, seed) for seed in SEEDS
    ]
    mean = sum(gains) / len(gains)
    spread = math.sqrt(sum((each - mean) ** 2 for each in gains) / (len(gains) - 1))
    assert mean - T_95 * spread / math.sqrt(len(gains)) > 0, f"shares of the term that were learned: {gains}"
