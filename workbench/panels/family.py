"""What the panels of the families share: the studio that begins with a technique, and views of its own below.

To write one, name the technique and the views; see "A panel for a family" in the package's README.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any, ClassVar, Protocol, TypeVar

from workbench.errors import WorkbenchError
from workbench.panels.readable import ClosedPanel
from workbench.panels.studio import Workbench
from workbench.recipe import Recipe

if TYPE_CHECKING:
    import ipywidgets

    from workbench.panels.state.session import Session
    from workbench.technique import Technique
    from workbench.workload import Workload


class View(Protocol):
    """One part of a panel: a widget, the topics of the session it shows, and how it is drawn again."""

    widget: ipywidgets.Widget
    topics: tuple[str, ...]

    def refresh(self) -> None: ...


V = TypeVar("V")


class FamilyPanel(Workbench):
    """The studio on a workload, beginning with one technique, with more views below it.

    Class attributes:
        begins_with: the technique whose default is the first recipe.
        shows: what makes each view from the session, usually the views' classes, from top to bottom.
    """

    begins_with: ClassVar[type[Technique]]
    shows: ClassVar[tuple[Callable[[Session], View], ...]] = ()

    def __init__(self, work: Workload, recipe: Recipe | str | None = None, **options: Any) -> None:
        super().__init__(work, recipe if recipe is not None else Recipe((self.begins_with(),)), **options)
        for make in self.shows:
            self.add(make(self.session))

    def view(self, kind: type[V]) -> V:
        """The view of a class.

        Raises:
            WorkbenchError: the panel is closed, or has none.
        """
        for each in self.views:
            if isinstance(each, kind):
                return each
        raise ClosedPanel() if self._is_closed else WorkbenchError(f"this panel has no {kind.__name__}")

    def __repr__(self) -> str:
        return f"<{type(self).__name__} of {self.work.name}>"
