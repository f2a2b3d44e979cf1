"""The times of the layers that a session shows: measured when the hand rests, once for each structure."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from workbench.job import Steps
from workbench.panels.state import shown

if TYPE_CHECKING:
    from workbench.candidate import Candidate
    from workbench.charts.layers import Layer
    from workbench.measurement.layer_times import LayerTimes
    from workbench.panels.state.session import Session

_MOST = 24  # structures whose times are kept

Key = tuple[Any, ...]


class LayerClock:
    """Times the layers of what a session shows.

    Zeros and bits do not change what dense kernels do, so that models of the same shapes share their times.

    Args:
        told: is called, in the worker's thread, when times have come.
    """

    def __init__(self, session: Session, told: Callable[[], None]) -> None:
        self._session, self._told = session, told
        self._work = session.work
        self._known: dict[Key, LayerTimes | None] = {}
        self._asked: Key | None = None
        self.trouble = ""  # why the last model could not be timed

    def times(self, layers: Sequence[Layer]) -> LayerTimes | None:
        """Of these layers, None where they are not known; then they are asked for."""
        if self._session.work is not self._work:
            self._work, self._known, self._asked = self._session.work, {}, None
        key = _key(layers)
        if key in self._known:
            return self._known[key]
        if layers and self._asked != key and self._work.example is not None:
            self._asked = key
            self._session.estimates.time_later(lambda: self._timing(key, layers))
        return None

    def filled(self, layers: Sequence[Layer]) -> list[Layer]:
        """The layers with the times that are known."""
        times = self.times(layers)
        if times is None:
            return list(layers)
        found = [(each, times.layers.get(each.name), times.original.get(each.name)) for each in layers]
        return [
            replace(
                each,
                ms=now.ms if now is not None and not each.is_removed else 0.0 if each.is_removed else None,
                original_ms=before.ms if before is not None else None,
            )
            for each, now, before in found
        ]

    def _timing(self, key: Key, layers: Sequence[Layer]) -> Iterator[None]:
        yield
        if self._asked != key:  # another structure is wanted by now
            return
        candidate, times = shown.candidate_or_original(self._session), None
        if _key(self._session.estimates.layers_of(candidate)) != key:  # the recipe has moved on, unseen yet
            self._asked = None
            return
        steps = self._steps(candidate, layers)
        while True:
            try:
                next(steps)
            except StopIteration as end:
                times, self.trouble = end.value, ""
                break
            except Exception as error:  # whatever a person's model does; the preview has said it, too
                self.trouble = str(error).split("\n")[0] or type(error).__name__
                break
            yield
            if self._asked != key:
                return
        while len(self._known) >= _MOST:
            del self._known[next(iter(self._known))]
        self._known[key] = times
        self._told()

    def _steps(self, candidate: Candidate, layers: Sequence[Layer]) -> Steps[LayerTimes | None]:
        from workbench.measurement.compute import call_of
        from workbench.measurement.layer_times import timing_layers

        session = self._session
        model = candidate.model
        original = shown.original(session).model
        is_same = all(not each.is_removed and each.parts == 1 for each in layers) and _shapes(
            model
        ) == _shapes(original)
        return timing_layers(
            model,
            [each.name for each in layers],
            session.work.example,
            call_of(session.work),
            original=None if is_same else original,
        )


def _shapes(model: Any) -> list[tuple[str, Any]]:
    return [(name, each.shape) for name, each in model.named_parameters()]


def _key(layers: Sequence[Layer]) -> Key:
    """What the times of a model depend on: the shapes of its layers, not what is in them."""
    return tuple((each.name, each.parts, each.shape, each.ranks, each.parameters) for each in layers)
