"""How long a layer takes here, whole and split at several ranks: the rank above which splitting is slower.

A thin layer multiplies less but reads and writes more, and each further layer costs its start: fewer
multiplications are not yet less time. So the layer and its splits are timed in turns on the shape that the
model gives them, one thread, medians; between the ranks measured, time is interpolated over multiplications.
Kernels of convolutions work on whole blocks of channels: rank 17 takes as long as rank 32, and is counted so.
"""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor, nn

from workbench.algorithms.lowrank.prepared import PreparedLayer
from workbench.algorithms.lowrank.split import Ranks, Split
from workbench.algorithms.lowrank.thin import thin

SHARES = (1 / 16, 1 / 8, 1 / 4, 1 / 2, 3 / 4, 1.0)
ROUNDS = 9
_SHORTEST = 1e-3  # seconds; what is shorter is run several times a round


@dataclass(frozen=True, eq=False)
class Curve:
    """Milliseconds of one layer on one sample, whole and split.

    Attributes:
        whole_ms: of the layer as it is.
        macs, ms: of the splits that were timed, by rising multiplications (of whole blocks of channels).
    """

    split: Split
    whole_ms: float
    macs: np.ndarray
    ms: np.ndarray

    def at(self, ranks: Ranks) -> float:
        """The predicted milliseconds at some ranks."""
        return float(np.interp(_blocks(self.split, np.array([ranks]))[0], self.macs, self.ms))

    @property
    def break_even(self) -> int:
        """The largest first rank (the others in proportion) at which the split is faster; 0 if at none."""
        ranks = np.array([self.split.scaled(rank) for rank in range(1, self.split.full[0] + 1)])
        predicted = np.interp(_blocks(self.split, ranks), self.macs, self.ms)
        faster = np.flatnonzero(predicted < self.whole_ms)
        return int(faster[-1]) + 1 if len(faster) else 0


def curve(each: PreparedLayer, split: Split) -> Curve | None:
    """The curve of a layer under one method, measured once; None where the model was not run."""
    if not each.layer.input_shape:
        return None
    if split.method not in each.curves:
        each.curves[split.method] = _measured(each, split)
    return each.curves[split.method]


def is_slower(each: PreparedLayer, split: Split, ranks: Ranks) -> bool:
    """Whether a layer split at these ranks is predicted to be slower than it is whole."""
    found = curve(each, split)
    return found is not None and found.at(ranks) >= found.whole_ms


def milliseconds(modules: Sequence[nn.Module], inputs: Tensor, rounds: int = ROUNDS) -> list[float]:
    """Median time of each module on the same inputs, run in turns on one thread."""
    runs: list[Callable[[], object]] = [lambda module=module: module(inputs) for module in modules]
    taken: list[list[float]] = [[] for _ in modules]
    with torch.no_grad(), _one_thread():
        times = [max(1, int(_SHORTEST / max(_timed(run, 2), 1e-7))) for run in runs]
        for _ in range(rounds):
            for index, run in enumerate(runs):
                taken[index].append(_timed(run, times[index]))
    return [1e3 * statistics.median(each) for each in taken]


def _measured(each: PreparedLayer, split: Split) -> Curve:
    ranks = sorted({split.at(share) for share in SHARES})
    splits = [thin(each.layer, split.sketch(each_ranks)) for each_ranks in ranks]
    whole, *ms = milliseconds([each.layer.module, *splits], _inputs(each))
    macs = _blocks(split, np.array(ranks))
    order = np.argsort(macs)
    return Curve(split, whole, macs[order], np.array(ms)[order])


def _blocks(split: Split, ranks: np.ndarray) -> np.ndarray:
    """Multiplications with a convolution's ranks rounded up to whole blocks of channels."""
    if not split.shape.kernel:
        return split.macs(ranks)
    block = 16 if "AVX512" in torch.backends.cpu.get_cpu_capability() else 8
    return split.macs(-(-ranks // block) * block)


def _inputs(each: PreparedLayer) -> Tensor:
    weight = each.layer.module.weight
    if isinstance(each.layer.module, nn.Embedding):
        return torch.zeros(each.layer.input_shape, dtype=torch.int64, device=weight.device)
    generator = torch.Generator().manual_seed(0)
    return torch.randn(each.layer.input_shape, generator=generator).to(weight.device, weight.dtype)


def _timed(run: Callable[[], object], times: int) -> float:
    """Seconds of CPU time of one run."""
    started = time.thread_time()
    for _ in range(times):
        run()
    return (time.thread_time() - started) / times


@contextmanager
def _one_thread() -> Iterator[None]:
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(before)
