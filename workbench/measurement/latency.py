"""How long a forward pass takes, the model and the baseline timed in turns so that their ratio repeats.

On a shared machine the clock runs fast and slow from second to second, by half and more; two runs one
after the other differ by that much. Taken in turns, a millisecond at a time, both see the same weather:
the ratio of each pair is formed first, and the median taken of the ratios.
"""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from workbench.job import Progress, Steps, Stopped
from workbench.measurement import units
from workbench.measurement.intervals import median_interval, quantile
from workbench.measurement.report import Latency

if TYPE_CHECKING:
    from workbench.runtimes.base import Prepared

try:
    import resource

    _USAGE_OF_THREAD = getattr(resource, "RUSAGE_THREAD", None)
except ImportError:  # Windows
    _USAGE_OF_THREAD = None

SECONDS = 2.0  # for one runtime; a quiet machine needs a quarter of it
_LONGER = 2.5  # times the budget, on a machine so noisy that the ratio is still not known
_SAMPLE = 0.001  # seconds; shorter ones drown in the clock, longer ones share less of the weather
_WARM = 0.02  # seconds; shorter passes are run untimed first
_WHOLE = 0.002  # seconds; a sample this short often passes without losing the processor on a busy machine
_TRIES = 5  # at such a sample
_FEWEST = 7  # rounds
_CHECK_EVERY = 25  # rounds
_CLOSE = 0.01  # half-width of the ratio's interval at which more rounds tell nothing new
_FAR = 0.025  # and at which it is not known yet
_ANEW = 0.01  # what preparing the same model anew changes: its place in memory


@dataclass
class Rounds:
    """Milliseconds for one pass, round by round: of the model and, in the same round, of the baseline."""

    model: list[float] = field(default_factory=list)
    baseline: list[float] = field(default_factory=list)

    @property
    def ratios(self) -> list[float]:
        """Baseline over model of each round: above 1 the model is faster."""
        return [theirs / ours for ours, theirs in zip(self.model, self.baseline, strict=True)]


def timing(
    model: Prepared, baseline: Prepared | None = None, *, threads: int = 1, seconds: float = SECONDS
) -> Steps[Rounds]:
    """Time both in turns; one `Progress` a round. Stopped, it returns the rounds so far.

    With one thread the processor time of the working thread is taken, which does not count what other
    threads and processes do; otherwise the wall clock. A sample repeats a pass until it takes about a
    millisecond. Ends after `seconds`; before when the ratio is known to one percent, and later, after two and
    a half times as long at most, while it is not known to 2.5 percent.

    Args:
        baseline: None times the model alone.
        threads: torch's thread count during a round, in the thread that works; restored after each.
    """
    both = [model] if baseline is None else [model, baseline]
    clock = time.thread_time if all(each.is_in_thread for each in both) else time.perf_counter
    rounds = Rounds()
    try:
        yield Progress(0, seconds, "warming up")
        with torch_threads(threads):
            samplers = [_Sampler(each.run, clock) for each in both]
        started = time.perf_counter()
        while not _is_enough(rounds, elapsed := time.perf_counter() - started, seconds):
            with torch_threads(threads):
                _round(rounds, samplers)
            yield Progress(min(elapsed, seconds), seconds, _words(rounds))
    except Stopped:
        if not rounds.model:
            raise
    return rounds


def summary(
    rounds: Rounds, runtime: str, artefact_bytes: int, *, threads: int = 1, batch: int = 1, **more: Any
) -> Latency:
    """The rounds as a record: medians and quartiles, and the median of the ratios with its interval."""
    ours = sorted(rounds.model)
    speedup, low, high = 1.0, 1.0, 1.0
    if rounds.baseline:
        ratios = rounds.ratios
        speedup, (low, high) = statistics.median(ratios), median_interval(ratios)
        low, high = min(low, speedup * (1 - _ANEW)), max(high, speedup * (1 + _ANEW))
    return Latency(
        runtime=runtime,
        median_ms=quantile(ours, 0.5),
        low_ms=quantile(ours, 0.25),
        high_ms=quantile(ours, 0.75),
        p95_ms=quantile(ours, 0.95),
        baseline_ms=statistics.median(rounds.baseline or ours),
        speedup=speedup,
        speedup_low=low,
        speedup_high=high,
        artefact_bytes=artefact_bytes,
        threads=threads,
        batch=batch,
        rounds=len(ours),
        **more,
    )


@contextmanager
def torch_threads(threads: int) -> Iterator[None]:
    """Let torch compute with so many threads in this thread, inside the block."""
    import torch

    before = torch.get_num_threads()
    if before == threads:
        yield
        return
    torch.set_num_threads(threads)
    try:
        yield
    finally:
        torch.set_num_threads(before)


class _Sampler:
    """Times one model: enough passes for a sample, the mean of them in milliseconds."""

    def __init__(self, run: Callable[[], Any], clock: Callable[[], float]) -> None:
        self._run = run
        self._clock = clock
        first = self._passes(1)
        # the first pass allocates and compiles; a few more until the caches are as they will be
        warm = [self._passes(1) for _ in range(3 if first > _WARM else 10)]
        shortest = max(min(warm), 1e-7)
        self._repeats = max(1, round(_SAMPLE / shortest))
        # the other model had the caches: some passes before the clock runs, none where a pass is long
        self._warm = max(1, self._repeats // 4) if shortest < _WARM else 0
        self._tries = _TRIES if self._repeats * shortest < _WHOLE else 1

    def sample(self) -> float:
        """One sample, in milliseconds for a pass; taken again where another process took the processor, which
        leaves the caches cold and the sample up to twice as long."""
        taken = 0.0
        for _ in range(self._tries):
            self._passes(self._warm)
            before = _interruptions()
            taken = self._passes(self._repeats)
            if _interruptions() == before:
                break
        return 1000 * taken / self._repeats

    def _passes(self, count: int) -> float:
        run, started = self._run, self._clock()
        for _ in range(count):
            run()
        return self._clock() - started


def _interruptions() -> int:
    """How often this thread has lost the processor to another; always 0 where the system does not tell."""
    if _USAGE_OF_THREAD is None:
        return 0
    return resource.getrusage(_USAGE_OF_THREAD).ru_nivcsw


def _round(rounds: Rounds, samplers: list[_Sampler]) -> None:
    """One sample of each, in an order that turns from round to round."""
    is_turned = len(rounds.model) % 2 == 1 and len(samplers) == 2
    values = [each.sample() for each in (reversed(samplers) if is_turned else samplers)]
    if is_turned:
        values.reverse()
    rounds.model.append(values[0])
    if len(values) == 2:
        rounds.baseline.append(values[1])


def _is_enough(rounds: Rounds, elapsed: float, seconds: float) -> bool:
    count = len(rounds.model)
    if elapsed >= _LONGER * seconds:
        return count >= 3
    if elapsed >= seconds:
        return count >= _FEWEST and _half_width(rounds) <= _FAR
    is_due = count >= 2 * _CHECK_EVERY and count % _CHECK_EVERY == 0 and elapsed >= seconds / 8
    return is_due and _half_width(rounds) <= _CLOSE


def _half_width(rounds: Rounds) -> float:
    """Of the ratio's interval, as a share."""
    values = rounds.ratios if rounds.baseline else rounds.model
    low, high = median_interval(values)
    return (high - low) / (2 * statistics.median(values))


def _words(rounds: Rounds) -> str:
    words = units.milliseconds(rounds.model[-1])
    return f"{words} against {units.milliseconds(rounds.baseline[-1])}" if rounds.baseline else words
