"""Two models of one workload side by side, as one record that fills in while it is being measured."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass, field, replace
from typing import TYPE_CHECKING, Any

from workbench.comparison import figures, layers, lineage, recipes, rendering, weights
from workbench.comparison.figures import Figure
from workbench.comparison.layers import LayerPair
from workbench.comparison.recipes import StepChange
from workbench.comparison.side import Side
from workbench.comparison.weights import WeightsPair
from workbench.errors import RuntimeUnavailable, WorkbenchError
from workbench.job import Job, Progress, Steps, Stopped, forward
from workbench.measurement import units
from workbench.measurement.accuracy import Evaluation, evaluating
from workbench.measurement.compute import call_of
from workbench.measurement.everything import is_rounded, repeated
from workbench.measurement.pairing import Paired, paired
from workbench.runtimes import find as find_runtime

if TYPE_CHECKING:
    from workbench.measurement.report import Latency
    from workbench.workload import Workload

RUNTIMES = ("pytorch", "onnxruntime")
SECONDS = 1.0  # for one runtime


@dataclass(frozen=True, eq=False)
class Comparison:
    """Two models beside each other; what has not been measured (yet) is empty.

    Attributes:
        before, after: their names. split: the data that accuracy is measured on.
        figures: every figure of both, with its change and whether that is real.
        steps: what differs between the recipes; None where one of the two is no version.
        layers: layer by layer. paired: the test on the same samples.
        notes: what a reader must know.
        is_final: whether nothing more will come.
    """

    before: str
    after: str
    split: str
    figures: tuple[Figure, ...]
    steps: tuple[StepChange, ...] | None
    layers: tuple[LayerPair, ...]
    paired: Paired | None = None
    notes: tuple[str, ...] = ()
    is_final: bool = False
    sides: tuple[Side, Side] | None = field(default=None, repr=False)

    @property
    def sentence(self) -> str:
        """What the paired test says, in words; empty without one."""
        pair = self.paired
        if pair is None:
            return ""
        verdict = "a difference is seen" if pair.is_seen else "no difference is seen"
        return (
            f"Of {pair.n:,} {self.split} samples {self.after} lost {pair.lost:,} and gained {pair.gained:,}: "
            f"{verdict} (exact McNemar test, p = {pair.p_value:.2g}; {units.points(pair.difference)} points, "
            f"95 % interval {units.points(pair.low)} to {units.points(pair.high)})."
        )

    def figure(self, name: str) -> Figure:
        """The figure of a quantity: `comparison.figure("latency:pytorch")`.

        Raises:
            KeyError: there is none.
        """
        for each in self.figures:
            if each.name == name:
                return each
        raise KeyError(f"no figure {name!r}; there are: {', '.join(each.name for each in self.figures)}")

    def weights(self, layer: str) -> WeightsPair:
        """How the weights of a layer lie in both.

        Raises:
            WorkbenchError: neither has weights under that name.
        """
        assert self.sides is not None
        return weights.weights_of(*self.sides, layer)

    @property
    def weighted(self) -> list[str]:
        """The layers whose weights can be looked at."""
        return weights.names(*self.sides) if self.sides is not None else []

    def table(self) -> list[dict[str, Any]]:
        """One row a figure, for a data frame."""
        return [asdict(each) for each in self.figures]

    def _repr_html_(self) -> str:
        return rendering.html(self)

    def __str__(self) -> str:
        return rendering.text(self)

    def __repr__(self) -> str:
        return f"<Comparison of {self.before} and {self.after}: {self.sentence or 'not judged'}>"


def compare(work: Workload, before: Any = None, after: Any = None, **options: Any) -> Comparison:
    """Two models side by side: measured on the same samples, timed in turns.

    Args:
        before, after: the original (None), a version or its name, a candidate, or any model.
        split: "validation" while choosing, "test" for the report.
        runtimes: where both are timed. seconds: at most so long for each. batch, threads: of the latency.
        names: what the two are called, where not by their own names.

    Raises:
        WorkbenchError: one line that says what to do.
    """
    return Job(lambda: comparing(work, before, after, **options), seed=0, threads=work.threads).run()


def comparing(
    work: Workload,
    before: Any = None,
    after: Any = None,
    *,
    split: str = "validation",
    runtimes: Sequence[str] = RUNTIMES,
    seconds: float = SECONDS,
    batch: int = 1,
    threads: int = 1,
    names: tuple[str, str] = ("", ""),
    find: lineage.Find | None = None,
) -> Steps[Comparison]:
    """The generator behind `compare`. Each progress has the record so far under "comparison".

    Stopped, it returns what there is, and a note says so.
    """
    for each in runtimes:
        find_runtime(each)  # a wrong name is said before anything long begins
    first, second = (Side.of(work, *each) for each in zip((before, after), names, strict=True))
    run = _Run(first, second, split, find)
    return (yield from run.steps(runtimes, seconds, batch, threads))


class _Run:
    """One comparison on its way."""

    def __init__(self, first: Side, second: Side, split: str, find: lineage.Find | None) -> None:
        self._first, self._second, self._work = first, second, first.work
        self._split = split
        self._counted = tuple(figures.counted(first, second))
        self._judged: tuple[Figure, ...] = ()
        self._latency: dict[str, tuple[Latency, Latency]] = {}
        self._notes: list[str] = []
        steps = _steps(first, second, find or lineage.finder(self._work), self._notes)
        self.found = Comparison(
            first.name,
            second.name,
            split,
            self._counted,
            steps,
            layers.pairs(first, second),
            sides=(first, second),
        )

    def steps(self, runtimes: Sequence[str], seconds: float, batch: int, threads: int) -> Steps[Comparison]:
        """Quick things first."""
        try:
            yield self._progress(0.0, "comparing")
            yield from self._judging()
            yield from self._looking(seconds)
            for index, runtime in enumerate(runtimes):
                share = 0.4 / len(runtimes)
                yield from self._timing(runtime, seconds, batch, threads, 0.6 + index * share, share)
        except Stopped:
            self._notes.append("stopped: what is missing was not measured")
        return replace(self._told(), is_final=True)

    def _judging(self) -> Steps[None]:
        """Both on the same samples."""
        if getattr(self._work, self._split, None) is None:
            self._notes.append(f"no accuracy: this workload has no {self._split} data")
            return
        found: list[Evaluation] = []
        for index, side in enumerate((self._first, self._second)):
            steps = _evaluating(side, self._split)
            judged, was_stopped = yield from forward(steps, self._scaled(side.name, 0.2 * index, 0.2))
            if was_stopped:
                raise Stopped
            found.append(judged)
        pair = None
        if self._work.is_classification:
            try:
                pair = paired(*found)
            except WorkbenchError as error:
                self._notes.append(f"no paired test: {error}")
        self._judged = tuple(figures.judged(self._first, *found, pair))
        self.found = replace(self.found, paired=pair)
        yield self._progress(0.4, "judged")

    def _looking(self, seconds: float) -> Steps[None]:
        """What layers give, and how long they take."""
        for start, make, more in ((0.4, layers.erring, ()), (0.5, layers.timing, (seconds,))):
            try:
                steps = make(self._first, self._second, self.found.layers, *more)
                found, was_stopped = yield from forward(steps, self._scaled("layers", start, 0.1))
            except (RuntimeError, ValueError, TypeError) as error:  # a model that runs only its own way
                self._notes.append(f"no error or time of layers: {str(error).splitlines()[0]}")
                return
            if was_stopped:
                raise Stopped
            self.found = replace(self.found, layers=found)
            yield self._progress(start + 0.1, "layers")

    def _timing(
        self, name: str, seconds: float, batch: int, threads: int, start: float, share: float
    ) -> Steps[None]:
        """Both in turns on one runtime."""
        from workbench.measurement.latency import summary, timing

        runtime = find_runtime(name)
        if self._work.example is None:
            note = "no latency: give an input, Workload(net, example=...) or input_shape=..."
            self._notes.extend([note] if note not in self._notes else [])
            return
        yield self._progress(start, f"preparing {runtime.title}")
        example = repeated(self._work.example, batch)
        try:
            both = [
                runtime.prepare(
                    side.candidate.model, example, threads, call=call_of(self._work), candidate=side.candidate
                )
                for side in (self._first, self._second)
            ]
        except RuntimeUnavailable as error:
            self._notes.append(f"no latency on {runtime.title}: {error}")
            return
        steps = timing(both[1], both[0], threads=threads, seconds=seconds)
        rounds, was_stopped = yield from forward(steps, self._scaled(runtime.title, start, share))
        swapped = type(rounds)(rounds.baseline, rounds.model)
        self._latency[name] = tuple(  # type: ignore[assignment]
            summary(
                each,
                name,
                prepared.artefact_bytes,
                threads=threads,
                batch=batch,
                is_simulated=is_rounded(side.candidate) and not prepared.integer_layers,
            )
            for each, prepared, side in zip((swapped, rounds), both, (self._first, self._second), strict=True)
        )
        if was_stopped:
            raise Stopped
        yield self._progress(start + share, runtime.title)

    def _told(self) -> Comparison:
        timed = tuple(figures.timed(self._latency))
        return replace(self.found, figures=(*self._judged, *self._counted, *timed), notes=tuple(self._notes))

    def _progress(self, done: float, message: str) -> Progress:
        return Progress(done, 1, message, {"comparison": self._told()})

    def _scaled(self, words: str, start: float, share: float) -> Any:
        def scaled(progress: Progress) -> Progress:
            return Progress(start + share * (progress.fraction or 0.0), 1, f"{words}: {progress.message}")

        return scaled


def _evaluating(side: Side, split: str) -> Steps[Evaluation]:
    """A side's evaluation; the original's is made once."""
    from workbench.measurement.baselines import evaluating_baseline

    if side.model is None:
        return (yield from evaluating_baseline(side.work, split))
    return (yield from evaluating(side.work, side.candidate, split))


def _steps(first: Side, second: Side, find: lineage.Find, notes: list[str]) -> tuple[StepChange, ...] | None:
    """What differs between the recipes, from the original on."""
    for side in (first, second):
        if side.version is None and side.model is not None:
            return None
        if side.version is not None and not lineage.is_whole(lineage.way(side.version, find)):
            notes.append(f"{side.name} went on from a version that was deleted; its recipe lacks those steps")
    return recipes.difference(lineage.recipe(first.version, find), lineage.recipe(second.version, find))
