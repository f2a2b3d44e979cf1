"""What a view works out in the time between: asked for at every change, done once for all who asked."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from workbench.panels.state.estimates import Estimates
    from workbench.panels.state.session import Session
    from workbench.panels.state.worker import Make


class Once:
    """Work of one view of a session, in a worker of its estimates.

    Args:
        make: makes the generator that does it.
        takes_seconds: whether it waits behind what data must tell, so that previews never wait for it.
    """

    def __init__(self, session: Session, make: Make, *, takes_seconds: bool = False) -> None:
        self._session, self._make, self._takes_seconds = session, make, takes_seconds
        # whose worker was asked: another workload brings others, and those before forget what they were asked
        self._asked: Estimates | None = None

    def ask(self) -> None:
        """Let it be done, unless it is about to be."""
        estimates = self._session.estimates
        if self._asked is not estimates:
            self._asked = estimates
            later = estimates.later if self._takes_seconds else estimates.worker.later
            later(self._doing)

    def _doing(self) -> Iterator[None]:
        yield
        self._asked = None  # who asks from now on has something newer to show
        yield from self._make()
