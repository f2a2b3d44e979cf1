"""Packed files broken in every way, and saves killed in the middle: only typed errors, only whole files.

    python tests/benchmarks/mutated_files.py [COUNT]

Reads COUNT mutated files (20,000), half of them signed again so that they get behind the checksum, and prints
how many were refused, how many still loaded, and the slowest; anything but a `StorageError` ends it.
"""

from __future__ import annotations

import random
import sys
import time
from collections import Counter
from pathlib import Path

TESTS = Path(__file__).parent.parent
sys.path[:0] = [str(TESTS), str(TESTS / "unit")]

import test_hostile_files as hostile  # noqa: E402 (the tests' own files, one of everything)
from packing import mutated, resigned  # noqa: E402

from workbench.errors import StorageError  # noqa: E402
from workbench.storage import unpack  # noqa: E402


def main(count: int) -> None:
    dice, model, found, slowest = random.Random(0), hostile.original(), Counter(), 0.0
    for index in range(count):
        broken = mutated(hostile.PACKED[dice.choice(list(hostile.PACKED))], dice)
        broken = resigned(broken) if index % 2 else broken
        started = time.perf_counter()
        try:
            unpack(broken, model)
            found["loaded"] += 1
        except StorageError:
            found["refused"] += 1
        slowest = max(slowest, time.perf_counter() - started)
    print(f"{count:,} files: {dict(found)}, the slowest took {slowest * 1e3:.0f} ms")


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 20_000)
