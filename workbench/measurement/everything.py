"""`measure()`: everything about one model in one report, always beside the baseline."""

from __future__ import annotations

from collections.abc import Generator, Sequence
from typing import TYPE_CHECKING, Any, TypeVar

from workbench.errors import RuntimeUnavailable, WorkbenchError, listed
from workbench.job import Job, Progress, Steps, Stopped, forward
from workbench.measurement.accuracy import Evaluation, evaluating
from workbench.measurement.agreement import agreeing
from workbench.measurement.baselines import Known, evaluating_baseline, known
from workbench.measurement.compute import call_of, count_macs, nonzero, parameters
from workbench.measurement.energy import Energy, estimated, measured
from workbench.measurement.latency import SECONDS, summary, timing
from workbench.measurement.memory import peak_memory
from workbench.measurement.pairing import Paired, paired
from workbench.measurement.report import Baseline, Latency, Report
from workbench.measurement.size import Size, bits, claimed_bytes
from workbench.measurement.subject import name_of, stored_bytes, subject
from workbench.runtimes import find, title

if TYPE_CHECKING:
    from workbench.candidate import Candidate
    from workbench.workload import Workload

T = TypeVar("T")

RUNTIMES = ("pytorch", "onnxruntime")


def measure(work: Workload, model: Any = None, **options: Any) -> Report:
    """Everything measured of a model, as a report; the baseline where no model is given.

    Ctrl-C (or the kernel's interrupt) ends it with a `KeyboardInterrupt`.

    Args:
        model: a `torch.nn.Module`, a candidate or a version; it is not changed.
        split: the data that accuracy is measured on: "validation" while choosing, "test" for the report.
        runtimes: names of runtimes, as `workbench.runtimes.runtimes()` lists them.
        batch, threads: of the latency.
        stored: bytes of the file the model was written to, where it was.
        name: what the report is called.
        seconds: at most so long for each runtime.

    Raises:
        WorkbenchError: one line that says what to do, where nothing sensible can be measured.
    """
    threads = getattr(work, "threads", None)
    return Job(lambda: measuring(work, model, **options), seed=0, threads=threads).run()


def measuring(
    work: Workload,
    model: Any = None,
    *,
    split: str = "validation",
    runtimes: Sequence[str] = RUNTIMES,
    batch: int = 1,
    threads: int = 1,
    stored: int | None = None,
    name: str | None = None,
    seconds: float = SECONDS,
    is_judged: bool = True,
) -> Steps[Report]:
    """The generator behind `measure`; stopped, it returns what it has, and the report's notes say so.

    Without `is_judged` the data are left alone: everything but accuracy.
    """
    if batch < 1 or threads < 1:
        raise WorkbenchError(f"batch and threads must be at least 1, got {batch} and {threads}")
    chosen = [find(each) for each in runtimes]
    run = _Run(work, subject(work, model), is_baseline=model is None)
    yield from run.announce(0.0, "measuring")
    run.notes.extend(work.notes)
    if is_judged:
        yield from run.judge(split)
    for index, runtime in enumerate(chosen):
        start = 0.5 + 0.5 * index / len(chosen)
        yield from run.time(runtime, batch, threads, seconds, start, 0.5 / len(chosen))
    return run.report(
        name or name_of(work, model), stored if stored is not None else stored_bytes(run.candidate, model)
    )


def timing_on(
    work: Workload,
    model: Any = None,
    runtime: str = "pytorch",
    *,
    batch: int = 1,
    threads: int = 1,
    seconds: float = SECONDS,
    is_preview: bool = False,
) -> Steps[Latency]:
    """The latency alone, on one runtime, in turns with the baseline; stopped, what the rounds so far tell.

    Args:
        is_preview: how well int8 kernels agree with the simulation is left out: it reads data for a second.

    Raises:
        RuntimeUnavailable: the runtime cannot take the model, or there is no input to run it on.
        Stopped: it was stopped before there was anything to tell.
    """
    if batch < 1 or threads < 1:
        raise WorkbenchError(f"batch and threads must be at least 1, got {batch} and {threads}")
    run = _Run(work, subject(work, model), is_baseline=model is None, compares=not is_preview)
    yield from run.time(find(runtime), batch, threads, seconds, 0.0, 1.0, with_energy=False)
    if runtime in run.latency:
        return run.latency[runtime]
    if run.is_stopped:
        raise Stopped
    raise RuntimeUnavailable(run.notes[-1])


class _Run:
    """One measurement on its way to a report."""

    def __init__(
        self, work: Workload, candidate: Candidate, is_baseline: bool, compares: bool = True
    ) -> None:
        self.work = work
        self.latency: dict[str, Latency] = {}
        self._compares = compares
        self.candidate = candidate
        self.is_baseline = is_baseline
        self.notes: list[str] = []
        self.is_stopped = False
        self._known: Known = known(work)
        self._evaluation: Evaluation | None = None
        self._baseline: Evaluation | None = None
        self._paired: Paired | None = None
        self._bits = _narrowest(candidate)
        self._split = "validation"
        self._energy: tuple[Energy | None, Energy | None] = (None, None)

    def announce(self, done: float, message: str) -> Steps[None]:
        """Say what comes next; a stop that comes now is remembered."""
        try:
            yield Progress(done, 1, message)
        except Stopped:
            self.is_stopped = True

    def judge(self, split: str) -> Steps[None]:
        """Evaluate the model and, where it has not been done, the baseline on the same samples."""
        self._split = split
        if getattr(self.work, split, None) is None:
            self.notes.append(f"no accuracy: this workload has no {split} data")
            return
        if self.is_stopped:
            self.notes.append("stopped: no accuracy")
            return
        self._baseline = yield from self._part(
            evaluating_baseline(self.work, split), "baseline", 0.0, 0.1 if self.is_baseline else 0.2
        )
        if self.is_baseline:
            self._evaluation = self._baseline
        elif not self.is_stopped:
            steps = evaluating(self.work, self.candidate, split)
            self._evaluation = yield from self._part(steps, "accuracy", 0.2, 0.3)
        if self._evaluation is not None and self._evaluation.is_partial:
            self.notes.append(f"stopped: accuracy on the first {self._evaluation.n:,} samples only")
        self._pair()

    def time(
        self,
        runtime: Any,
        batch: int,
        threads: int,
        seconds: float,
        start: float,
        share: float,
        with_energy: bool = True,
    ) -> Steps[None]:
        """Time the model and the baseline in turns on one runtime; what goes wrong becomes a note."""
        if self.is_stopped:
            self.notes.append(f"stopped: no latency on {runtime.title}")
            return
        if self.work.example is None:
            note = "no latency, MACs or memory: give an input, Workload(net, example=...) or input_shape=..."
            self.notes.extend([note] if note not in self.notes else [])
            return
        yield from self.announce(start, f"preparing {runtime.title}")
        if self.is_stopped:
            self.notes.append(f"stopped: no latency on {runtime.title}")
            return
        example = repeated(self.work.example, batch)
        try:
            baseline = self._known.on(runtime, example, batch, threads)
            model = baseline
            if not self.is_baseline:
                model = runtime.prepare(
                    self.candidate.model,
                    example,
                    threads,
                    call=call_of(self.work),
                    candidate=self.candidate,
                )
        except RuntimeUnavailable as error:
            self.notes.append(f"no latency on {runtime.title}: {error}")
            return
        self.notes.extend(model.notes)
        agreement = None
        if model.integer_layers and self._compares:
            compared = agreeing(self.work, self.candidate, model, self._split, batch)
            agreement = yield from self._part(compared, runtime.title, start, 0.1 * share)
        steps = timing(model, None if self.is_baseline else baseline, threads=threads, seconds=seconds)
        rounds = yield from self._part(steps, runtime.title, start, share)
        is_first = self._energy == (None, None)
        if with_energy and is_first and not self.is_stopped:
            self._energy = measured(model.run), measured(baseline.run)
        if rounds is not None:
            self.latency[runtime.name] = summary(
                rounds,
                runtime.name,
                model.artefact_bytes,
                threads=threads,
                batch=batch,
                is_simulated=is_rounded(self.candidate) and not model.integer_layers,
                agreement=agreement,
                integer_layers=len(model.integer_layers),
                baseline_artefact_bytes=baseline.artefact_bytes,
            )

    def report(self, name: str, stored: int | None) -> Report:
        """The report of what was found."""
        work, model = self.work, self.candidate.model
        evaluation = self._evaluation
        counted = count_macs(model, work.example, call_of(work))
        if simulated := [title(name) for name, each in self.latency.items() if each.is_simulated]:
            what = f"{self._bits}-bit weights" if self._bits is not None else "rounded activations"
            self.notes.append(f"simulated only on {listed(simulated)}: {what} are computed in float32 there")
        return Report(
            name=name,
            accuracy=evaluation.accuracy if evaluation else None,
            metrics=dict(evaluation.metrics) if evaluation else {},
            size=Size(claimed_bytes(self.candidate), stored),
            baseline_size=self._known.size,
            latency=self.latency,
            parameters=parameters(model),
            nonzero=nonzero(model),
            macs=counted.total if counted else None,
            peak_memory=peak_memory(model, work.example, call_of(work)),
            paired=self._paired,
            notes=tuple(self.notes),
            baseline=None if self.is_baseline else self._before(),
            weight_bits=self._bits,
            nonzero_macs=counted.nonzero(model) if counted else None,
            energy=self._energy[0] or estimated(self.candidate, counted),
            is_stopped=self.is_stopped,
        )

    def _pair(self) -> None:
        before, after = self._baseline, self._evaluation
        if self.is_baseline or before is None or after is None or after.predictions is None:
            return
        n = min(before.n, after.n)
        try:
            self._paired = paired(before.first(n), after.first(n))
        except WorkbenchError as error:
            self.notes.append(f"no paired test: {error}")

    def _before(self) -> Baseline:
        """The baseline's figures; an accuracy that was stopped half-way is none to compare with."""
        from workbench.candidate import Candidate

        found, evaluation = self._known, self._baseline
        is_whole = evaluation is not None and not evaluation.is_partial
        return Baseline(
            accuracy=evaluation.accuracy if is_whole else None,
            metrics=dict(evaluation.metrics) if is_whole else {},
            parameters=found.parameters,
            nonzero=found.nonzero,
            macs=found.macs.total if found.macs else None,
            peak_memory=found.peak_memory,
            energy=self._energy[1] or estimated(Candidate(found.model), found.macs),
        )

    def _part(
        self, steps: Steps[T], words: str, start: float, share: float
    ) -> Generator[Progress, None, T | None]:
        """Run a part of the measurement as a share of the whole; None where it was stopped with nothing."""

        def scaled(progress: Progress) -> Progress:
            message = f"{words}: {progress.message}" if progress.message else words
            return Progress(start + share * (progress.fraction or 0.0), 1, message, progress.record)

        try:
            result, was_stopped = yield from forward(steps, scaled)
        except Stopped:
            result, was_stopped = None, True
        self.is_stopped = self.is_stopped or was_stopped
        return result


def is_rounded(candidate: Candidate) -> bool:
    """Whether weights lie on a grid, or activations are rounded: without int8 kernels that is simulated."""
    return bool(_on_grid(candidate)) or bool(candidate.activations)


def _narrowest(candidate: Candidate) -> int | None:
    """The bits of the narrowest grid, None where no weight lies on one."""
    return min((bits(candidate, name) for name in _on_grid(candidate)), default=None)


def _on_grid(candidate: Candidate) -> list[str]:
    constraints = candidate.constraints
    return [name for name in constraints if any(hasattr(each, "bits") for each in constraints[name])]


def repeated(example: Any, batch: int) -> Any:
    """The inputs of one sample, `batch` times."""
    from workbench.data import mapped

    return mapped(lambda each: each.repeat(batch, *[1] * (each.ndim - 1)) if each.ndim else each, example)
