"""Kill -9 during `wb.save`, 50 times: the old file, the new one, or none is there, never a part of one.

    python tests/benchmarks/kill_during_save.py [--times 50]

A process of its own saves two versions under one name, in turns, as fast as it can; it is killed at a random
moment, and whatever then lies under the name is loaded. Prints what was found; exit code 1 where it breaks.
"""

from __future__ import annotations

import argparse
import random
import subprocess
import sys
import tempfile
import time
from collections import Counter
from pathlib import Path

import torch
from torch import nn

SIZE = 1000  # a million weights: 4 MB as they are, so that writing takes a while


def net() -> nn.Module:
    """The model that both versions are of."""
    torch.manual_seed(0)
    return nn.Sequential(nn.Linear(SIZE, SIZE))


def write_for_ever(path: Path) -> None:
    """Save two versions in turns until somebody ends the process."""
    import workbench as wb
    from workbench.storage import pack
    from workbench.versions import Version

    candidates = [wb.Candidate.of(net()), wb.Candidate.of(net())]
    with torch.no_grad():
        candidates[1].model[0].weight.mul_(2)
    versions = [Version.of_packed(pack(each, original=net()), net()) for each in candidates]
    print("writing", flush=True)
    while True:
        for version in versions:
            wb.save(version, path)


def killed(path: Path, seconds: float) -> None:
    """Start a writer and kill it some time after its first write began."""
    command = [sys.executable, __file__, "--write", str(path)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as writer:
        writer.stdout.readline()
        time.sleep(seconds)
        writer.kill()


def found(path: Path) -> str:
    """What lies under the name."""
    import workbench as wb

    if not path.exists():
        return "none"
    try:
        model = wb.load(path, net()).model
    except wb.WorkbenchError as error:
        return f"BROKEN: {error}"
    first = torch.equal(model[0].weight, net()[0].weight)
    second = torch.equal(model[0].weight, 2 * net()[0].weight)
    return "a whole file" if first or second else "BROKEN: a file with other weights"


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--times", type=int, default=50)
    parser.add_argument("--write", type=Path)
    chosen = parser.parse_args()
    torch.set_num_threads(1)
    if chosen.write:
        write_for_ever(chosen.write)
    dice = random.Random(0)
    outcomes: Counter[str] = Counter()
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "small.safetensors"
        for index in range(chosen.times):
            if index % 10 == 0:
                path.unlink(missing_ok=True)  # and now and then there is no old file
            killed(path, dice.uniform(0, 0.1))
            outcomes[found(path)] += 1
        left = len(list(Path(folder).glob("*.tmp")))
    for outcome, times in outcomes.most_common():
        print(f"{times:>4} {outcome}")
    print(f"{chosen.times} kills; {left} of them left a temporary file")
    return int(any(outcome.startswith("BROKEN") for outcome in outcomes))


if __name__ == "__main__":
    sys.exit(main())
