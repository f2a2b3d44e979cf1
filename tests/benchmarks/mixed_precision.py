"""Bits for each layer against one width for all, on the example nets: bytes and accuracy, no training.

    OMP_NUM_THREADS=1 python tests/benchmarks/mixed_precision.py [digits] [lenet-300-100] [lenet-5]

Chosen on the validation data; what is printed is accuracy on the test set and the length of the packed file.
Two questions: at the size of each uniform width, does the mixture lose less; and how small does each get that
loses at most half a point on the validation data. A choice made on some data flatters it: on test data the
loss may be larger, and is told.
"""

from __future__ import annotations

import sys
import time

import torch

import workbench as wb
from workbench.candidate import Candidate
from workbench.job import finish
from workbench.measurement.accuracy import evaluating
from workbench.storage import pack
from workbench.technique import Context, Technique, prepared
from workbench.workload import Workload

NETS = ("digits", "lenet-300-100", "lenet-5")
WIDTHS = (8, 6, 5, 4, 3, 2)
DROP = 0.005


def rounded(work: Workload, step: Technique) -> Candidate:
    start, context = work.candidate(), Context(work)
    return finish(step.apply(start, context, prepared(step, start, context)))


def stored(work: Workload, step: Technique) -> int:
    return len(pack(rounded(work, step), recipe=wb.Recipe((step,)), original=work.baseline))


def accuracy(work: Workload, step: Technique | None, split: str) -> float:
    made = rounded(work, step) if step is not None else None
    return 100 * finish(evaluating(work, made, split)).accuracy.value


def of_net(name: str) -> None:
    work = wb.examples.load(name)
    print(f"\n{name}: {accuracy(work, None, 'test'):.2f} % of {work.test.n:,} test samples")
    limit = accuracy(work, None, "validation") - 100 * DROP
    fine = []
    for bits in WIDTHS[2:]:
        step = wb.Quantize(bits)
        size = stored(work, step)
        fine += [(size, bits)] if accuracy(work, step, "validation") >= limit - 1e-6 else []
        mixed = wb.mixed_precision(work, max_size=size + 30)  # its text names layers
        print(
            f"  {bits} bits for all {size:9,} B {accuracy(work, step, 'test'):6.2f} %   "
            f"mixed {mixed.stored:9,} B {accuracy(work, mixed.step, 'test'):6.2f} %   {dict(mixed.bits)}"
        )
    mixed = wb.mixed_precision(work, max_drop=DROP)
    size, bits = min(fine)
    print(
        f"  at most {100 * DROP:g} points: {bits} bits for all {size:,} B, mixed {mixed.stored:,} B ", end=""
    )
    print(f"({size / mixed.stored:.2f}x smaller), test {accuracy(work, mixed.step, 'test'):.2f} %")


def main() -> None:
    torch.set_num_threads(1)
    started = time.thread_time()
    for name in sys.argv[1:] or NETS:
        of_net(name)
    print(f"\n{time.thread_time() - started:.0f} CPU s")


if __name__ == "__main__":
    main()
