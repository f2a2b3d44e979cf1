"""Why locked? For each layer: how many channels can go, what shrinks with it, and what keeps it in place."""

from __future__ import annotations

from collections.abc import Iterator
from html import escape
from typing import TYPE_CHECKING

from workbench.errors import WorkbenchError
from workbench.panels.parts import lean
from workbench.panels.state import lock_words
from workbench.panels.state.layer_link import Follower
from workbench.panels.state.session import Session

if TYPE_CHECKING:
    from workbench.algorithms.channels.locks import Lock

_ROWS = 8
_HINT = "Which layers can lose channels, with which others, and what keeps the rest in place."


class LocksBox:
    """Shows the coupled groups of a session's model, as the recipe's `PruneChannels` would have them.

    Tracing a large model takes seconds, so it is done when it is asked for, in the session's worker.
    """

    topics = ("recipe", "work", "layer")

    def __init__(self, session: Session) -> None:
        self.shown: tuple[Lock, ...] = ()
        self._session = session
        self._asked: object = None
        self._ask = lean.Button(
            description="Why locked?", icon="lock", tooltip="Show what each layer is coupled with, and why"
        )
        self._ask.on_click(lambda _: self.show())
        self._said = lean.HTML(f'<p class="wb-hint">{_HINT}</p>')
        self._list = lean.Select(rows=_ROWS, tooltip="Look at one layer; arrow keys move on")
        self._list.add_class("wb-list")
        self._list.observe(lambda _: self._tell(), "value")
        self._link = Follower(session, self._list)
        lean.show(self._list, False)
        self._told = lean.HTML()
        self.widget = lean.VBox([lean.HBox([self._ask, self._said]), self._list, self._told])
        self.widget.add_class("wb-locks")
        self.widget.children[0].add_class("wb-choices")

    @property
    def layer(self) -> str:
        """The layer that is looked at; set it to look at another."""
        return self._list.value or ""

    @layer.setter
    def layer(self, name: str) -> None:
        self._list.value = name

    def show(self) -> None:
        """What the button does: trace the model, and list its layers."""
        self._ask.disabled = True
        self._say("tracing the model")
        self._asked = self._question()
        self._session.estimates.later(self._tracing)

    def refresh(self) -> None:
        """Another model, or other layers kept by name: what is shown is found again."""
        self._link.follow()
        if self._asked is not None and self._asked != self._question():
            self.show()

    def _question(self) -> tuple[object, tuple[str, ...]]:
        return self._session.work, lock_words.kept_by(self._session.recipe)

    def _tracing(self) -> Iterator[None]:
        yield
        from workbench.algorithms.channels.locks import locks

        question = self._question()
        self._asked = question
        work, keep = self._session.work, question[1]
        try:
            self._list_all(tuple(locks(work, keep=keep)))
        except WorkbenchError as error:
            self._list_all(())
            self._session.fail(error)
            self._say(self._session.error, is_error=True)
        finally:
            self._ask.disabled = False

    def _list_all(self, found: tuple[Lock, ...]) -> None:
        self.shown = found
        before = self._list.value
        width = max((len(each.layer) for each in found), default=0)
        self._list.options = [(_line(each, width), each.layer) for each in found]
        names = [each.layer for each in found]
        self._list.value = before if before in names else next(iter(names), None)
        lean.show(self._list, found)
        locked = sum(each.is_locked for each in found)
        self._say(f"{locked} of {len(found)} layers are locked" if found else "no layer makes channels")
        self._tell()

    def _tell(self) -> None:
        found = next((each for each in self.shown if each.layer == self._list.value), None)
        self._told.value = lock_words.words(found) if found is not None else ""

    def _say(self, text: str, is_error: bool = False) -> None:
        inner = f'<span class="wb-error" role="alert">✕ {escape(text)}</span>' if is_error else escape(text)
        self._said.value = f'<span role="status">{inner}</span>'


def _line(each: Lock, width: int) -> str:
    """`conv1   6 channels   free`, padded to columns for a fixed-width font."""
    state = "locked" if each.is_locked else "free" if len(each.together) == 1 else "coupled"
    return f"{each.layer:<{width}}  {f'{each.units:,} {each.word}':>14}  {state}".replace(" ", "\u00a0")
