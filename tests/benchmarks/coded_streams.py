"""Coded streams against their entropy, decoding speed, and ResNet-18 saved and loaded.

    python tests/benchmarks/coded_streams.py

Prints bytes over the order-0 entropy and million weights a second for streams of several kinds and lengths,
then CPU seconds of this thread to save and load ResNet-18 (11.7 M weights) at both levels.
"""

from __future__ import annotations

import statistics
import tempfile
import time
from pathlib import Path

import numpy as np
import torch
import torchvision

from workbench.algorithms.clustering import entropy as order_0
from workbench.candidate import Candidate
from workbench.fields import Fields
from workbench.job import finish
from workbench.recipe import Recipe
from workbench.storage import entropy, files, pack, unpack
from workbench.technique import Context, prepared

LENGTHS = (50_000, 500_000, 11_700_000)
RECIPES = ("PruneWeights(0.9) | ShareWeights(16)", "ShareWeights(32)", "Quantize(4)")
ROUNDS = 5


def streams(length: int) -> dict[str, np.ndarray]:
    """Codes as networks have them: rounded normal weights, and mostly one number."""
    rng = np.random.default_rng(0)
    normal = np.clip(np.rint(rng.normal(0, 2.5, length)), -7, 7) + 7
    fine = np.clip(np.rint(rng.laplace(0, 15, length)), -127, 127) + 127
    sparse = np.where(rng.random(length) < 0.9, 16, rng.integers(0, 16, length))
    return {
        name: each.astype(np.int64)
        for name, each in {"4 bits": normal, "8 bits": fine, "90 % removed, 4 bits": sparse}.items()
    }


def show(name: str, numbers: np.ndarray) -> None:
    """Code and decode one stream."""
    part = entropy.offer(numbers).write()
    data, parameters = memoryview(part.data), Fields(part.record[1], "the benchmark's stream")
    seconds = []
    for _ in range(ROUNDS):
        started = time.thread_time()
        back = entropy.read(parameters, data, numbers.size)
        seconds.append(time.thread_time() - started)
    assert np.array_equal(back, numbers)
    bound = order_0(np.bincount(numbers)) * numbers.size / 8
    speed = numbers.size / statistics.median(seconds) / 1e6
    print(
        f"{name:22} {numbers.size:>11,} weights {len(data):>10,} bytes, {len(data) / bound:.4f} of the "
        f"entropy, decoded at {speed:.0f} M/s"
    )


def save_and_load(text: str, folder: Path) -> None:
    """Time the way to a file and back."""
    torch.manual_seed(0)
    model = torchvision.models.resnet18(weights=None)
    candidate = Candidate.of(model)
    for step in Recipe.parse(text):
        context = Context(work=None)
        candidate = finish(step.apply(candidate, context, prepared(step, candidate, context)))
    for level in ("packed", "coded"):
        path = folder / f"{level}.safetensors"
        started = time.thread_time()
        written = files.write(path, pack(candidate, original=model, level=level))
        saved = time.thread_time()
        loaded = unpack(files.read(path), model).candidate
        ended = time.thread_time()
        pairs = zip(candidate.model.parameters(), loaded.model.parameters(), strict=True)
        assert all(torch.equal(one, other) for one, other in pairs)
        print(
            f"{text:38} {level:7} {written:>10,} bytes, saved in {saved - started:.2f} s, "
            f"loaded in {ended - saved:.2f} s"
        )


def main() -> None:
    torch.set_num_threads(1)
    for length in LENGTHS:
        for name, numbers in streams(length).items():
            show(name, numbers)
    with tempfile.TemporaryDirectory() as folder:
        for text in RECIPES:
            save_and_load(text, Path(folder))


if __name__ == "__main__":
    main()
