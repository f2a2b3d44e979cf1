"""ResNet-18 at 224 pixels with half of its channels: what is claimed, stored and measured.

    python tests/benchmarks/channels_resnet18.py [--quick]

`PruneChannels(0.5)` against the dense net: MACs, parameters, bytes of the packed files, latency on PyTorch
eager in turns within one run, and on ONNX Runtime through the project's own measurement (not with --quick).
The weights are random; structure and time do not depend on them. Exits with an error where a promise does not
hold.
"""

from __future__ import annotations

import argparse
import statistics
import sys
import time

import torch
import torchvision

from workbench.candidate import Candidate
from workbench.job import finish
from workbench.measurement.compute import macs, parameters
from workbench.recipe import Recipe
from workbench.storage import pack
from workbench.technique import Context, prepared
from workbench.techniques.prune_channels import PruneChannels
from workbench.workload import Workload

ROUNDS = 40
STEP = PruneChannels(0.5)


def thin(work: Workload) -> Candidate:
    """Half of the channels gone, and how long it took."""
    candidate, context = work.candidate(), Context(work)
    started = time.thread_time()
    kept = prepared(STEP, candidate, context)
    middle = time.thread_time()
    smaller = finish(STEP.apply(candidate, context, kept))
    moved = time.thread_time()
    finish(STEP.replace(ratio=0.4).apply(candidate, context, kept))
    ended = time.thread_time()
    print(
        f"CPU: groups traced and checked {middle - started:.2f} s, the first cut {moved - middle:.2f} s, "
        f"a move of the slider {ended - moved:.2f} s"
    )
    print("; ".join(smaller.notes))
    return smaller


def sizes(work: Workload, smaller: Candidate) -> dict[str, bool]:
    """Parameters, MACs and packed bytes of both."""
    dense = work.candidate()
    counts = {
        "parameters": [parameters(each.model) for each in (dense, smaller)],
        "MACs": [macs(each.model, work.example) or 0 for each in (dense, smaller)],
        "stored bytes": [
            len(pack(each, recipe=recipe, original=work.baseline))
            for each, recipe in ((dense, Recipe()), (smaller, Recipe((STEP,))))
        ],
    }
    for name, (before, after) in counts.items():
        print(f"{name:14}{before:>15,} → {after:>13,}: {before / after:.2f}× fewer")
    ratios = {name: before / after for name, (before, after) in counts.items()}
    return {
        "parameters fall 3.8×": ratios["parameters"] >= 3.75,
        "MACs fall 3.7×": ratios["MACs"] >= 3.65,
        "stored bytes fall 3.7×": ratios["stored bytes"] >= 3.7,
    }


def eager(work: Workload, smaller: Candidate) -> dict[str, bool]:
    """Both nets in turns on PyTorch eager, one thread."""
    taken: dict[str, list[float]] = {"dense": [], "thin": []}
    models = {"dense": work.baseline, "thin": smaller.model}
    with torch.no_grad():
        for _ in range(ROUNDS):
            for name, model in models.items():
                started = time.thread_time()
                model(work.example)
                taken[name].append(time.thread_time() - started)
    ratios = [dense / thin for dense, thin in zip(taken["dense"], taken["thin"], strict=True)]
    low, _, high = statistics.quantiles(ratios, n=4)
    dense, thin = (1e3 * statistics.median(each) for each in taken.values())
    print(
        f"PyTorch eager, 1 thread: dense {dense:.1f} ms, thin {thin:.1f} ms: "
        f"{dense / thin:.2f}× ({low:.2f}–{high:.2f})"
    )
    return {"at least 2.5× faster on PyTorch eager": dense >= 2.5 * thin}


def onnx(work: Workload, smaller: Candidate) -> None:
    """Both on ONNX Runtime, through the project's own measurement."""
    from workbench.measurement import measure

    found = measure(work, smaller.model, runtimes=("onnxruntime",)).latency["onnxruntime"]
    print(
        f"ONNX Runtime, 1 thread: dense {found.baseline_ms:.1f} ms, thin {found.median_ms:.1f} ms: "
        f"{found.speedup:.2f}× ({found.speedup_low:.2f}–{found.speedup_high:.2f})"
    )


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--quick", action="store_true")
    quick = parser.parse_args().quick
    torch.set_num_threads(1)
    torch.manual_seed(0)
    model = torchvision.models.resnet18(weights=None).eval()
    work = Workload(model, input_shape=(3, 224, 224), threads=1)
    smaller = thin(work)
    promises = sizes(work, smaller) | eager(work, smaller)
    if not quick:
        onnx(work, smaller)
    for promise, holds in promises.items():
        print(f"{promise}: {holds}")
    return int(not all(promises.values()))


if __name__ == "__main__":
    sys.exit(main())
