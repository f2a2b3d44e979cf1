"""The panel of knowledge distillation: the studio that begins with `Distill`, and what is taught to whom."""

from __future__ import annotations

from typing import TYPE_CHECKING

from workbench.panels.family import FamilyPanel
from workbench.panels.views.knowledge_box import KnowledgeBox
from workbench.techniques.distill import Distill

if TYPE_CHECKING:
    from workbench.panels.views.knowledge_box import Lesson


class Distillation(FamilyPanel):
    """Choose a student, what it learns and at which temperature; watch each term of the loss fall.

    >>> panel = wb.panels.Distillation(work)                  # doctest: +SKIP
    >>> panel.recipe = "Distill(student='quarter-width', temperature=8)"
    >>> panel.run(); panel.wait(600); panel.selected.report   # beside its teacher's

    Arguments are those of `Workbench`.
    """

    begins_with = Distill
    shows = (KnowledgeBox,)

    @property
    def lesson(self) -> Lesson | None:
        """Who teaches whom, and what; None where no step distills."""
        return self.view(KnowledgeBox).shown
