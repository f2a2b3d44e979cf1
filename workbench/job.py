"""Run a generator step by step, in a worker thread or in the caller's, and stop it cleanly.

Long work (training, scans, exports) is a generator that yields `Progress` and returns its result. It is
stopped between steps by throwing `Stopped` into it: it puts back what it changed and returns the best so
far. Nothing in this file needs torch.
"""

from __future__ import annotations

import random
import signal
import sys
import threading
import time
from collections.abc import Callable, Generator, Iterator, Mapping
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass, field
from typing import Any, Generic, TypeVar

from workbench.errors import WorkbenchError

T = TypeVar("T")

_PUBLISH_EVERY = 0.2  # seconds; a Jupyter server drops output above 1,000 messages a second


@dataclass(frozen=True)
class Progress:
    """How far a long piece of work is: `done` of `total` steps (None where nobody knows), in words."""

    done: float = 0
    total: float | None = None
    message: str = ""
    record: Mapping[str, Any] = field(default_factory=dict)

    @property
    def fraction(self) -> float | None:
        """From 0 to 1, or None where the total is unknown."""
        return min(1.0, self.done / self.total) if self.total else None


class Stopped(Exception):
    """Thrown into a generator that is asked to stop; it returns the best so far."""


Steps = Generator[Progress, None, T]


def finish(steps: Steps[T]) -> T:
    """Run a generator to its end and return its result, reporting to nobody."""
    while True:
        try:
            next(steps)
        except StopIteration as end:
            return end.value


def forward(steps: Steps[T]) -> Generator[Progress, None, tuple[T, bool]]:
    """Like `yield from`, and also tell whether the inner generator was stopped.

    Raises:
        Stopped: the inner generator had nothing to return yet.
    """
    was_stopped = False
    resume: Callable[[], Progress] = lambda: next(steps)  # noqa: E731 - replaced by a throw below
    while True:
        try:
            progress = resume()
        except StopIteration as end:
            return end.value, was_stopped
        try:
            yield progress
            resume = lambda: next(steps)  # noqa: E731
        except Stopped as stop:
            was_stopped = True
            resume = lambda stop=stop: steps.throw(stop)  # noqa: E731
        except GeneratorExit:
            steps.close()
            raise


class Job(Generic[T]):
    """One piece of long work: started in a thread or run inline, watched, and stopped between steps.

    `make` is called where the work runs. With a `seed` the global random states (Python, NumPy, torch) are
    the job's own during each step and the caller's in between. With `threads` torch computes with that many
    in the thread that works.
    """

    def __init__(self, make: Callable[[], Steps[T]], *, seed: int | None = None, threads: int | None = None):
        self._make = make
        self._random = _RandomStates(seed) if seed is not None else None
        self._threads = threads
        self._stop = threading.Event()
        self._ended = threading.Event()
        self._observers: list[Callable[[Job[T]], None]] = []
        self._thread: threading.Thread | None = None
        self._started = 0.0
        self._published = 0.0
        self.state = "waiting"
        self.progress = Progress()
        self.result: T | None = None
        self.error: BaseException | None = None
        self.elapsed = 0.0

    def observe(self, observer: Callable[[Job[T]], None]) -> None:
        """Call `observer(job)` in the working thread: at start, five times a second, and at the end."""
        self._observers.append(observer)

    def start(self) -> Job[T]:
        """Begin in a worker thread and return at once."""
        self._begin()
        self._thread = threading.Thread(target=self._work, name="workbench-job", daemon=True)
        self._thread.start()
        return self

    def run(self) -> T:
        """Do the work here. A first interrupt stops it between steps, a second one at once."""
        self._begin()
        with _interrupt_calls(self.stop):
            self._work()
        return self._outcome()

    def stop(self) -> None:
        """Ask the work to end at its next step; what it has so far becomes the result."""
        if not self._ended.is_set():
            self._stop.set()
            self.state = "stopping"
            self._publish(always=True)

    def wait(self, timeout: float | None = None) -> T:
        """The result, when it is there.

        Raises:
            TimeoutError: the work is not done within `timeout` seconds.
            Exception: what the work raised.
            Stopped: the work was stopped before it had anything to return.
        """
        if not self._ended.wait(timeout):
            raise TimeoutError(f"the job is still running after {timeout} s")
        return self._outcome()

    @property
    def is_running(self) -> bool:
        """Whether the work has begun and not ended."""
        return self.state in ("running", "stopping")

    @property
    def remaining(self) -> float | None:
        """Seconds left, judged from the share that is done; None while nothing can be said."""
        fraction = self.progress.fraction
        if not fraction or not self.is_running:
            return None
        return self._seconds() * (1 - fraction) / fraction

    def _begin(self) -> None:
        if self.state != "waiting":
            raise WorkbenchError("this job was started before; make a new one")
        self.state = "running"
        self._started = time.monotonic()

    def _seconds(self) -> float:
        return time.monotonic() - self._started

    def _work(self) -> None:
        try:
            self._publish(always=True)
            with _torch_threads(self._threads):
                self._step_through()
        except Stopped:
            self.state = "stopped"
        except BaseException as error:  # handed to whoever waits, KeyboardInterrupt included
            self.error = error
            self.state = "failed"
        finally:
            self.elapsed = self._seconds()
            self._ended.set()
            self._publish(always=True)

    def _step_through(self) -> None:
        steps = self._make()
        was_stopped = False
        try:
            while True:
                throw = not was_stopped and self._stop.is_set()
                was_stopped = was_stopped or throw
                with self._random or nullcontext():
                    self.progress = steps.throw(Stopped()) if throw else next(steps)
                self.elapsed = self._seconds()
                self._publish()
        except StopIteration as end:
            self.result = end.value
            self.state = "stopped" if was_stopped else "done"
        finally:
            steps.close()  # in the worker: a generator cannot be closed while another thread runs it

    def _publish(self, always: bool = False) -> None:
        now = time.monotonic()
        if always or now - self._published >= _PUBLISH_EVERY:
            self._published = now
            for observer in self._observers:
                observer(self)

    def _outcome(self) -> T:
        if self.error is not None:
            raise self.error
        if self.state == "stopped" and self.result is None:
            raise Stopped("stopped before there was anything to keep")
        return self.result  # type: ignore[return-value]


class _RandomStates:
    """The global random states of one job, swapped in around each of its steps."""

    _lock = threading.RLock()  # two jobs that swap at once would restore each other's states

    def __init__(self, seed: int) -> None:
        self._seed = seed
        self._own: dict[str, Any] | None = None
        self._callers: dict[str, Any] = {}

    def __enter__(self) -> None:
        self._lock.acquire()
        self._callers = _random_states()
        if self._own is None:
            _seed_all(self._seed)
        else:
            _set_random_states(self._own)

    def __exit__(self, *exception: object) -> None:
        self._own = _random_states()
        _set_random_states(self._callers)
        self._lock.release()


@contextmanager
def isolated_random(seed: int) -> Iterator[None]:
    """Seed the global random states inside the block, and put the caller's back after it."""
    with _RandomStates(seed):
        yield


def _random_states() -> dict[str, Any]:
    states: dict[str, Any] = {"random": random.getstate()}
    if numpy := sys.modules.get("numpy"):
        states["numpy"] = numpy.random.get_state()
    if torch := sys.modules.get("torch"):
        states["torch"] = torch.get_rng_state()
        if torch.cuda.is_available():
            states["cuda"] = torch.cuda.get_rng_state_all()
    return states


def _set_random_states(states: Mapping[str, Any]) -> None:
    random.setstate(states["random"])
    if "numpy" in states:
        sys.modules["numpy"].random.set_state(states["numpy"])
    if "torch" in states:
        sys.modules["torch"].set_rng_state(states["torch"])
    if "cuda" in states:
        sys.modules["torch"].cuda.set_rng_state_all(states["cuda"])


def _seed_all(seed: int) -> None:
    random.seed(seed)
    if numpy := sys.modules.get("numpy"):
        numpy.random.seed(seed % 2**32)
    if torch := sys.modules.get("torch"):
        torch.manual_seed(seed)


@contextmanager
def _interrupt_calls(stop: Callable[[], None]) -> Iterator[None]:
    """Let the first interrupt of the main thread call `stop`; a second one raises as usual."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return

    def interrupted(number: int, frame: Any) -> None:
        signal.signal(signal.SIGINT, before)
        stop()

    before = signal.signal(signal.SIGINT, interrupted)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, before)


@contextmanager
def _torch_threads(threads: int | None) -> Iterator[None]:
    """Let torch compute with `threads` threads in this thread (the setting is per thread)."""
    if threads is None:
        yield
        return
    import torch

    before = torch.get_num_threads()
    torch.set_num_threads(threads)
    try:
        yield
    finally:
        torch.set_num_threads(before)
