"""200 runs of the studio's cell: does the kernel keep anything of them?

    python tests/benchmarks/panel_reruns.py [TIMES]

In a real kernel, on the digits net: the number of live widget models and of threads after each run, and the
slope of the resident memory over the second half of the runs, with its standard error. The kernel itself
keeps something of every cell (its text, its history, what it ended with): the same number of runs of a cell
without a panel tells how much. Widget models must not grow by one; memory must not grow by more than 25 KB a
run (200 runs: 5 MB) beyond that.
"""

from __future__ import annotations

import statistics
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))
import reruns

TIMES = 200
MOST = 0.025  # MB a run
NO_PANEL = "panel = object()\npanel", "panel"


def slope(values: Sequence[float]) -> tuple[float, float]:
    """The slope of a line through values one apart, and its standard error."""
    line = statistics.linear_regression(range(len(values)), values)
    rest = [value - line.intercept - line.slope * place for place, value in enumerate(values)]
    spread = (sum(each**2 for each in rest) / (len(rest) - 2)) ** 0.5
    return line.slope, spread / (len(values) * statistics.pvariance(range(len(values)))) ** 0.5


def runs(times: int, *cells: str) -> list[reruns.Left]:
    """What is left after each of so many runs, in a kernel of their own."""
    left = []
    with (
        tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as folder,
        reruns.kernel(Path(folder)) as kernel,
    ):
        for number, each in enumerate(reruns.again(kernel, times, *cells), 1):
            left.append(each)
            if number == 1 or number % 20 == 0:
                print(
                    f"{number:4} runs: {each.widgets} widget models, {each.threads} threads, "
                    f"{each.memory:.1f} MB resident",
                    flush=True,
                )
    return left


def main() -> int:
    times = int(sys.argv[1]) if len(sys.argv) > 1 else TIMES
    left, without = runs(times), runs(times, *NO_PANEL)
    grows, error = slope([each.memory for each in left[times // 2 :]])
    kernels, its_error = slope([each.memory for each in without[times // 2 :]])
    models = left[-1].widgets - left[0].widgets
    print(
        f"widget models grew by {models}; memory by {1000 * grows:.0f} ± {1000 * error:.0f} KB a run over "
        f"the last {times - times // 2} runs; without a panel by {1000 * kernels:.0f} ± "
        f"{1000 * its_error:.0f} (at most {1000 * MOST:.0f} beyond that)"
    )
    beyond, spread = grows - kernels, (error**2 + its_error**2) ** 0.5
    return int(models != 0 or beyond - 2 * spread > MOST)


if __name__ == "__main__":
    sys.exit(main())
