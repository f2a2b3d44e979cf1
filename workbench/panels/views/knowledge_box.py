"""Who teaches whom, and what: both nets, the paired layers, and each term of the loss as it falls."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from html import escape
from typing import TYPE_CHECKING, Any

from workbench.charts import soft_targets, terms
from workbench.errors import WorkbenchError
from workbench.live.board import ChartBoard
from workbench.measurement import units
from workbench.panels.parts import lean
from workbench.panels.state.once import Once
from workbench.panels.state.session import Session
from workbench.panels.state.steps import epochs
from workbench.randomness import step_seed
from workbench.recipe import Recipe
from workbench.technique import Context
from workbench.techniques.distill import Distill

if TYPE_CHECKING:
    from workbench.algorithms.distillation.matching import Pair
    from workbench.candidate import Candidate
    from workbench.charts.soft_targets import Softened

_HEAD = ("teacher's layer", "gives", "student's layer", "gives", "channels")
NO_PAIRS = (
    "Outputs are taught, so no layers are paired. Loss 'features', 'attention', 'relations' or 'cosine' "
    "pairs them; `layers` names other pairs."
)


@dataclass(frozen=True)
class Lesson:
    """What a `Distill` step is about: parameters of both nets, the terms' weights, the paired layers."""

    step: Distill
    teacher: int
    student: int
    weights: dict[str, float]
    pairs: tuple[Pair, ...] = ()
    is_adapted: bool = False
    softened: Softened | None = None


class KnowledgeBox:
    """Shows the first `Distill` of a session's recipe before it runs, and its terms while it does.

    What is paired is worked out in the session's worker, after each preview.
    """

    topics = ("figures", "training", "recipe")

    def __init__(self, session: Session) -> None:
        self.shown: Lesson | None = None
        self._session = session
        self._due = Once(session, self._working)
        self._drawn: Any = None
        self._asked: dict[int, tuple[list[float], int]] = {}  # by teacher: what it says, and the right class
        charts = {"soft targets": soft_targets.chart(), "terms": terms.chart()}
        self.board = ChartBoard(charts, {"soft targets": soft_targets.rows(None), "terms": terms.rows([])})
        self._who = lean.HTML()
        self._table = lean.HTML()
        self._table.add_class("wb-scroll")
        places = [self.board.place(name) for name in charts]
        self.widget = lean.VBox([self._who, *places, self._table])
        self.widget.add_class("wb-knowledge")

    def refresh(self) -> None:
        """Draw the terms at once; look at the layers in the worker."""
        self._draw()
        self._due.ask()

    def _draw(self) -> None:
        recipe, records = self._session.training
        rows = terms.rows(records, epochs(recipe) or None)
        if rows != self._drawn:
            self._drawn = rows
            self.board.update({"terms": rows}, {"terms": terms.summary(records)})

    def _working(self) -> Iterator[None]:
        yield
        try:
            lesson = self._found()
        except WorkbenchError:  # the preview of the same recipe has said it; what was shown stays
            return
        if lesson != self.shown or not self._who.value:
            self.shown = lesson
            self._who.value = _who(lesson)
            self._table.value = _table(lesson)
            said = lesson.softened if lesson else None
            self.board.update(
                {"soft targets": soft_targets.rows(said)}, {"soft targets": soft_targets.summary(said)}
            )

    def _found(self) -> Lesson | None:
        """The first step that distills, and what it would do to the model as it is before it."""
        from workbench.algorithms.distillation import plan, spelling
        from workbench.algorithms.distillation.losses import KINDS
        from workbench.algorithms.distillation.matching import pairs
        from workbench.measurement.compute import parameters

        steps = self._session.recipe.steps
        index = next((n for n, step in enumerate(steps) if isinstance(step, Distill)), None)
        if index is None:
            return None
        step = steps[index]
        work, names = self._session.work, self._session.names
        before = self._session.estimates.previewer.candidate(Recipe(steps[:index]).untrained(), names=names)
        context = Context(work, step_seed(0, index), names, is_preview=True)
        teachers = plan.teachers(step.teacher, context)
        student = step.structure(before, context) or before
        weights = spelling.terms(step.loss, step.weights)
        kinds = [KINDS[name] for name, weight in weights.items() if weight and name in KINDS]
        is_of_layers = any(each.of == "features" for each in kinds)
        paired = pairs(teachers[0].model, student.model, work, step.layers) if is_of_layers else []
        counts = parameters(teachers[0].model), parameters(student.model)
        is_adapted = any(each.is_adapted for each in kinds)
        said = self._softened(teachers[0], step) if any(each.needs_classes for each in kinds) else None
        return Lesson(step, *counts, dict(weights), tuple(paired), is_adapted, said)

    def _softened(self, teacher: Candidate, step: Distill) -> Softened | None:
        """What the teacher says about the validation sample it gets right with the greatest doubt."""
        work = self._session.work
        if work.validation is None or not work.is_classification:
            return None
        if id(teacher.model) not in self._asked:
            inputs, targets = work.validation.first("validation")
            outputs = teacher.call(work, inputs)
            if outputs.ndim != 2:  # classes at many positions: there is no one sample to show
                return None
            likely = outputs.softmax(1).max(1).values
            targets = targets.to(outputs.device)
            likely[outputs.argmax(1) != targets] = 2.0
            found = int(likely.argmin())
            self._asked = {id(teacher.model): (outputs[found].tolist(), int(targets[found]))}
        logits, right = self._asked[id(teacher.model)]
        names = work.classes or tuple(str(n) for n in range(len(logits)))
        return soft_targets.softened(logits, step.temperature, names, right)


def _who(lesson: Lesson | None) -> str:
    if lesson is None:
        return "<p>No step distills: add <code>Distill</code> to let the original teach.</p>"
    step = lesson.step
    how = "as many" if lesson.student == lesson.teacher else units.smaller(lesson.student, lesson.teacher)
    told = ", ".join(
        f"{name.replace('_', ' ')} × {weight:g}" for name, weight in lesson.weights.items() if weight
    )
    return (
        f"<p><b>{escape(str(step.teacher))}</b> ({units.count(lesson.teacher)} parameters) teaches "
        f"<b>{escape(str(step.student))}</b> ({units.count(lesson.student)} parameters, {escape(how)}): "
        f"{escape(told)}</p>"
    )


def _table(lesson: Lesson | None) -> str:
    if lesson is None:
        return ""
    if not lesson.pairs:
        return f"<p>{escape(NO_PAIRS)}</p>"
    head = "".join(f'<th scope="col">{escape(each)}</th>' for each in _HEAD)
    rows = [_row(each, lesson.is_adapted) for each in lesson.pairs]
    body = "".join(f"<tr>{''.join(f'<td>{escape(cell)}</td>' for cell in row)}</tr>" for row in rows)
    return f'<table class="wb-table"><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table>'


def _row(pair: Pair, is_adapted: bool) -> tuple[str, ...]:
    teacher, student = pair.teacher, pair.student
    told = f"{student.channels} and {teacher.channels}"
    if student.channels == teacher.channels:
        told = "the same"
    elif is_adapted:
        told = f"{student.channels} → {teacher.channels} by a learned adaptor"
    return teacher.path, _shape(teacher.shape), student.path, _shape(student.shape), told


def _shape(shape: tuple[int, ...]) -> str:
    return "×".join(map(str, shape)) or "scalar"
