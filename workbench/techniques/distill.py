"""Let another net teach: knowledge distillation."""

from __future__ import annotations

from collections.abc import Generator, Mapping
from typing import TYPE_CHECKING, Any

from workbench.algorithms.distillation import spelling
from workbench.algorithms.distillation.losses import KINDS, LABELS
from workbench.job import Progress
from workbench.options import Reference, option
from workbench.technique import Context, Technique

if TYPE_CHECKING:
    from workbench.candidate import Candidate


class Distill(Technique, family="distillation", flag="--student", trains=True):
    """Train a student to do what a teacher does, and not only what the labels say.

    The student is the compressed model itself, with the original as its teacher: after `PruneChannels` that
    is recovery, after `Quantize` quantization-aware distillation, under all constraints. Or it is a new,
    smaller net: made from the teacher, or one of yours. What is taught are outputs, features of layers or
    relations between samples; terms add up with their weights. The weights that did best on the validation
    data are kept. To adapt the same net to a task, without a teacher, use `FineTune`.
    """

    student: str | Reference = option(
        "itself",
        "who learns: itself (the compressed model), half-width, quarter-width, any width ('width 0.3'), "
        "shallower, depthwise, fresh (the same net begun anew), or a variable that holds a net",
        kind="reference",
        choices=spelling.OFFERED,
    )
    loss: str = option("soft_targets", "what is taught; `weights` adds more", choices=tuple(KINDS))
    temperature: float = option(
        4.0,
        "softens the teacher's probabilities, so that the wrong classes are heard",
        above=0,
        high=100,
        step=0.5,
        log=True,
    )
    epochs: int = option(5, "passes over the training data", low=1, high=1000, step=1, unit="epochs")
    weights: Mapping[str, float] = option(
        {},
        "weights of terms by name, further terms among them, like {'labels': 0.5, 'attention': 5}",
        kind="layers",
        choices=(*KINDS, LABELS),
        low=0,
    )
    teacher: str | Reference = option(
        "original",
        "who teaches: the original, or a variable that holds a net or a list of nets to average",
        kind="reference",
        choices=(spelling.ORIGINAL,),
    )
    algorithm: str = option(
        "offline",
        "offline: a trained teacher; born-again: the student begins anew and teaches the next generation; "
        "heads: the net's output teaches its earlier layers",
        choices=("offline", "born-again", "heads"),
    )
    generations: int = option(1, "born-again students, one after another", low=1, high=10, advanced=True)
    layers: tuple[str, ...] = option(
        (),
        "pairs of layers, teacher's first ('conv2:conv1'); matched by depth and shape where none are named",
        advanced=True,
    )
    learning_rate: float = option(1e-3, "step size at the start", above=0, high=10, log=True)
    decay: str = option(
        "cosine", "how the step size falls over the epochs", choices=("cosine", "constant"), advanced=True
    )
    optimizer: str = option("adam", "how steps are taken", choices=("adam", "sgd"), advanced=True)
    weight_decay: float = option(0.0, "pull of the weights toward zero", low=0, high=1, advanced=True)
    patience: int | None = option(
        None,
        "epochs without a gain on the validation data after which it ends",
        low=1,
        high=1000,
        advanced=True,
    )
    others: float = option(
        8.0, "weight of the wrong classes in decoupled soft targets", low=0, high=1000, advanced=True
    )
    cache: str = option(
        "auto",
        "where the teacher's answers are kept, if inputs stay the same from epoch to epoch",
        choices=("auto", "memory", "file", "off"),
        advanced=True,
    )

    def __post_init__(self) -> None:
        super().__post_init__()
        for name, words in (("student", spelling.OFFERED), ("teacher", (spelling.ORIGINAL,))):
            value = getattr(self, name)
            if isinstance(value, Reference) and value.value is None and value.name in words:
                object.__setattr__(self, name, value.name)  # typed without quotes
        spelling.student(self.student)
        spelling.check_teacher(self.teacher)

    def structure(self, candidate: Candidate, context: Context) -> Candidate | None:
        """The student before its first step, where it is a new net."""
        from workbench.algorithms.distillation import plan

        if spelling.student(self.student) is None:
            return None
        return plan.student(self.student, candidate, plan.teachers(self.teacher, context), context)

    def apply(
        self, candidate: Candidate, context: Context, prepared: Any
    ) -> Generator[Progress, None, Candidate]:
        """The student with the best weights seen; its notes say what it is, and what taught it."""
        from workbench.algorithms.distillation.running import distilling

        return (yield from distilling(self, candidate, context))
