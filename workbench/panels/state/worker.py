"""One thread for a panel's short work: what was asked for last is done first, everything else when it rests.

Work is a generator that gives way at every `yield`: a newer request closes the running one there.
"""

from __future__ import annotations

import atexit
import threading
from collections import deque
from collections.abc import Callable, Generator
from typing import Any
from weakref import WeakSet

_LAST_STEP = 10.0  # seconds

Task = Generator[Any, None, Any]
Make = Callable[[], Task]


class Worker:
    """Runs `ask`ed tasks, the latest wins, and `later` tasks in the time between.

    Args:
        failed: `failed(error)` hears what a task raised, in the worker's thread.
        threads: how many threads torch computes with there.
    """

    def __init__(self, failed: Callable[[Exception], None], threads: int | None = None) -> None:
        self._failed = failed
        self._threads = threads
        self._changed = threading.Condition()
        self._asked: Make | None = None
        self._is_dropped = False  # what runs is to be let go, for what was asked or for nothing
        self._running: Task | None = None
        self._later: deque[Task] = deque()
        self._is_busy = False
        self._is_paused = False
        self._is_closed = False
        self._thread: threading.Thread | None = None

    def ask(self, make: Make) -> None:
        """Do this as soon as the running task gives way; one asked for before is dropped."""
        with self._changed:
            self._asked = make
            self._is_dropped = True
            self._wake()

    def drop(self) -> None:
        """Let go of what was asked for."""
        with self._changed:
            self._asked = None
            self._is_dropped = True
            self._wake()

    def later(self, make: Make) -> None:
        """Do this in the time between; such tasks are done in order and wait for asked ones at each step."""
        with self._changed:
            self._later.append(make())
            self._wake()

    def pause(self, is_paused: bool) -> None:
        """Leave later tasks alone while something else needs the processor."""
        with self._changed:
            self._is_paused = is_paused
            self._wake()

    def wait(self, timeout: float = 30.0) -> None:
        """Wait until nothing is left to do.

        Raises:
            TimeoutError: there still is after `timeout` seconds.
        """
        with self._changed:
            if not self._changed.wait_for(self._is_done, timeout):
                raise TimeoutError(f"the worker is still busy after {timeout} s")

    @property
    def is_idle(self) -> bool:
        """Whether nothing is left to do now."""
        with self._changed:
            return self._is_done()

    def close(self) -> None:
        """End the thread at the next step of what it does."""
        with self._changed:
            self._is_closed = True
            self._later.clear()
            self._changed.notify_all()

    def join(self, timeout: float) -> None:
        """Wait for the end of the thread, at most so many seconds."""
        if self._thread is not None:
            self._thread.join(timeout)

    def _is_done(self) -> bool:
        return self._is_closed or not (self._is_dropped or self._is_busy or self._can_later())

    def _can_later(self) -> bool:
        return bool(self._later) and not self._is_paused

    def _has_work(self) -> bool:
        return self._is_closed or self._is_dropped or self._running is not None or self._can_later()

    def _wake(self) -> None:
        if self._thread is None and not self._is_closed:
            self._thread = threading.Thread(target=self._work, name="workbench-preview", daemon=True)
            self._thread.start()
            _at_work.add(self)
        self._changed.notify_all()

    def _work(self) -> None:
        if self._threads:
            import torch

            torch.set_num_threads(self._threads)  # holds for this thread
        while self._has_more():
            self._advance()
        self._let_go()

    def _has_more(self) -> bool:
        """Wait for work; False when there will be none."""
        with self._changed:
            self._is_busy = self._running is not None
            self._changed.notify_all()
            self._changed.wait_for(self._has_work)
            self._is_busy = True
            return not self._is_closed

    def _advance(self) -> None:
        """Take up what was asked for, or do one step of what is there."""
        with self._changed:
            is_dropped, make = self._is_dropped, self._asked
            self._asked, self._is_dropped = None, False
            later = self._later[0] if self._can_later() else None
        if is_dropped:
            self._let_go()
            self._running = make() if make is not None else None
        elif self._running is not None:
            self._running = self._running if self._step(self._running) else None
        elif later is not None and not self._step(later):
            with self._changed:
                if later in self._later:
                    self._later.remove(later)

    def _let_go(self) -> None:
        if self._running is not None:
            self._running.close()
        self._running = None

    def _step(self, task: Task) -> bool:
        """One step of a task; whether there are more."""
        try:
            next(task)
        except StopIteration:
            return False
        except Exception as error:
            self._failed(error)
            return False
        return True


_at_work: WeakSet[Worker] = WeakSet()


@atexit.register
def _end_all() -> None:
    """Let every worker end its step: Python's end would cut torch off in the middle, which aborts."""
    workers = list(_at_work)
    for worker in workers:
        worker.close()
    for worker in workers:
        worker.join(_LAST_STEP)
