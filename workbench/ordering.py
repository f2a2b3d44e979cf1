"""Whether the steps of a recipe stand in each other's way, and what another order would give.

No pair of techniques is named here. Steps are tried out without training, as they are and in another order,
and what speaks is what came of it: promises of earlier steps that later ones broke (`workbench.promises`),
the bytes of the file, and the predictions on the same validation samples. Where no order is better nothing is
said.
"""

from __future__ import annotations

import time
from collections.abc import Generator, Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from workbench.errors import WorkbenchError
from workbench.job import Stopped
from workbench.measurement import units
from workbench.promises import Promise, standing
from workbench.randomness import step_seed
from workbench.recipe import Recipe
from workbench.technique import Context, Technique, prepared, settings

if TYPE_CHECKING:
    from workbench.candidate import Candidate
    from workbench.measurement.accuracy import Evaluation
    from workbench.measurement.pairing import Paired
    from workbench.workload import Workload

SAMPLES = 2_000  # of the validation data, at most; an order is looked for while a person waits
SECONDS = 3.0  # for the samples of one order; those that there was time for are compared
_BROKEN = 0.02  # of a promise; less is the rounding of shares
_SMALLER = 0.05  # of the file; less is not worth a move
_COSTLY = 0.01  # of accuracy, that a step costs and no training wins back
_KEPT_TRIALS = 24
_MOST_STEPS = 8  # of a recipe; beyond, trying out orders takes longer than anybody waits

Trying = Generator[None, None, Any]


@dataclass(frozen=True)
class Advice:
    """One place where two steps of a recipe fight.

    Attributes:
        recipe: the steps in the other order; None where no order helps.
        move: what the other order does, in words: `Do PruneChannels before PruneWeights`.
        reason: what happens as it is.
        smaller: bytes that the other order saves; below 0 it costs them. None where nobody knows.
        better: accuracy that it gains, as a share. None where nobody knows.
        is_seen: whether the samples show a difference of accuracy at the 5 % level.
        is_before_training: whether a step that trains was left out of both.
    """

    recipe: Recipe | None
    move: str
    reason: str
    smaller: int | None = None
    better: float | None = None
    is_seen: bool = False
    is_before_training: bool = False

    @property
    def gain(self) -> str:
        """`the other way round: ≈ 1.30 KB smaller, ≈ 2.1 points better before training`, or nothing."""
        told = [*self._bytes(), *self._points()]
        if self.recipe is None or not told:
            return ""
        return (
            f"The other way round: {', '.join(told)}{' before training' if self.is_before_training else ''}."
        )

    def __str__(self) -> str:
        return f"{self.reason} {self.gain}".strip()

    def _bytes(self) -> Iterator[str]:
        if self.smaller:
            yield f"≈ {units.size(abs(self.smaller))} {'smaller' if self.smaller > 0 else 'larger'}"

    def _points(self) -> Iterator[str]:
        if self.better is None:
            return
        if not self.is_seen:
            yield "no difference in accuracy seen"
        else:
            amount = units.points(abs(self.better)).lstrip("+")
            yield f"≈ {amount} points {'better' if self.better > 0 else 'worse'}"


@dataclass(frozen=True)
class Broken:
    """A promise of step `maker`, of which step `breaker` has left a smaller share."""

    maker: int
    breaker: int
    promise: Promise


@dataclass(frozen=True)
class Trial:
    """What the steps of a recipe make without training."""

    stored: int
    broken: tuple[Broken, ...]
    promises: int
    loss: float  # the shares of promises that were broken, added up
    evaluation: Evaluation | None


class Ordering:
    """Looks for better orders of recipes over one workload, and keeps what it has tried.

    Args:
        start: the candidate that recipes begin from.
    """

    def __init__(self, work: Workload, start: Candidate) -> None:
        self.work = work
        self.start = start
        self._trials: dict[tuple[Any, ...], Trial] = {}

    def advising(
        self, recipe: Recipe, names: Mapping[str, Any] | None = None
    ) -> Generator[None, None, tuple[Advice, ...]]:
        """Yield between the pieces of work; the advice, what is broken first. Close it to cancel."""
        names, steps = names or {}, recipe.steps
        if not 2 <= len(steps) <= _MOST_STEPS:
            return ()
        if (unfinished := _untrained(recipe)) is not None:
            return (unfinished,)
        trial = yield from self._tried(recipe, names)
        found = []
        for each in trial.broken:
            found.append((yield from self._mended(recipe, trial, each, names)))
        fighting = {(each.maker, each.breaker) for each in trial.broken}
        for index in range(len(steps) - 1):
            is_free = not (steps[index].trains or steps[index + 1].trains)
            if is_free and (index, index + 1) not in fighting:
                found.append((yield from self._swapped(recipe, trial, index, names)))
        found.append((yield from self._too_late(recipe, trial, names)))
        said = {str(each.recipe): each for each in reversed(found) if each is not None}
        return tuple(reversed(said.values()))  # one for each order, the first reason that speaks for it

    def _mended(self, recipe: Recipe, trial: Trial, broken: Broken, names: Mapping[str, Any]) -> Trying:
        """Another order in which the promise stands, or the word that there is none."""
        maker, breaker = (_name(recipe, each) for each in (broken.maker, broken.breaker))
        lost = units.share(1 - broken.promise.kept, 0)
        reason = f"{breaker} undoes {lost} of what {maker} promised ({broken.promise.text})."
        for other, move in (
            (_moved(recipe, broken.breaker, broken.maker), f"Do {breaker} before {maker}"),
            (_moved(recipe, broken.maker, broken.breaker), f"Do {maker} after {breaker}"),
        ):
            try:
                turned = yield from self._tried(other, names)
            except WorkbenchError:  # an order that cannot be is no advice
                continue
            # a step that no longer finds anything to do has broken no promise, and kept none
            if turned.loss < trial.loss - _BROKEN and turned.promises >= trial.promises:
                return _advice(recipe, other, move, reason, trial, turned)
        return Advice(None, "", f"{reason} No order keeps both; leave one of them out.")

    def _swapped(self, recipe: Recipe, trial: Trial, index: int, names: Mapping[str, Any]) -> Trying:
        """The advice to swap two neighbors, where the figures are better for it."""
        first, second = recipe.steps[index : index + 2]
        other = _moved(recipe, index + 1, index)
        if str(first) == str(second):
            return None
        try:
            turned = yield from self._tried(other, names)
        except WorkbenchError:
            return None
        before, after = _name(recipe, index), _name(recipe, index + 1)
        reason = f"{after} comes after {before}."
        advice = _advice(recipe, other, f"Do {after} before {before}", reason, trial, turned)
        return advice if turned.loss < trial.loss + _BROKEN and _is_better(advice, trial) else None

    def _too_late(self, recipe: Recipe, trial: Trial, names: Mapping[str, Any]) -> Trying:
        """A step that costs accuracy and comes after the last training, which could win it back."""
        steps = recipe.steps
        last = max((index for index, each in enumerate(steps) if each.trains), default=None)
        if last is None or last == len(steps) - 1:
            return None
        late = steps[last + 1 :]
        before = yield from self._tried(Recipe(), names)
        try:
            alone = yield from self._tried(Recipe(late), names)
        except WorkbenchError:  # it names layers that only the steps before it make
            return None
        change = _paired(before, alone)
        if change is None or not change.is_seen or change.difference > -_COSTLY:
            return None
        other = Recipe((*steps[:last], *late, steps[last]))
        try:
            turned = yield from self._tried(other, names)
        except WorkbenchError:
            return None
        if turned.loss >= trial.loss + _BROKEN:
            return None
        what, trained = _joined(recipe, range(last + 1, len(steps))), _name(recipe, last)
        cost = f"{units.points(-change.difference).lstrip('+')} points"
        its = "alone costs" if len(late) == 1 else "alone cost"
        reason = f"{what} {its} ≈ {cost}, and no training follows that could win them back."
        return Advice(other, f"Do {what} before {trained}", reason)

    def _tried(self, recipe: Recipe, names: Mapping[str, Any]) -> Generator[None, None, Trial]:
        """What the recipe makes without training, tried once."""
        key = tuple(settings(step, names) for step in recipe)
        if key not in self._trials:
            self._trials[key] = yield from self._trying(recipe, names)
            while len(self._trials) > _KEPT_TRIALS:
                del self._trials[next(iter(self._trials))]
        return self._trials[key]

    def _trying(self, recipe: Recipe, names: Mapping[str, Any]) -> Generator[None, None, Trial]:
        from workbench.storage import estimate_bytes

        candidate, promises, makers = self.start, (), []
        broken: dict[int, Broken] = {}
        is_new_net = False  # until it is trained its predictions say nothing
        for index, step in enumerate(recipe):
            yield
            context = Context(self.work, seed=step_seed(0, index), names=names, is_preview=True)
            after = yield from _made(step, candidate, context)
            is_new_net = is_new_net or (step.trains and after is not candidate)
            held = standing(step, candidate, after, promises)
            for place, (was, now) in enumerate(zip(promises, held, strict=False)):
                if now.kept < was.kept - _BROKEN and not now.is_due:
                    broken[place] = Broken(makers[place], index, now)
            makers += [index] * (len(held) - len(makers))
            candidate, promises = replace(after, notes=()), held
        loss = sum(1 - each.kept for each in promises if not each.is_due)
        yield
        evaluation = None if is_new_net else (yield from self._judged(candidate))
        stored = estimate_bytes(candidate)
        return Trial(stored, _gathered(broken.values()), len(promises), loss, evaluation)

    def _judged(self, candidate: Candidate) -> Generator[None, None, Evaluation | None]:
        from workbench.measurement.accuracy import evaluating

        if self.work.validation is None or not self.work.is_classification:
            return None
        steps = evaluating(self.work, candidate, "validation", limit=SAMPLES)
        until = time.monotonic() + SECONDS
        is_late = False
        while True:
            try:
                throws = not is_late and time.monotonic() > until
                is_late = is_late or throws
                steps.throw(Stopped()) if throws else next(steps)
            except StopIteration as end:
                return end.value
            except Stopped:  # not one batch was done
                return None
            yield


def _made(step: Technique, candidate: Candidate, context: Context) -> Generator[None, None, Candidate]:
    """What a step makes of a candidate; one that trains makes what it begins to train."""
    if step.trains:
        return step.structure(candidate, context) or candidate
    steps = step.apply(candidate, context, prepared(step, candidate, context))
    while True:
        try:
            next(steps)
        except StopIteration as end:
            return end.value
        yield


def _untrained(recipe: Recipe) -> Advice | None:
    """A step that must be followed by training, and is not, though there is one before it."""
    for index, step in enumerate(recipe.steps):
        later = [each for each in recipe.steps[index + 1 :] if each.trains]
        earlier = [place for place, each in enumerate(recipe.steps[:index]) if each.trains]
        if (why := step.needs_training()) and earlier and not later:
            trained, name = _name(recipe, earlier[-1]), _name(recipe, index)
            other = _moved(recipe, index, earlier[-1])
            return Advice(other, f"Do {name} before {trained}", f"{name} {why}.")
    return None


def _gathered(broken: Any) -> tuple[Broken, ...]:
    """One for each pair of steps: of several promises, the one of which least is left."""
    worst: dict[tuple[int, int], Broken] = {}
    for each in broken:
        pair = (each.maker, each.breaker)
        if pair not in worst or each.promise.kept < worst[pair].promise.kept:
            worst[pair] = each
    return tuple(sorted(worst.values(), key=lambda each: each.promise.kept))


def _moved(recipe: Recipe, index: int, to: int) -> Recipe:
    """The recipe with a step at another place."""
    steps = [each for place, each in enumerate(recipe.steps) if place != index]
    steps.insert(to, recipe.steps[index])
    return Recipe(tuple(steps))


def _advice(recipe: Recipe, other: Recipe, move: str, reason: str, trial: Trial, turned: Trial) -> Advice:
    change = _paired(trial, turned)
    return Advice(
        other,
        move,
        reason,
        smaller=trial.stored - turned.stored,
        better=change.difference if change else None,
        is_seen=change is not None and change.is_seen,
        is_before_training=any(step.trains for step in recipe),
    )


def _is_better(advice: Advice, trial: Trial) -> bool:
    """Better in one respect, and not seen to be worse in the other."""
    saved = (advice.smaller or 0) / max(trial.stored, 1)
    gained = (advice.better or 0.0) if advice.is_seen else 0.0
    return (saved >= _SMALLER and gained >= 0) or (gained > 0 and saved > -_SMALLER)


def _paired(before: Trial, after: Trial) -> Paired | None:
    from workbench.measurement.pairing import paired

    if before.evaluation is None or after.evaluation is None:
        return None
    n = min(before.evaluation.n, after.evaluation.n)  # one may have been stopped earlier
    try:
        return paired(before.evaluation.first(n), after.evaluation.first(n))
    except WorkbenchError:  # data that come in another order at every reading
        return None


def _joined(recipe: Recipe, places: Iterable[int]) -> str:
    return " and ".join(_name(recipe, each) for each in places)


def _name(recipe: Recipe, index: int) -> str:
    """A step's name, with its number where there are several of its kind."""
    step = recipe.steps[index]
    name = type(step).__name__
    is_one = sum(type(each) is type(step) for each in recipe) == 1
    return name if is_one else f"{name} (step {index + 1})"
