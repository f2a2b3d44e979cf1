"""Run a generator step by step, in a worker thread or in the caller's, and stop it cleanly.

Long work (training, scans, exports) is a generator that yields `Progress` and returns its result. It is
stopped between steps by throwing `Stopped` into it: it puts back what it changed and returns the best so
far. Nothing in this file needs torch.
"""

from __future__ import annotations

import logging
import signal
import sys
import threading
import time
from collections.abc import Callable, Generator, Iterator, Mapping
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass, field
from typing import Any, Generic, TypeVar

from workbench.errors import WorkbenchError
from workbench.randomness import RandomStates
from workbench.randomness import isolated_random as isolated_random  # for those who look for it here

T = TypeVar("T")

_PUBLISH_EVERY = 0.2  # seconds; a Jupyter server drops output above 1,000 messages a second
_ENDED = ("done", "stopped", "failed")

_log = logging.getLogger(__name__)


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


def forward(
    steps: Steps[T], change: Callable[[Progress], Progress] | None = None
) -> Generator[Progress, None, tuple[T, bool]]:
    """Like `yield from`, with every progress changed, and also tell whether the inner generator was stopped.

    Raises:
        Stopped: the inner generator had nothing to return yet.
    """
    was_stopped = False
    try:
        progress = next(steps)
        while True:
            try:
                yield change(progress) if change else progress
            except Stopped as stop:
                was_stopped = True
                progress = steps.throw(stop)
            except GeneratorExit:
                steps.close()
                raise
            else:
                progress = next(steps)
    except StopIteration as end:
        return end.value, was_stopped


class Job(Generic[T]):
    """One piece of long work: started in a thread or run inline, watched, and stopped between steps.

    `make` is called where the work runs. With a `seed` the global random states (Python, NumPy, torch) are
    the job's own during each step and the caller's in between. With `threads` torch computes with that many
    in the thread that works.
    """

    def __init__(self, make: Callable[[], Steps[T]], *, seed: int | None = None, threads: int | None = None):
        self._make = make
        self._random = RandomStates(seed) if seed is not None else None
        self._threads = threads
        self._stop = threading.Event()
        self._again = threading.Event()
        self._ended = threading.Event()
        # both can be entered again by the thread that holds them: an interrupt calls stop() anywhere
        self._changing, self._publishing = threading.RLock(), threading.RLock()
        self._observers: list[Callable[[Job[T]], None]] = []
        self._troubled: list[Callable[[Job[T]], None]] = []
        self._thread: threading.Thread | None = None
        self._has_result = False
        self._started = 0.0
        self._published = 0.0
        self.state = "waiting"
        self.progress = Progress()
        self.result: T | None = None
        self.error: BaseException | None = None
        self.elapsed = 0.0

    def observe(self, observer: Callable[[Job[T]], None]) -> None:
        """Call `observer(job)` at start, five times a second, and at the end, in the thread that works.

        When the job is asked to stop it is also called at once, in the thread that asks; never by two threads
        at a time. What an observer raises is logged once and does not end the work.
        """
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
        with self._changing:
            if self.state in _ENDED:
                return
            self._stop.set()  # a job that was not started ends as soon as it is
            if self.state == "running":
                self.state = "stopping"
        with self._publishing:  # the end may have been told while we waited our turn
            if self.state == "stopping":
                self._publish(always=True)

    def stop_again(self) -> None:
        """Throw `Stopped` once more into work that goes on after a stop: a run measures what it has kept.

        Only for work that knows what to do with it; any other would lose what it has.
        """
        if self.state == "stopping":
            self._again.set()

    def wait(self, timeout: float | None = None) -> T:
        """The result, when it is there.

        Raises:
            TimeoutError: the work is not done within `timeout` seconds.
            Exception: what the work raised.
            Stopped: the work was stopped before it had anything to return.
        """
        is_told_the_end = threading.current_thread() is self._thread and self.state in _ENDED
        if not is_told_the_end and not self._ended.wait(timeout):
            raise TimeoutError(f"the job is still running after {timeout} s")
        return self._outcome()

    def wait_for_end(self, timeout: float) -> None:
        """Wait until the work is done, however it ends: for those whom its observers tell what went wrong.

        Raises:
            TimeoutError: the work is not done within `timeout` seconds.
        """
        try:
            self.wait(timeout)
        except TimeoutError:
            raise
        except Exception:
            return

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
        with self._changing:
            if self.state != "waiting":
                raise WorkbenchError("this job was started before; make a new one")
            self.state = "running"
        self._started = time.monotonic()

    def _end(self, state: str) -> None:
        with self._changing:  # a stop that comes now finds the work running, or ended
            self.state = state

    def _seconds(self) -> float:
        return time.monotonic() - self._started

    def _work(self) -> None:
        self._thread = threading.current_thread()
        try:
            self._publish(always=True)
            with _torch_threads(self._threads), _inference_mode_off():
                state = self._step_through()
        except Stopped:
            state = "stopped"
        except BaseException as error:  # handed to whoever waits, KeyboardInterrupt included
            self.error = error
            state = "failed"
        self.elapsed = self._seconds()
        self._end(state)
        try:
            self._publish(always=True)
        finally:
            self._ended.set()  # now: who waits finds the end told to the observers

    def _step_through(self) -> str:
        if self._stop.is_set():
            raise Stopped
        steps = self._make()
        was_stopped = False
        try:
            while True:
                throw = self._stop.is_set() if not was_stopped else self._again.is_set()
                if was_stopped and throw:
                    self._again.clear()
                was_stopped = was_stopped or throw
                with self._random or nullcontext():
                    self.progress = steps.throw(Stopped()) if throw else next(steps)
                self.elapsed = self._seconds()
                self._publish()
        except StopIteration as end:
            self.result, self._has_result = end.value, True
            return "stopped" if was_stopped else "done"
        finally:
            steps.close()  # in the worker: a generator cannot be closed while another thread runs it

    def _publish(self, always: bool = False) -> None:
        now = time.monotonic()
        if not always and now - self._published < _PUBLISH_EVERY:
            return
        with self._publishing:
            self._published = now
            for observer in list(self._observers):
                try:
                    observer(self)
                except Exception:
                    if observer not in self._troubled:
                        self._troubled.append(observer)
                        _log.exception("an observer of a job raised; the job goes on")

    def _outcome(self) -> T:
        if self.error is not None:
            raise self.error
        if not self._has_result:
            raise Stopped("stopped before there was anything to keep")
        return self.result  # type: ignore[return-value]


@contextmanager
def _interrupt_calls(stop: Callable[[], None]) -> Iterator[None]:
    """Let the first interrupt of the main thread call `stop`; a second one raises as usual."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return

    def interrupted(number: int, frame: Any) -> None:
        signal.signal(signal.SIGINT, before)
        stop()

    before = signal.getsignal(signal.SIGINT) or signal.default_int_handler  # None where C has set it
    signal.signal(signal.SIGINT, interrupted)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, before)


@contextmanager
def _inference_mode_off() -> Iterator[None]:
    """Let the work make tensors that can be trained, whatever mode it was called in."""
    torch = sys.modules.get("torch")
    if torch is None or not torch.is_inference_mode_enabled():
        yield
        return
    with torch.inference_mode(mode=False):
        yield


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
