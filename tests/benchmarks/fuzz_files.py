"""Mutated files: every one is refused with a typed line or loads, soon, and nothing else is ever raised.

    python tests/benchmarks/fuzz_files.py [--count 20000] [--seed 0]

Takes packed and coded files of several recipes, changes each in random ways (bits flipped, bytes replaced,
cut out or filled in; half of them signed again, so that they get past the checksum), and reads them. Prints
how many were refused, how many loaded, the slowest, and every error that is not ours; exit code 1 where there
is one.
"""

from __future__ import annotations

import argparse
import random
import sys
import time
import traceback
import warnings
from collections import Counter
from pathlib import Path

import torch
from torch import nn

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))
from packing import mutated, resigned
from small import net

from workbench.candidate import Candidate
from workbench.errors import StorageError
from workbench.job import finish
from workbench.recipe import Recipe
from workbench.storage import pack, unpack
from workbench.technique import Context, prepared

RECIPES = (
    "PruneWeights(sparsity=0.5)",
    "Quantize(weights=4)",
    "PruneWeights(sparsity=0.9) | Quantize(weights=3)",
    "ShareWeights(clusters=5, scope='model', biases=True)",
    "PruneWeights(sparsity=0.9) | ShareWeights(clusters=16)",
    "TieLayers(similarity=-1.0) | ShareWeights(clusters=4)",
)
SLOWEST = 1.0  # seconds that a file may take


def model() -> nn.Module:
    """Two layers of one shape, a normalization, and the two at the ends."""
    layers = (nn.ReLU(), nn.Linear(8, 8), nn.BatchNorm1d(8), nn.Linear(8, 8), nn.ReLU())
    return net(*layers)


def whole_files() -> list[bytes]:
    """One file per recipe and level."""
    found = []
    for text in RECIPES:
        candidate, recipe, context = Candidate.of(model()), Recipe.parse(text), Context(work=None)
        for step in recipe:
            candidate = finish(step.apply(candidate, context, prepared(step, candidate, context)))
        for level in ("packed", "coded"):
            found.append(pack(candidate, recipe=recipe, original=model(), level=level))
    return found


def read(data: bytes, into: nn.Module) -> str:
    """What became of one file: "loaded", "refused", or the error that should not be."""
    try:
        unpack(data, into)
    except StorageError as error:
        return "refused" if "\n" not in str(error) else f"more than one line: {error}"
    except Exception:
        return traceback.format_exc(limit=-2)
    return "loaded"


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--count", type=int, default=20_000)
    parser.add_argument("--seed", type=int, default=0)
    chosen = parser.parse_args()
    torch.set_num_threads(1)
    warnings.simplefilter("ignore")  # torch's, about layers without elements
    files, into, dice = whole_files(), model(), random.Random(chosen.seed)
    outcomes: Counter[str] = Counter()
    slowest = 0.0
    for index in range(chosen.count):
        broken = mutated(dice.choice(files), dice)
        broken = resigned(broken) if index % 2 else broken
        started = time.thread_time()
        outcomes[read(broken, into)] += 1
        slowest = max(slowest, time.thread_time() - started)
    for outcome, times in outcomes.most_common():
        print(f"{times:>7,} {outcome}")
    print(f"the slowest took {slowest * 1e3:.0f} ms")
    is_clean = set(outcomes) <= {"loaded", "refused"} and slowest < SLOWEST
    print(f"{chosen.count:,} files: {'only typed errors' if is_clean else 'NOT only typed errors, in time'}")
    return int(not is_clean)


if __name__ == "__main__":
    sys.exit(main())
