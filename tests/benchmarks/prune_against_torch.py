"""Pruning side by side with `torch.nn.utils.prune`: the same weights go, the same two epochs follow.

    WORKBENCH_DATA=FOLDER python tests/benchmarks/prune_against_torch.py [--sparsity 0.97] [--seeds 0 1 2]

LeNet-300-100 on the full MNIST. Torch's global L1 pruning, then two epochs of a plain training loop with
Adam, against `PruneWeights | FineTune(epochs=2)`: the masks are compared bit by bit, and the predictions on
the test set by an exact McNemar test, seed by seed and all together. Our schedules prune within the same two
epochs. Every arm reads the same batches in the same order, and keeps the epoch that did best on the
validation data. Exits with 1 where masks differ or our arm shows a paired loss.
"""

from __future__ import annotations

import argparse
import copy
import math
import sys
import time

import torch
from torch import Tensor, nn
from torch.nn.utils import prune

from workbench import examples
from workbench.candidate import Candidate
from workbench.constraints import Mask
from workbench.job import finish
from workbench.layers import weights
from workbench.measurement.accuracy import Evaluation, evaluating
from workbench.measurement.intervals import mcnemar
from workbench.measurement.pairing import Paired, paired
from workbench.recipe import Recipe
from workbench.technique import Context, prepared
from workbench.workload import Workload

EPOCHS, RATE = 2, 1e-3
ARMS = {
    "ours, once": "PruneWeights({s}) | FineTune(epochs=2)",
    "ours, cubic": "PruneWeights({s}, schedule='cubic') | FineTune(epochs=2)",
    "ours, cubic, taylor": "PruneWeights({s}, schedule='cubic', criterion='taylor') | FineTune(epochs=2)",
}


def by_torch(work: Workload, sparsity: float, seed: int) -> tuple[Candidate, dict[str, Tensor]]:
    """Torch's own global pruning and a plain loop; the best epoch, and the masks."""
    net = copy.deepcopy(work.baseline)
    layers = {each.name: (each.module, "weight") for each in weights(net)}
    prune.global_unstructured(layers.values(), pruning_method=prune.L1Unstructured, amount=sparsity)
    masks = {name: module.weight_mask.bool().clone() for name, (module, _) in layers.items()}
    optimizer = torch.optim.Adam(net.parameters(), RATE)
    data = work.split("train")
    batches = math.ceil((data.n or 0) / 128)
    best = judged(work, net)
    for epoch in range(EPOCHS):
        for index, (inputs, targets) in enumerate(data.shuffled(seed * 10_007 + epoch)):
            for group in optimizer.param_groups:
                share = (epoch + index / batches) / EPOCHS
                group["lr"] = RATE * 0.5 * (1 + math.cos(math.pi * share))
            net.train()
            optimizer.zero_grad()
            work.loss(work.call(net, inputs), targets).backward()
            optimizer.step()
        net.eval()
        best = max(best, judged(work, net), key=lambda each: each[0])
    return best[1], masks


def judged(work: Workload, net: nn.Module) -> tuple[float, Candidate]:
    """A net as it is now, and how it does on the validation data."""
    candidate = Candidate.of(net)
    return finish(evaluating(work, candidate, split="validation")).accuracy.value, candidate


def by_us(work: Workload, recipe: str, seed: int) -> tuple[Candidate, dict[str, Tensor]]:
    """A recipe's steps; the candidate, and the masks of the first step that has any."""
    candidate, masks = work.candidate(), {}
    for step in Recipe.parse(recipe):
        context = Context(work, seed=seed)
        candidate = finish(step.apply(candidate, context, prepared(step, candidate, context)))
        masks = masks or {n: candidate.constraints.of(n, Mask).keep for n in candidate.constraints}
    return candidate, masks


def told(name: str, found: Evaluation, against: Evaluation | None, seconds: float) -> Paired | None:
    """Print a line; the paired test against torch's arm."""
    pair = paired(against, found) if against is not None else None
    error = 100 * (1 - found.accuracy.value)
    words = f"{-100 * pair.difference:+.2f} points, p = {pair.p_value:.2g}" if pair else ""
    print(f"  {name:24} test error {error:5.2f} %   {words:28} {seconds:4.0f} s", flush=True)
    return pair


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--sparsity", type=float, default=0.97)
    parser.add_argument("--seeds", type=int, nargs="+", default=[0, 1, 2])
    chosen = parser.parse_args()
    torch.set_num_threads(1)
    work = examples.load("lenet-300-100")
    if work.train is None or (work.train.n or 0) < 55_000:
        sys.exit("this benchmark needs the full MNIST: name its folder in WORKBENCH_DATA")
    pairs: dict[str, list[Paired]] = {name: [] for name in ARMS}
    is_good = True
    for seed in chosen.seeds:
        print(f"seed {seed}, {chosen.sparsity:.0%} of the weights")
        started = time.perf_counter()
        theirs, masks = by_torch(work, chosen.sparsity, seed)
        against = finish(evaluating(work, theirs, split="test"))
        told("torch.nn.utils.prune", against, None, time.perf_counter() - started)
        for name, recipe in ARMS.items():
            started = time.perf_counter()
            made, ours = by_us(work, recipe.format(s=chosen.sparsity), seed)
            found = finish(evaluating(work, made, split="test"))
            pairs[name].append(told(name, found, against, time.perf_counter() - started))
            if name == "ours, once":
                is_same = all(torch.equal(masks[each], ours[each]) for each in masks)
                print(f"  masks identical to torch's: {is_same}")
                is_good &= is_same
    for name, each in pairs.items():
        mean = -100 * sum(pair.difference for pair in each) / len(each)
        lost, won = sum(pair.lost for pair in each), sum(pair.gained for pair in each)
        seen = mcnemar(lost, won)
        print(
            f"{name:24} {mean:+.2f} points of error over {len(each)} seeds; "
            f"{lost} lost, {won} won, p = {seen:.2g}"
        )
        is_good &= not (lost > won and seen < 0.05)
    print("no paired loss" if is_good else "not as promised")
    return int(not is_good)


if __name__ == "__main__":
    sys.exit(main())
