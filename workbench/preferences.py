"""What a person prefers, set in the front end's settings and used where a call does not say otherwise."""

from __future__ import annotations

from dataclasses import dataclass

from workbench.errors import WorkbenchError

_MOST_THREADS = 256


@dataclass(frozen=True)
class Preferences:
    """What new workloads and new panels begin with.

    Attributes:
        runtime: where latency is shown, by the runtime's name.
        threads: how many threads torch computes with; None lets the size of the model decide.
    """

    runtime: str = "pytorch"
    threads: int | None = None

    def __post_init__(self) -> None:
        if not isinstance(self.runtime, str) or not self.runtime:
            raise WorkbenchError(f"a runtime is given by its name, like 'pytorch'; got {self.runtime!r}")
        if self.threads is not None and (
            type(self.threads) is not int or not 1 <= self.threads <= _MOST_THREADS
        ):
            raise WorkbenchError(f"threads must lie between 1 and {_MOST_THREADS}, got {self.threads!r}")


_now = Preferences()


def preferred() -> Preferences:
    """What is preferred now."""
    return _now


def prefer(preferences: Preferences) -> None:
    """Prefer this from now on; what there is already stays as it is."""
    global _now
    _now = preferences
