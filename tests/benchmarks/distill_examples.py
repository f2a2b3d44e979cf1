"""A student with a quarter of the parameters of each example net: taught, against the same student alone.

    [WORKBENCH_DATA=FOLDER] python tests/benchmarks/distill_examples.py [--net digits] [--seeds 0 1 2]

Both begin from the same weights and see the same batches for as many epochs; alone it learns from the labels
(`FineTune`), taught from the original's soft targets (`Distill`). For each seed the two are compared sample
by sample on the test set (McNemar's exact test), and over the seeds by a paired t-test of accuracies. Where
the seeds show no difference, the line says "no difference seen".

On the data that are shipped, three seeds: digits, no difference seen (+0.67 ± 1.90 points, 400 test images);
lenet-300-100, taught is better (+1.52 ± 1.14 points, 3,000 test images, p at most 0.0023 in each seed).
On the full MNIST, three seeds: lenet-5, no difference seen (+0.06 ± 0.18 points, 10,000 test images; alone
99.19 to 99.27 %, its teacher 99.31 %: there is little to win).
"""

from __future__ import annotations

import argparse
import math
import sys

import torch

import workbench as wb
from workbench.candidate import Candidate
from workbench.job import Job, finish
from workbench.measurement.accuracy import Evaluation, evaluating
from workbench.measurement.pairing import paired
from workbench.technique import Context, Technique
from workbench.workload import Workload

T_95 = {2: 12.71, 3: 4.303, 4: 3.182, 5: 2.776, 6: 2.571}  # Student's t, two-sided
TASKS = {  # epochs and step size
    "digits": (120, 3e-3),
    "lenet-300-100": (40, 3e-3),
    "lenet-5": (12, 3e-3),
}


def quarter(work: Workload) -> str:
    """The width that leaves a quarter of the parameters, as `student` spells it."""
    whole = _count(Candidate(work.baseline))
    low, high = 0.05, 1.0
    for _ in range(7):
        middle = (low + high) / 2
        made = wb.Distill(f"width {middle:.3f}").structure(work.candidate(), Context(work))
        low, high = (middle, high) if _count(made) <= whole / 4 else (low, middle)
    return f"width {low:.3f}"


def trained(work: Workload, step: Technique, start: Candidate, seed: int) -> Evaluation:
    """The student after training, on the test set."""
    made = Job(lambda: step.apply(start, Context(work, seed=seed), None), seed=seed, threads=1).run()
    return finish(evaluating(work, made, split="test"))


def compare(name: str, seeds: list[int]) -> None:
    """Print one net's figures: accuracies by seed, and what the tests say."""
    work = wb.examples.load(name)
    epochs, rate = TASKS[name]
    student = quarter(work)
    settings = {"epochs": epochs, "learning_rate": rate}
    teacher = finish(evaluating(work, None, split="test")).accuracy
    differences = []
    for seed in seeds:
        start = wb.Distill(student).structure(work.candidate(), Context(work, seed=seed))
        share = _count(start) / _count(Candidate(work.baseline))
        taught = trained(work, wb.Distill(temperature=4, **settings), start, seed)
        alone = trained(work, wb.FineTune(**settings), start, seed)
        found = paired(alone, taught)
        differences.append(taught.accuracy.value - alone.accuracy.value)
        print(
            f"{name}, seed {seed}: {share:.0%} of the parameters ({student}); teacher {teacher.value:.2%}, "
            f"alone {alone.accuracy.value:.2%}, taught {taught.accuracy.value:.2%} (n={taught.n}; "
            f"{found.gained} won, {found.lost} lost, p = {found.p_value:.2g})",
            flush=True,
        )
    print(f"{name}: {verdict(differences)}", flush=True)


def verdict(differences: list[float]) -> str:
    """What a paired t-test over seeds says."""
    mean = sum(differences) / len(differences)
    if len(differences) < 2:
        return f"{100 * mean:+.2f} points with one seed: no interval"
    spread = math.sqrt(sum((each - mean) ** 2 for each in differences) / (len(differences) - 1))
    half = T_95.get(len(differences), 2.3) * spread / math.sqrt(len(differences))
    words = (
        "no difference seen" if abs(mean) <= half else "taught is better" if mean > 0 else "taught is worse"
    )
    return f"{words}: {100 * mean:+.2f} ± {100 * half:.2f} points over {len(differences)} seeds"


def _count(candidate: Candidate) -> int:
    return sum(each.numel() for each in candidate.model.parameters())


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--net", choices=TASKS, action="append")
    parser.add_argument("--seeds", type=int, nargs="+", default=[0, 1, 2])
    chosen = parser.parse_args()
    torch.set_num_threads(1)
    for name in chosen.net or TASKS:
        compare(name, chosen.seeds)
    return 0


if __name__ == "__main__":
    sys.exit(main())
