"""How long a move of the bits slider takes on ResNet-18: all weights on other grids, warm, and their size.

    OMP_NUM_THREADS=1 python tests/benchmarks/bits_resnet18.py

Wall and process time of one thread, medians and quartiles; per channel is held to 200 ms.
"""

from __future__ import annotations

import statistics
import time
from itertools import cycle

import torch
import torchvision

from workbench.candidate import Candidate
from workbench.job import finish
from workbench.measurement.size import claimed_bytes
from workbench.technique import Context, Technique, prepared
from workbench.techniques.quantize import Quantize

ROUNDS = 15
BITS = (8, 7, 6, 5, 4, 3, 2)
WAYS = {
    "per channel": {},
    "per tensor": {"granularity": "tensor"},
    "per group of 32": {"granularity": "group"},
    "per channel, zero point": {"symmetric": False},
    "per channel, least error": {"range": "mse"},
}


def moved(candidate: Candidate, step: Technique) -> tuple[float, float, float]:
    """Seconds that rounding takes, wall and of this thread, and milliseconds of the size beside it."""
    context = Context(work=None)
    wall, own = time.perf_counter(), time.thread_time()
    made = finish(step.apply(candidate, context, prepared(step, candidate, context)))
    wall, own = time.perf_counter() - wall, time.thread_time() - own
    started = time.thread_time()
    claimed_bytes(made)
    return wall, own, time.thread_time() - started


def summary(values: list[float]) -> str:
    """Median and quartiles in words."""
    low, median, high = statistics.quantiles(values, n=4)
    return f"{median * 1e3:6.0f} ms ({low * 1e3:.0f}-{high * 1e3:.0f})"


def main() -> None:
    torch.set_num_threads(1)
    torch.manual_seed(0)
    candidate = Candidate.of(torchvision.models.resnet18(weights=None))
    for name, options in WAYS.items():
        first, *_ = moved(candidate, Quantize(BITS[0], **options))
        for bits in BITS:  # each number of bits once: ranges that are sought per bits are kept
            moved(candidate, Quantize(bits, **options))
        bits = cycle(BITS)
        taken = [moved(candidate, Quantize(next(bits), **options)) for _ in range(ROUNDS)]
        wall, own, size = (list(column) for column in zip(*taken, strict=True))
        print(f"{name:26} wall {summary(wall)}   thread {summary(own)}   size {summary(size)}", end="   ")
        print(f"first move {first * 1e3:.0f} ms")
        if not options:
            print(f"  under 200 ms: {statistics.median(wall) < 0.2}")


if __name__ == "__main__":
    main()
