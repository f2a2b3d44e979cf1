"""Who hears of a change; of what one action changes twice, they hear once, when it has ended."""

from __future__ import annotations

import threading
from collections.abc import Callable, Collection, Iterator
from contextlib import contextmanager


class Telling:
    """Tells observers the names of what changed, in the thread that changed it."""

    def __init__(self) -> None:
        self._observers: list[Callable[[Collection[str]], None]] = []
        self._here = threading.local()

    def observe(self, observer: Callable[[str], None]) -> Callable[[], None]:
        """Call `observer(topic)` after every change, until the function that is returned is called."""

        def each(topics: Collection[str]) -> None:
            for topic in topics:
                observer(topic)

        return self.observe_all(each)

    def observe_all(self, observer: Callable[[Collection[str]], None]) -> Callable[[], None]:
        """Call `observer(topics)` after every change, with all that changed by it."""
        self._observers.append(observer)
        return lambda: observer in self._observers and self._observers.remove(observer)

    def forget(self) -> None:
        """Tell nobody any more."""
        self._observers.clear()

    def tell(self, topic: str) -> None:
        """Tell of a change, now or when what is done together has ended."""
        if (waiting := getattr(self._here, "waiting", None)) is not None:
            waiting[topic] = True
        else:
            self._say((topic,))

    def after(self, action: Callable[[], None]) -> None:
        """Do something once what is done together has been told, however often it is asked for; else now."""
        if getattr(self._here, "waiting", None) is not None:
            self._here.after[action] = True
        else:
            action()

    @contextmanager
    def together(self) -> Iterator[None]:
        """What this thread tells meanwhile is told at the end, at once and each topic once."""
        if getattr(self._here, "waiting", None) is not None:
            yield
            return
        waiting = self._here.waiting = dict[str, bool]()
        after = self._here.after = dict[Callable[[], None], bool]()
        try:
            yield
        finally:
            self._here.waiting = None
            try:
                if waiting:
                    self._say(waiting)
            finally:  # an observer that raises keeps nobody's work from being begun
                for action in after:
                    action()

    def _say(self, topics: Collection[str]) -> None:
        for observer in list(self._observers):
            observer(topics)
