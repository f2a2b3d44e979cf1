"""Which two are compared in a panel, and what is known of them; worked out while somebody looks."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any

from workbench.errors import WorkbenchError, told
from workbench.panels.state.worker import Worker

if TYPE_CHECKING:
    from workbench.comparison import Comparison, Flips, FlipStages
    from workbench.job import Job
    from workbench.panels.state.session import Session
    from workbench.versions import Version

ORIGINAL = ""  # stands for the original where versions stand by their ids
_SECONDS = 0.5  # of timing both in turns
_KEPT = 4  # pairs; each holds the inputs that flipped

Key = tuple[str, str, str]


class Comparisons:
    """The pair of one session. Until two are chosen it is the original and what the session shows.

    Args:
        tell: called after every change, in the thread that made it.

    Attributes:
        said: how far it is, in words; empty when it is done.
        problem: why there are no flips, or no comparison, in one line; empty where there are.
    """

    def __init__(self, session: Session, tell: Callable[[], None]) -> None:
        self.said = ""
        self.problem = ""
        self._session = session
        self._tell = tell
        self._lock = threading.RLock()
        self._chosen: tuple[str, str] | None = None
        self._worker: Worker | None = None
        self._look: Callable[[], None] = lambda: None
        self._watchers = 0
        self._asked: Key | None = None
        self._has_failed = False
        self._comparisons: dict[Key, Comparison] = {}
        self._flips: dict[tuple[str, str], Flips] = {}
        self._stages: dict[tuple[str, str], FlipStages] = {}

    @property
    def ids(self) -> tuple[str, str]:
        """The ids of the two, `ORIGINAL` for the original; one that was deleted is the original."""
        if self._chosen is not None:
            tree = self._session.tree
            before, after = (each if each in tree else ORIGINAL for each in self._chosen)
            return before, after
        shown = self._session.version or self._session.tree.head
        return ORIGINAL, shown.id if shown is not None else ORIGINAL

    @property
    def pair(self) -> tuple[Version | None, Version | None]:
        """The two; None is the original."""
        tree = self._session.tree
        before, after = (tree.get(each) if each else None for each in self.ids)
        return before, after

    @property
    def is_following(self) -> bool:
        """Whether the second is what the session shows."""
        return self._chosen is None

    @property
    def is_of_two(self) -> bool:
        """Whether there is something to compare."""
        before, after = self.ids
        return before != after

    @property
    def comparison(self) -> Comparison | None:
        """What is known of the two so far."""
        return self._comparisons.get(self._key)

    @property
    def flips(self) -> Flips | None:
        """The samples that flipped; None until that is known."""
        return self._flips.get(self.ids)

    @property
    def stages(self) -> FlipStages | None:
        """Which step flipped them, where that was looked for."""
        return self._stages.get(self.ids)

    def choose(self, before: Version | str | None, after: Version | str | None) -> None:
        """Compare these two from now on: versions, their names or ids; None is the original.

        Raises:
            VersionError: no such version.
        """
        tree = self._session.tree
        old, new = (tree.get(each).id if each else ORIGINAL for each in (before, after))
        self._chosen = (old, new)
        self._changed()

    def follow(self) -> None:
        """Compare the original with what the session shows again."""
        self._chosen = None
        self._changed()

    def swap(self) -> None:
        """Compare the other way round."""
        before, after = self.ids
        self._chosen = (after, before)
        self._changed()

    def on_look(self, look: Callable[[], None]) -> None:
        """Call `look()` when a person asks to see the two: a page with tabs opens the right one."""
        self._look = look

    def ask_to_look(self) -> None:
        """A person asks to see the two."""
        self._look()

    def watch(self, is_watched: bool) -> None:
        """A view is looked at, or no longer: nothing is worked out for nobody."""
        self._watchers = max(0, self._watchers + (1 if is_watched else -1))
        if is_watched:
            if self._has_failed:  # who looks again tries again
                self._asked = None
            self._work()

    def refresh(self) -> None:
        """The versions, or what the session shows, may be others now."""
        self._work()

    def staging(self) -> Job[FlipStages]:
        """A job that finds the step that flipped each sample, by running the recipe again.

        Raises:
            WorkbenchError: there is no recipe to run again; one line.
        """
        from workbench.comparison import staging
        from workbench.job import Job

        session, (before, after) = self._session, self.pair
        if after is None:
            raise WorkbenchError("choose a version as the second: the original was not made by steps")
        return Job(
            lambda: staging(session.work, after, before, names=session.names, find=self._find),
            threads=session.work.threads,
        )

    def found(self, stages: FlipStages, ids: tuple[str, str]) -> None:
        """Keep which steps flipped the samples of a pair."""
        self._stages[ids] = stages
        self._tell()

    def wait(self, timeout: float = 60.0) -> None:
        """Wait until what is looked at is worked out.

        Raises:
            TimeoutError: it is not after `timeout` seconds.
        """
        if self._worker is not None:
            self._worker.wait(timeout)

    def forget(self) -> None:
        """End the thread and let go of what was found: the versions are others now; who looks stays."""
        if self._worker is not None:
            self._worker.close()
        with self._lock:
            self._worker = self._asked = self._chosen = None
            self.said, self.problem, self._has_failed = "", "", False
            for found in (self._comparisons, self._flips, self._stages):
                found.clear()

    def close(self) -> None:
        """Forget, for good: nobody looks any more."""
        self._watchers = 0
        self._look = lambda: None  # what was given holds the whole page
        self.forget()

    @property
    def _key(self) -> Key:
        return (*self.ids, self._session.runtime)

    def _find(self, id: str) -> Version | None:
        tree = self._session.tree
        return tree.get(id) if id in tree else None

    def _changed(self) -> None:
        self._work()
        self._tell()

    def _work(self) -> None:
        """Begin to work out what is not known, if anybody looks."""
        key = self._key
        with self._lock:
            found = self.comparison
            is_done = found is not None and found.is_final and (self.flips is not None or self.problem)
            if not self._watchers or not self.is_of_two or is_done or key == self._asked:
                return
            self._asked = key
            if self._worker is None:
                self._worker = Worker(self._failed, self._session.work.threads)
        self._worker.ask(lambda: self._working(key))

    def _working(self, key: Key) -> Iterator[None]:
        """Figures first, then who flipped, then what takes seconds: layers and latency."""
        ids = key[:2]
        before, after = (self._find(each) for each in ids)
        self.problem, self._has_failed = "", False
        steps = self._comparing(before, after, key)
        yield from self._shown(steps, lambda done: done >= 0.4)
        if ids not in self._flips:
            yield from self._flipping(before, after, ids)
        yield from self._shown(steps, lambda done: False)
        with self._lock:
            self._asked = None
            self.said = ""
            while len(self._comparisons) > _KEPT:
                self._comparisons.pop(next(iter(self._comparisons)))
            while len(self._flips) > _KEPT:
                gone = next(iter(self._flips))
                self._flips.pop(gone)
                self._stages.pop(gone, None)
        self._tell()

    def _comparing(self, before: Version | None, after: Version | None, key: Key) -> Iterator[Any]:
        """The progress of a comparison; its records are kept as they come."""
        from workbench.comparison import comparing

        work, runtime = self._session.work, key[2]
        steps = comparing(work, before, after, runtimes=(runtime,), seconds=_SECONDS, find=self._find)
        found = yield from _kept(steps, lambda record: self._keep(key, record))
        self._keep(key, found)

    def _keep(self, key: Key, comparison: Comparison) -> None:
        self._comparisons.pop(key, None)
        self._comparisons[key] = comparison
        self._tell()

    def _shown(self, steps: Iterator[Any], is_enough: Callable[[float], bool]) -> Iterator[None]:
        """Go on with some steps, saying how far they are, until there is enough for now."""
        for progress in steps:
            self.said = progress.message
            yield
            if is_enough(progress.done):
                return

    def _flipping(self, before: Version | None, after: Version | None, ids: Any) -> Iterator[None]:
        from workbench.comparison import flipping

        steps = flipping(self._session.work, before, after)
        while True:
            try:
                self.said = next(steps).message
            except StopIteration as end:
                self._flips[ids] = end.value
                break
            except WorkbenchError as error:  # numbers instead of classes, no data: said where they would be
                self.problem = str(error)
                break
            yield
        self._tell()

    def _failed(self, error: Exception) -> None:
        # `_asked` stays: to tell is to be asked again, and what failed would fail again, for ever
        self._has_failed = True
        self.said, self.problem = "", told(error)
        self._session.fail(error)
        self._tell()


def _kept(steps: Any, keep: Callable[[Any], None]) -> Iterator[Any]:
    """The same steps; the records so far are told to `keep`."""
    while True:
        try:
            progress = next(steps)
        except StopIteration as end:
            return end.value
        if (record := progress.record.get("comparison")) is not None:
            keep(record)
        yield progress
