"""Which step flipped a sample: the recipe is run again step by step, and judged after every one.

Nothing is stored while a version is made but what came out, so this runs the steps again, with the version's
seed and from where it began, and then *checks* that the last step gives the very predictions of the stored
version. Where it does not (the run was stopped early, another machine, other data), the record says so.
"""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from workbench.comparison import lineage
from workbench.comparison.flipped import BROKEN, MENDED, OTHERWISE, judged_split
from workbench.comparison.side import ORIGINAL, Side
from workbench.errors import WorkbenchError
from workbench.job import Job, Progress, Steps, Stopped, forward
from workbench.measurement.accuracy import Accuracy, Evaluation, evaluating
from workbench.randomness import RandomStates, step_seed
from workbench.run import weight
from workbench.technique import Context, prepared

if TYPE_CHECKING:
    import numpy as np

    from workbench.candidate import Candidate
    from workbench.technique import Technique
    from workbench.versions import Version
    from workbench.workload import Workload


@dataclass(frozen=True, eq=False)
class FlipStage:
    """One step and what it flipped, against the step before.

    Attributes:
        number: from 1. version: whose recipe the step is of.
        evaluation: after the step, on all samples.
    """

    number: int
    step: str
    version: str
    seconds: float
    evaluation: Evaluation
    broken: int
    mended: int
    otherwise: int

    @property
    def accuracy(self) -> Accuracy:
        """After the step."""
        accuracy = self.evaluation.accuracy
        assert accuracy is not None
        return accuracy

    @property
    def name(self) -> str:
        """`2 FineTune`."""
        return f"{self.number} {self.step.partition('(')[0]}"


@dataclass(frozen=True, eq=False)
class FlipStages:
    """What each step on the way to a version flipped.

    Attributes:
        start: the evaluation before the first step. began: the name of what the way began from.
        stored: the evaluation of the version as it is stored; None where the run was stopped before that.
        notes: what a reader must know.
    """

    version: str
    began: str
    split: str
    start: Evaluation
    stages: tuple[FlipStage, ...]
    stored: Evaluation | None = None
    notes: tuple[str, ...] = ()

    @property
    def differing(self) -> int | None:
        """On how many samples the re-run and the stored version differ; None where that was not checked."""
        if self.stored is None or not self.stages:
            return None
        return int((self.stages[-1].evaluation.predictions != self.stored.predictions).sum())

    @property
    def is_checked(self) -> bool:
        """Whether the re-run ended in the very predictions of the stored version."""
        return self.differing == 0

    def of(self, index: int, after: int | None = None) -> FlipStage | None:
        """The step that flipped a sample to what the version says of it (`after` where that is known).

        The last step after which the prediction became what it is in the end. None where no step changed it,
        or where the re-run ends in another prediction than the stored version.
        """
        trail = [self.start, *(each.evaluation for each in self.stages)]
        said = [int(each.predictions[index]) for each in trail]  # type: ignore[index]
        end = after if after is not None else self._end(index)
        if not self.stages or said[-1] != end:
            return None
        changes = [number for number in range(1, len(said)) if said[number] == end != said[number - 1]]
        return self.stages[changes[-1] - 1] if changes else None

    @property
    def sentence(self) -> str:
        """Whether the re-run can be trusted, plainly."""
        if self.stored is None:
            done = (
                f"stopped after step {len(self.stages)}" if self.stages else "stopped before the first step"
            )
            return f"Not checked: {done}, so a sample may still have been flipped by a later one."
        if self.is_checked:
            return (
                f"Checked: run again from {self.began}, the steps end in the very predictions of "
                f"{self.version} on all {self.stored.n:,} {self.split} samples."
            )
        return (
            f"Not the same: run again from {self.began}, the steps end in other predictions than "
            f"the stored {self.version} on {self.differing:,} of {self.stored.n:,} {self.split} samples: "
            "those have no step."
        )

    def _end(self, index: int) -> int:
        last = self.stored if self.stored is not None else self.stages[-1].evaluation
        return int(last.predictions[index])  # type: ignore[index]

    def __repr__(self) -> str:
        return f"<FlipStages: {', '.join(each.name for each in self.stages) or 'none'}. {self.sentence}>"


def flip_stages(
    work: Workload,
    version: Version | str,
    before: Version | str | None = None,
    split: str | None = None,
    *,
    names: Mapping[str, Any] | None = None,
) -> FlipStages:
    """Which step flipped the samples on the way to a version.

    Args:
        version: whose recipe is run again; trainings included, so this takes as long as it took.
        before: the steps since the last version both have in common are run; all where it is the original.
        names: what bare names in the recipe stand for.

    Raises:
        WorkbenchError: one line, where there are no classes, no data, or no recipe.
    """
    return Job(lambda: staging(work, version, before, split, names=names), threads=work.threads).run()


def staging(
    work: Workload,
    version: Version | str,
    before: Version | str | None = None,
    split: str | None = None,
    *,
    names: Mapping[str, Any] | None = None,
    find: lineage.Find | None = None,
) -> Steps[FlipStages]:
    """The generator behind `flip_stages`; stopped, it returns the steps that were done, unchecked."""
    split = judged_split(work, split)
    target, other = Side.of(work, version), Side.of(work, before)
    if target.version is None:
        raise WorkbenchError(f"{target.name} is no version: nothing says by which steps it was made")
    run = _Again(work, split, target.version, other.version, names or {}, find or lineage.finder(work))
    return (yield from run.steps())


class _Again:
    """One re-run."""

    def __init__(
        self,
        work: Workload,
        split: str,
        version: Version,
        before: Version | None,
        names: Mapping[str, Any],
        find: lineage.Find,
    ) -> None:
        self._work, self._split, self._version, self._names = work, split, version, names
        self._start, self._way = lineage.parting(before, version, find)
        if not self._way:  # `before` was made from the version: there is no step on the way back
            self._start, self._way = lineage.parting(None, version, find)
        self._notes = tuple(self._remarks(find))
        self._stages: list[FlipStage] = []
        planned = [step for each in self._way for step in each.recipe]
        if not planned:
            raise WorkbenchError(f"{version.name} has no recipe to run again")
        self._weights = [weight(step) for step in planned]
        self._number = 0

    def steps(self) -> Steps[FlipStages]:
        """Run, judge and check; what was done where that is stopped."""
        candidate = self._start.candidate if self._start is not None else self._work.candidate()
        start = last = yield from self._judging(candidate, "before the first step", 0.0)
        try:
            for version in self._way:
                # every version goes on from the stored one before it, as its own run did
                random = RandomStates(version.seed)
                for index, step in enumerate(version.recipe):
                    candidate, last = yield from self._stage(step, index, version, candidate, last, random)
                candidate = version.candidate
            stored = yield from self._judging(self._version.candidate, "checking", 1.0)
        except Stopped:
            return self._record(start, None)
        return self._record(start, stored)

    def _stage(
        self,
        step: Technique,
        index: int,
        version: Version,
        candidate: Candidate,
        last: Evaluation,
        random: RandomStates,
    ) -> Steps[tuple[Candidate, Evaluation]]:
        """Apply a step with the random numbers of its first run, and judge.

        Raises:
            Stopped: the step or the judging was stopped: half a step says nothing of the whole.
        """
        began = time.perf_counter()
        context = Context(self._work, seed=step_seed(version.seed, index), names=self._names)
        words = f"step {self._number + 1} of {len(self._weights)}, {type(step).__name__}"

        def made() -> Steps[Candidate]:
            yield Progress(0, 1, "preparing")
            return (yield from step.apply(candidate, context, prepared(step, candidate, context)))

        after, was_stopped = yield from forward(_Seeded(random, made()), self._scaled(words))
        if was_stopped:
            raise Stopped
        seconds = time.perf_counter() - began
        judged = yield from self._judging(after, words, self._done(1))
        self._number += 1
        counts = _counts(last, judged)
        self._stages.append(FlipStage(self._number, str(step), version.name, seconds, judged, **counts))
        return replace(after, notes=()), judged

    def _judging(self, candidate: Candidate, words: str, done: float) -> Steps[Evaluation]:
        """The evaluation of all samples.

        Raises:
            Stopped: it was stopped before the last.
        """

        def said(progress: Progress) -> Progress:
            return Progress(done, 1, f"{words}: {progress.message}")

        judged, was_stopped = yield from forward(evaluating(self._work, candidate, self._split), said)
        if was_stopped:
            raise Stopped
        return judged

    def _scaled(self, words: str) -> Any:
        def scaled(progress: Progress) -> Progress:
            done = self._done(progress.fraction or 0.0)
            return Progress(done, 1, f"{words}: {progress.message}" if progress.message else words)

        return scaled

    def _done(self, share: float) -> float:
        """The share of the whole that is done with the present step at `share`."""
        before = sum(self._weights[: self._number])
        return (before + share * self._weights[self._number]) / sum(self._weights)

    def _remarks(self, find: lineage.Find) -> Any:
        if not lineage.is_whole(lineage.way(self._version, find)):
            yield "the version it went on from was deleted: the steps begin from the original instead"
        if self._version.is_stopped:
            yield f"{self._version.name} was stopped before its recipe's end; run again, it goes to the end"

    def _record(self, start: Evaluation, stored: Evaluation | None) -> FlipStages:
        began = self._start.name if self._start is not None else ORIGINAL
        return FlipStages(
            self._version.name, began, self._split, start, tuple(self._stages), stored, self._notes
        )


class _Seeded:
    """A generator whose every step sees the random numbers of a stream of its own."""

    def __init__(self, random: RandomStates, steps: Steps[Any]) -> None:
        self._random, self._steps = random, steps

    def __next__(self) -> Progress:
        with self._random:
            return next(self._steps)

    def throw(self, error: BaseException) -> Progress:
        with self._random:
            return self._steps.throw(error)

    def close(self) -> None:
        self._steps.close()


def _counts(before: Evaluation, after: Evaluation) -> dict[str, int]:
    """How many samples a step broke, mended, or changed otherwise."""
    changed: np.ndarray = before.predictions != after.predictions
    was, now = before.correct, after.correct
    counts = {BROKEN: was & ~now, MENDED: now & ~was, OTHERWISE: changed & ~was & ~now}
    return {kind: int(each.sum()) for kind, each in counts.items()}
