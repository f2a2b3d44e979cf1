"""A distillation from start to end: find who learns and who teaches, train, keep the best."""

from __future__ import annotations

from collections.abc import Generator
from dataclasses import replace
from typing import TYPE_CHECKING

from workbench.algorithms.distillation import plan, spelling
from workbench.algorithms.distillation.cache import Cache
from workbench.algorithms.distillation.knowledge import Knowledge, Settings
from workbench.algorithms.distillation.losses import KINDS
from workbench.algorithms.distillation.matching import Pair, pairs
from workbench.algorithms.distillation.self_distillation import Heads, head_places
from workbench.algorithms.distillation.teachers import Teachers
from workbench.candidate import Candidate
from workbench.errors import listed
from workbench.job import Progress, Steps, Stopped, forward
from workbench.training import Objective, Training

if TYPE_CHECKING:
    from workbench.technique import Context
    from workbench.techniques.distill import Distill

BORN_AGAIN, HEADS = "born-again", "heads"


def distilling(step: Distill, candidate: Candidate, context: Context) -> Steps[Candidate]:
    """The student with the weights that did best on the validation data; a stop keeps the best so far."""
    nets = plan.teachers(step.teacher, context)
    learner = plan.student(step.student, candidate, nets, context)
    notes, learner = learner.notes, replace(learner, notes=())
    try:
        yield Progress(0, step.epochs, "asking the teacher")
        if step.algorithm != HEADS:
            notes += yield from _waiting(plan.judged(nets, context.work), step.epochs)
    except Stopped:
        return learner.noting(*notes)
    if step.algorithm == BORN_AGAIN:
        return (yield from _generations(step, learner, nets, context, notes))
    objective, told = _objective(step, learner, nets, context, context.seed)
    trained = yield from _training(step).steps(learner, context.work, context.seed, objective)
    return replace(trained, notes=(*notes, *told, *_afterwards(objective), *trained.notes))


def _generations(
    step: Distill,
    learner: Candidate,
    nets: tuple[Candidate, ...],
    context: Context,
    notes: tuple[str, ...],
) -> Steps[Candidate]:
    """Each generation begins anew and is taught by the one before; the best on validation is kept.

    Source: Furlanello et al. 2018 (Born-Again Networks).
    """
    best, best_score = learner, float("-inf")
    for index in range(step.generations):
        pupil = learner
        if index or spelling.student(step.student) is None:
            pupil = plan.begun_anew(learner, context.seed + 7919 * (index + 1))
            notes += tuple(each for each in pupil.notes if each not in notes)
            pupil = replace(pupil, notes=())
        objective, told = _objective(step, pupil, nets, context, context.seed + index)
        scores: list[float] = []
        steps = _training(step).steps(pupil, context.work, context.seed + index, objective)
        trained, was_stopped = yield from forward(_scored(steps, scores, index * step.epochs, step))
        score = max(scores, default=float("-inf"))
        if index == 0 or score >= best_score:
            best, best_score = trained, score
        if was_stopped:
            break
        nets = (trained,)
    notes += (*told, *_afterwards(objective), f"{index + 1} of {step.generations} generations")
    return replace(best, notes=(*notes, *best.notes))


def _scored(steps: Steps[Candidate], scores: list[float], before: int, step: Distill) -> Steps[Candidate]:
    """The same steps, epochs counted on from `before`, with what was seen on the validation data."""

    def counted(progress: Progress) -> Progress:
        record = dict(progress.record)
        if "validation_accuracy" in record:
            scores.append(record["validation_accuracy"])
        elif "validation_loss" in record:
            scores.append(-record["validation_loss"])
        if "epoch" in record:
            record["epoch"] += before
        total = step.epochs * step.generations
        return Progress(progress.done + before, total, progress.message, record)

    result, was_stopped = yield from forward(steps, counted)
    if was_stopped and not result:
        raise Stopped
    return result


def _waiting(steps: Steps[tuple[str, ...]], epochs: int) -> Generator[Progress, None, tuple[str, ...]]:
    """Steps that come before the first epoch: progress stays at its beginning."""
    result, was_stopped = yield from forward(steps, lambda each: Progress(0, epochs, "asking the teacher"))
    if was_stopped:
        raise Stopped
    return result


def _training(step: Distill) -> Training:
    return Training(
        epochs=step.epochs,
        learning_rate=step.learning_rate,
        decay=step.decay,
        optimizer=step.optimizer,
        weight_decay=step.weight_decay,
        patience=step.patience,
    )


def _objective(
    step: Distill, learner: Candidate, nets: tuple[Candidate, ...], context: Context, seed: int
) -> tuple[Objective, tuple[str, ...]]:
    """What is minimized, and what there is to say about it."""
    work = context.work
    if step.algorithm == HEADS:
        places = head_places(learner.model, work, step.layers)
        objective = Heads(work, places, step.temperature, seed=seed)
        return objective, (f"heads on {listed(map(str, places))}, thrown away after training",)
    weights = spelling.terms(step.loss, step.weights)
    chosen = _pairs(step, learner, nets, context) if _needs_layers(weights) else []
    teachers = Teachers(nets, work, [each.teacher.path for each in chosen])
    data = work.split("train")
    cache = Cache(teachers, data.n, step.cache, step.epochs)
    settings = Settings(step.temperature, step.others)
    knowledge = Knowledge(work, cache, weights, settings, chosen, seed)
    told = [f"learned from {listed(f'{name} × {weight:g}' for name, weight in weights.items() if weight)}"]
    if chosen:
        told.append(f"layers paired, teacher → student: {listed(map(str, chosen))}")
    if len(nets) > 1:
        told.append(f"{len(nets)} teachers averaged" + (", features of the first" if chosen else ""))
    return knowledge, tuple(told)


def _needs_layers(weights: dict[str, float]) -> bool:
    return any(weight and name in KINDS and KINDS[name].of == "features" for name, weight in weights.items())


def _pairs(step: Distill, learner: Candidate, nets: tuple[Candidate, ...], context: Context) -> list[Pair]:
    return pairs(nets[0].model, learner.model, context.work, step.layers)


def _afterwards(objective: Objective) -> tuple[str, ...]:
    note = getattr(objective, "note", "")
    return (note,) if note else ()
