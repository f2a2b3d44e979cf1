"""Rounded and then trained against rounded only, on the example nets: test accuracy over three seeds.

    OMP_NUM_THREADS=1 python tests/benchmarks/qat_against_ptq.py [digits] [lenet-300-100] [lenet-5]

Rounding without training is the same for every seed; training is not. What is printed: accuracy in percent on
the test set with the interval of a mean of three (Student's t, 95 %), the difference to the original, and
whether the aims hold: 4 bits per channel within 1 point after training, per group within 1.5 points without,
and training better than none at 4 and 2 bits on the mean of the seeds (at 4 bits: not worse, where nothing is
left to gain).
"""

from __future__ import annotations

import statistics
import sys
import time

import torch

import workbench as wb
from workbench.candidate import Candidate
from workbench.job import Job, Steps
from workbench.measurement.accuracy import evaluating
from workbench.recipe import Recipe
from workbench.technique import Context, prepared
from workbench.workload import Workload

SEEDS = (0, 1, 2)
STUDENT = 4.303  # 97.5 % of Student's t with two degrees of freedom
TRAINING = {"digits": "FineTune(epochs=5)", "lenet-300-100": "FineTune(epochs=3)", "lenet-5": "FineTune()"}
TRAINED = (
    "Quantize(4)",
    "Quantize(2)",
    "Quantize(2, range='mse')",
    "Quantize(2, range='mse', learned=True)",
    "QuantizeNonUniform(2, grid='kmeans')",
    "Ternarize()",
    "Binarize()",
)
UNTRAINED = (
    "Quantize(8)",
    "Quantize(4, granularity='group')",
    "Quantize(4, granularity='tensor')",
    "Quantize(3)",
    "Quantize(3, granularity='tensor')",
    "Quantize(3, granularity='tensor', bias_correction=True)",
    "QuantizeNonUniform(4)",
    "QuantizeNonUniform(4, grid='power_of_two')",
    "QuantizeNonUniform(4, grid='kmeans')",
    "Cast(dtype='bfloat16')",
)


def running(work: Workload, recipe: Recipe, seed: int) -> Steps[Candidate]:
    candidate = work.candidate()
    for step in recipe:
        context = Context(work, seed)
        candidate = yield from step.apply(candidate, context, prepared(step, candidate, context))
    return candidate


def accuracy(work: Workload, text: str = "", seed: int = 0) -> float:
    """Percent of the test set that a recipe's result gets right."""
    recipe = Recipe.parse(text) if text else Recipe()
    candidate = Job(lambda: running(work, recipe, seed), seed=seed).run()
    return 100 * Job(lambda: evaluating(work, candidate, split="test")).run().accuracy.value


def over_seeds(work: Workload, text: str) -> tuple[float, float]:
    """The mean accuracy and half of its interval."""
    values = [accuracy(work, text, seed) for seed in SEEDS]
    return statistics.fmean(values), STUDENT * statistics.stdev(values) / len(values) ** 0.5


def of_net(name: str) -> None:
    work = wb.examples.load(name)
    base = accuracy(work)
    print(f"\n{name}: {base:.2f} % of {work.test.n:,} test samples, then `{TRAINING[name]}`")
    plain = {text: accuracy(work, text) for text in (*UNTRAINED, *TRAINED)}
    for text in UNTRAINED:
        print(f"  {text:56} {plain[text]:6.2f}  ({plain[text] - base:+6.2f})")
    trained = {}
    for text in TRAINED:
        mean, half = trained[text] = over_seeds(work, f"{text} | {TRAINING[name]}")
        after = f"trained {mean:6.2f} ± {half:4.2f}  ({mean - base:+5.2f})"
        print(f"  {text:56} {plain[text]:6.2f}  ({plain[text] - base:+6.2f})   {after}", flush=True)
    four, two = (trained[f"Quantize({bits})"][0] for bits in (4, 2))
    print(f"  4 bits per channel, trained, within 1 point: {four > base - 1}")
    print(f"  4 bits per group, untrained, within 1.5 points: {plain[UNTRAINED[1]] > base - 1.5}")
    print(f"  training beats none at 4 bits, or is not worse: {four >= plain['Quantize(4)']}")
    print(f"  training beats none at 2 bits: {two > plain['Quantize(2)']}")


def main() -> None:
    torch.set_num_threads(1)
    started = time.thread_time()
    for name in sys.argv[1:] or TRAINING:
        of_net(name)
    print(f"\n{time.thread_time() - started:.0f} CPU s")


if __name__ == "__main__":
    main()
