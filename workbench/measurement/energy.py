"""Energy of one inference: read from the processor's counters where they can be read, otherwise estimated.

An estimate is arithmetic: multiplications and bytes times what each costs on a 45 nm chip (Horowitz 2014,
"Computing's energy problem", ISSCC, figure 1.1.9). Absolute figures of another chip differ by a factor; what
bits and zeros save compares well.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from workbench.candidate import Candidate
    from workbench.measurement.compute import Macs

MEASURED, ESTIMATED = "measured", "estimated"
COUNTERS = Path("/sys/class/powercap")

# picojoules, Horowitz 2014: a multiplication and an addition of its products
FLOAT32_MAC = 3.7 + 0.9
FLOAT16_MAC = 1.1 + 0.4
INT8_MULTIPLY, INT32_ADD = 0.2, 0.1
DRAM_BYTE = 640 / 4  # 1.3 to 2.6 nJ for 64 bits; its own example takes 640 pJ for 32
_WINDOW = 0.5  # seconds of passes between two readings of a counter


@dataclass(frozen=True)
class Energy:
    """Joules of one inference.

    Attributes:
        kind: "measured" or "estimated". source: the counter, or where the costs are published.
        compute, memory: of an estimate, its two parts; None of a measurement.
    """

    joules: float
    kind: str
    source: str
    compute: float | None = None
    memory: float | None = None


def estimated(candidate: Candidate, counted: Macs | None, activations: int = 0) -> Energy | None:
    """Products at the width they have, and each weight fetched once from memory; None without a count.

    Args:
        activations: bytes of what layers give, written and read once.
    """
    from workbench.measurement.size import claimed_bytes

    if counted is None:
        return None
    named = counted.by_parameter
    products = sum(_product(candidate, name) * count for name, count in named.items())
    products += FLOAT32_MAC * (counted.total - sum(named.values()))
    compute = 1e-12 * products
    memory = 1e-12 * DRAM_BYTE * (claimed_bytes(candidate) + activations)
    return Energy(compute + memory, ESTIMATED, "Horowitz 2014, 45 nm", compute, memory)


def _product(candidate: Candidate, name: str) -> float:
    """Picojoules of one multiplication with a weight: a cheap one only where both sides are whole numbers."""
    from workbench.activations import INPUT, place
    from workbench.constraints import Grid

    rounding: Any = candidate.activations.get(place(name.rpartition(".")[0], INPUT))
    grid = candidate.constraints.of(name, Grid)
    if rounding is not None and grid is not None:
        # an array of partial products has as many cells as the bits of one number times those of the other
        return INT8_MULTIPLY * (rounding.bits * grid.bits) / 64 + INT32_ADD
    is_half = candidate.model.get_parameter(name).element_size() == 2
    return FLOAT16_MAC if is_half else FLOAT32_MAC


def measured(run: Callable[[], Any], folder: Path = COUNTERS, seconds: float = _WINDOW) -> Energy | None:
    """What the processor's own counter says of one pass; None where no counter can be read.

    The counter is of the whole package: of everything else that runs, too, and of what it takes idle.
    """
    counter = _counter(folder)
    if counter is None:
        return None
    run()
    before, passes, started = _reading(counter), 0, time.perf_counter()
    while not passes or time.perf_counter() - started < seconds:
        run()
        passes += 1
    after = _reading(counter)
    if before is None or after is None:
        return None
    used = after - before
    if used < 0:  # it begins again at its end
        used += int((counter.parent / "max_energy_range_uj").read_text())
    return Energy(1e-6 * used / passes, MEASURED, f"processor's counter {counter.parent.name}, whole package")


def _counter(folder: Path) -> Path | None:
    """The first package's counter that can be read."""
    found = sorted(folder.glob("intel-rapl:*/energy_uj")) if folder.is_dir() else []
    return next((each for each in found if _reading(each) is not None), None)


def _reading(counter: Path) -> int | None:
    try:
        return int(counter.read_text())
    except (OSError, ValueError):  # since 2020 only root may read it
        return None
