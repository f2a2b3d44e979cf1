"""What a panel knows and does, without a widget: steps, previews, runs, versions. Tests drive this.

Every method may be called from any thread. What a person did wrong becomes `error`, one line, and the last
good state stays. Observers are told the name of what changed (`TOPICS`), in the thread that changed it, and
read the rest here.
"""

from __future__ import annotations

import sys
import threading
import time
from collections.abc import Callable, Collection, Hashable, Iterable, Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from workbench.errors import WorkbenchError, told
from workbench.exploration.limits import Limits
from workbench.job import Job
from workbench.measurement import units
from workbench.panels.state import figures, foretelling, missing, points, saving, starting
from workbench.panels.state.chosen import Chosen
from workbench.panels.state.comparisons import Comparisons
from workbench.panels.state.estimates import Estimates
from workbench.panels.state.picking import Picking
from workbench.panels.state.runs import Runs
from workbench.panels.state.scans import Scans
from workbench.panels.state.steps import Draft
from workbench.panels.state.telling import Telling
from workbench.panels.state.undo import Moment, Moments
from workbench.preferences import Preferences, preferred
from workbench.recipe import Recipe
from workbench.run import NO_ACCURACY
from workbench.runtimes import runtimes
from workbench.technique import find

if TYPE_CHECKING:
    from workbench.exploration.records import Sensitivity
    from workbench.measurement.quantities import Quantity
    from workbench.measurement.report import Foretold, Latency
    from workbench.versions import Version, VersionTree
    from workbench.workload import Workload

_BEGINS_WITH = "PruneWeights"  # answers at once, on any model
_STOPPING = "stopping: what there is so far is kept"
_NO_FURTHER = "stopping: it is measured no further"
TOPICS = (
    "work",
    "recipe",
    "figures",
    "layers",
    "layer",
    "training",
    "job",
    "versions",
    "compare",
    "selection",
    "limits",
    "timing",
    "advice",
    "status",
)


class Session:
    """One panel's state over one workload.

    Args:
        recipe: where the controls begin; the last version's, or one step, where it is not given.
        tree: where versions are kept; the workload's own where it is not given.
        names: what bare names in a recipe stand for; the notebook's variables where it is not given.
    """

    def __init__(
        self,
        work: Workload,
        recipe: Recipe | str | None = None,
        *,
        tree: VersionTree | None = None,
        names: Mapping[str, Any] | None = None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self.chosen = Chosen(runtime=_first_runtime())
        self.status = ""
        self.error = ""
        self.picking = Picking(self)
        self.layer = ""  # the one that is looked at, in every view; the empty text where none is
        self.comparisons = Comparisons(self, lambda: self._tell("compare"))
        self.scans = Scans()
        self.scans.observe(self._scan_told)
        self._names = names
        self._clock = clock
        self._lock = threading.RLock()
        self._telling = Telling()
        self._is_looking = False  # at a version, so that nothing is previewed
        self._take(work, tree)
        start = None if recipe is not None else starting.known_start(self.tree.head, self.tree)
        self._moments = Moments(Moment(Draft.of(self._first(recipe)), self._head_id(), start))

    def open(self) -> Session:
        """Begin: look at the baseline, and preview the recipe."""
        self.estimates.learn_the_baseline()
        self._estimate()
        return self

    def close(self) -> None:
        """Let go of the tree, end the previews and stop a run."""
        self._telling.forget()
        self._let_go()
        self.comparisons.close()
        self.scans.close()

    def observe(self, observer: Callable[[str], None]) -> Callable[[], None]:
        """Call `observer(topic)` after every change, until the function that is returned is called."""
        return self._telling.observe(observer)

    def observe_all(self, observer: Callable[[Collection[str]], None]) -> Callable[[], None]:
        """Call `observer(topics)` after every change, with all topics that it is about."""
        return self._telling.observe_all(observer)

    def wait(self, timeout: float = 60.0) -> None:
        """Wait until the run, the preview and what is learned in between are done.

        Raises:
            TimeoutError: they are not after `timeout` seconds.
        """
        self.runs.wait(timeout)
        self.estimates.wait(timeout)
        self.comparisons.wait(timeout)

    @property
    def names(self) -> Mapping[str, Any]:
        """What bare names stand for: the notebook's variables, where no others were given."""
        return self._names if self._names is not None else vars(sys.modules["__main__"])

    @property
    def runtime(self) -> str:
        """The runtime that latency is shown on."""
        return self.chosen.runtime

    @property
    def metrics(self) -> dict[str, Quantity]:
        """The metrics that can be chosen, by name, the usual one first."""
        return figures.metrics_of(self.work)

    @property
    def foretold(self) -> str:
        """How far off previews were, in one line; empty where none has been put to the test."""
        return foretelling.record(self.tree.versions)

    @property
    def draft(self) -> Draft:
        """The steps as the controls show them."""
        return self._moments.now.draft

    @property
    def recipe(self) -> Recipe:
        """The steps that are switched on."""
        return self.draft.recipe

    @property
    def version(self) -> Version | None:
        """The version the controls spell: the one worked from, as long as nothing was moved since."""
        return starting.spelled(self.recipe, self.start, self.tree)

    @property
    def start(self) -> Version | None:
        """The version that a run begins from; None is the original."""
        id = self._moments.now.start
        return self.tree.get(id) if id is not None and id in self.tree else None

    @property
    def listed(self) -> list[Version]:
        """The versions a list shows, oldest first: all, or those that are selected."""
        return self.picking.listed

    @property
    def is_running(self) -> bool:
        """Whether a run is going on."""
        return self.runs.is_running

    @property
    def can_undo(self) -> bool:
        """Whether there is a move to take back."""
        return bool(self._moments.before)

    @property
    def can_redo(self) -> bool:
        """Whether there is a move to do again."""
        return bool(self._moments.after)

    @property
    def training(self) -> tuple[Recipe, list[dict[str, Any]]]:
        """The training records of the run that goes on, else of the version that is shown; and its recipe."""
        if self.is_running and self.runs.recipe is not None:
            return self.runs.recipe, self.runs.records
        if (version := self.version) is not None:
            return version.recipe, points.curve(stage.history for stage in version.stages)
        return self.recipe, []

    def add(self, name: str) -> None:
        """Add a step of a technique, with its defaults."""
        self._try(lambda: self._edit(self.draft.with_added(find(name)())))

    def remove(self, id: int) -> None:
        """Take a step away."""
        self._try(lambda: self._edit(self.draft.without(id)))

    def move(self, id: int, by: int) -> None:
        """Move a step down (`by` above 0) or up."""
        self._try(lambda: self._edit(self.draft.moved(id, by)))

    def switch(self, id: int, is_on: bool) -> None:
        """Switch a step on or off."""
        self._try(lambda: self._edit(self.draft.switched(id, is_on)))

    def change(self, id: int, name: str, value: Any) -> None:
        """Set an option of a step; a value that is refused becomes the error, and the old one stays."""
        self._try(lambda: self._edit(self.draft.changed(id, **{name: value}), mark=(id, name)))

    def change_all(self, id: int, options: Mapping[str, Any], mark: Hashable = None) -> None:
        """Set several options of a step at once: one move. Moves of one `mark` that follow fast are one."""
        self._try(lambda: self._edit(self.draft.changed(id, **options), mark=mark))

    def look_at(self, layer: str) -> None:
        """Show a layer in every view that has it; none with the empty text."""
        if layer != self.layer:
            self.layer = layer
            self._tell("layer")

    def write(self, recipe: Recipe | str) -> None:
        """Set the steps to a recipe, or its text."""
        self._try(lambda: self._edit(self.draft.rewritten(Recipe.of(recipe))))

    def take_advice(self, place: int = 0) -> None:
        """Put the steps in the order that a piece of advice on them names."""
        advice = self.estimates.advice
        if place < len(advice) and (recipe := advice[place].recipe) is not None:
            self.write(recipe)

    def undo(self) -> None:
        """Take the last move back, in the controls and in the versions."""
        self._return_to(self._moments.undone())

    def redo(self) -> None:
        """Do the move that was taken back again."""
        self._return_to(self._moments.redone())

    def select(self, which: Version | str | None) -> None:
        """Work from a version (None is the original): its recipe goes into the controls."""
        self._try(lambda: self._select(which))

    def begin_from(self, which: Version | str | None) -> None:
        """Let runs and previews go on from a version, with no step yet; from the original again with None."""
        self._try(lambda: self._begin_from(which))

    def rename(self, which: Version | str, name: str) -> None:
        """Give a version another name; one that is refused becomes the error, and the old one stays."""
        self._try(lambda: self._keep(lambda: self.tree.rename(which, name)))

    def annotate(self, which: Version | str, note: str) -> None:
        """Write a note on a version."""
        self._try(lambda: self._keep(lambda: self.tree.annotate(which, note)))

    def pin(self, which: Version | str, is_pinned: bool = True) -> None:
        """Keep a version out of what a size limit would remove, or no longer."""
        self._try(lambda: self._keep(lambda: self.tree.pin(which, is_pinned)))

    def read_again(self) -> None:
        """Look into the file for what another notebook has added or removed."""
        self._try(self.tree.refresh)

    def run(self, seed: int = 0) -> None:
        """Begin to make a version of the recipe, in a thread of its own."""
        self._try(lambda: self._run(seed))

    def stop(self) -> None:
        """Ask the run to end at its next step; what it has so far is measured and kept.

        Asked again when it measures, it measures no further.
        """
        is_second = self.runs.can_stop_again
        self.runs.stop()
        if is_second:
            self._say(_NO_FURTHER)

    def give(self, **more: Any) -> None:
        """Go on with the same model and `validation=` data, or an `input_shape=`."""
        self._try(lambda: self._go_on(missing.given(self.work, **more)))

    def give_shape(self, text: str) -> None:
        """Go on with inputs of the shape a text spells: `3, 224, 224`."""
        self._try(lambda: self._go_on(missing.given(self.work, input_shape=missing.shape(text))))

    def save(self, name: str = "") -> None:
        """Write the version that is shown to a file; the suffix says how (`.safetensors`, `.onnx`)."""
        self._try(lambda: self._save(name))

    def choose(self, which: Iterable[Version | str] | None) -> None:
        """Select many versions: lists show only these; all with None."""
        self._try(lambda: self.picking.select(which) and self._tell("selection"))

    def toggle(self, id: str) -> None:
        """Add a version to the selection, or take it away."""
        self.picking.toggle(id)
        self._tell("selection")

    def limit(self, limits: Limits | Mapping[str, Any] | None) -> None:
        """Hold the versions against these limits; a text that is refused becomes the error."""
        self._try(lambda: self._limit(Limits.of(limits)))

    def limit_one(self, name: str, written: float | str | None) -> None:
        """Set one limit to what a person typed; an empty text takes it away."""
        self._try(lambda: self._limit(self.picking.limits.changed(name, written)))

    def show(self, **changes: Any) -> None:
        """Show another `metric`, or latency on another `runtime`, with another `batch` or `threads`."""
        self._try(lambda: self._show(**changes))

    def choose_runtime(self, runtime: str) -> None:
        """Show latency on another runtime."""
        self.show(runtime=runtime)

    def measure_now(self) -> None:
        """Time what is shown with the settings chosen, beside the original; a version keeps the result."""
        self._try(self._measure_now)

    def tell(self, topic: str) -> None:
        """Let every view that shows a topic draw it again."""
        self._tell(topic)

    def fail(self, error: BaseException) -> None:
        """Show what went wrong, in one line."""
        self.error = told(error)
        self._tell("status")

    def _take(self, work: Workload, tree: VersionTree | None = None) -> None:
        from workbench.versions import tree_for

        self.work = work
        self.tree = tree if tree is not None else tree_for(work)
        self._foretold: Foretold | None = None
        self.chosen = replace(self.chosen, metric=next(iter(self.metrics)))
        self.estimates = Estimates(work, self._tell, self.fail)
        self.estimates.chosen = self.chosen
        self.runs = Runs(work, self.tree, self._job_told)
        self._leave_tree = self.tree.observe(self._versions_changed)

    def _let_go(self) -> None:
        self._leave_tree()
        self.estimates.close()
        self.comparisons.forget()
        self.runs.stop()
        self.scans.forget()

    def _go_on(self, work: Workload) -> None:
        """Take another workload; the steps stay, versions are those of the new one."""
        self._let_go()
        self._take(work)
        with self._lock:
            self._moments = Moments(Moment(self.draft, self._head_id()))
        self.open()
        self._say("")
        for topic in TOPICS:
            self._tell(topic)

    def _first(self, recipe: Recipe | str | None) -> Recipe:
        if recipe is not None:
            return Recipe.of(recipe)
        if self.tree.head is not None:
            return self.tree.head.recipe
        return Recipe((find(_BEGINS_WITH)(),))

    def _head_id(self) -> str | None:
        return self.tree.head.id if self.tree.head is not None else None

    def _try(self, action: Callable[[], None]) -> None:
        try:
            with self._telling.together():
                action()
        except Exception as error:  # in a widget's callback it would be lost
            self.fail(error)
            for topic in ("recipe", "limits"):
                self._tell(topic)  # the control that was refused goes back to what holds

    def _edit(self, draft: Draft, mark: Hashable = None) -> None:
        with self._lock:
            is_same = draft == self.draft
            moment = Moment(draft, self._head_id(), self._moments.now.start)
            self._moments = self._moments.then(moment, mark, self._clock())
        if not is_same:
            self._recipe_changed()

    def _select(self, which: Version | str | None) -> None:
        version = self.tree.get(which) if which is not None else None
        draft = self.draft.rewritten(version.recipe) if version is not None else self.draft
        start = starting.known_start(version, self.tree)
        with self._lock:
            self._moments = self._moments.then(Moment(draft, version.id if version else None, start))
        self.tree.select(version)
        self._recipe_changed()
        if version is not None and start != version.made_from:
            self._say(f"{version.name} went on from a version that was deleted; Run begins from the original")

    def _begin_from(self, which: Version | str | None) -> None:
        version = self.tree.get(which) if which is not None else None
        draft = self.draft.rewritten(Recipe()) if version is not None else self.draft
        head = version.id if version is not None else self._head_id()
        with self._lock:
            self._moments = self._moments.then(Moment(draft, head, version.id if version else None))
        if version is not None:
            self.tree.select(version)
        self._recipe_changed()

    def _keep(self, change: Callable[[], Version]) -> None:
        """Name, note or pin a version; where that cannot be written to the file (any more), say so."""
        before = self.tree.warning
        change()
        after = self.tree.warning
        self._say("") if after is None or after == before else self.fail(WorkbenchError(after))

    def _return_to(self, moments: Moments) -> None:
        with self._lock:
            self._moments = moments
        head = moments.now.head
        with self._telling.together():
            if head != self._head_id() and (head is None or head in self.tree):
                self.tree.select(head)
            self._recipe_changed()

    def _recipe_changed(self) -> None:
        self._estimate()
        self._say("")
        for topic in ("recipe", "versions"):
            self._tell(topic)
        if self.version is not None:  # else the preview tells, as soon as there is one
            for topic in ("figures", "layers"):
                self._tell(topic)
        self._tell("training")

    def _run(self, seed: int) -> None:
        if not self.is_running:
            self._say("")
        said = foretelling.foretold(self.estimates.preview, self.recipe, self.runtime)
        self.runs.start(self.recipe, self.names, seed, self.start)
        self._foretold = said  # of this run: one that was refused has changed nothing

    def _show(self, **changes: Any) -> None:
        self.chosen = self.chosen.changed(self.metrics, **changes)
        previewed = self.recipe if self.version is None else None
        self.estimates.time_with(self.chosen, previewed, self.names)
        self._tell("figures")

    def _measure_now(self) -> None:
        if self.is_running:
            raise WorkbenchError("a run is going on; latency is measured when it has ended, or press Stop")
        if self.work.example is None:
            raise WorkbenchError("there is no input to time; give its shape: Workload(net, input_shape=...)")
        if (version := self.version) is not None:
            self.estimates.time_version(version, self.chosen, lambda found: self._timed(version, found))
        elif len(self.recipe):
            self.estimates.time_preview(self.recipe, self.names, self.chosen)
        else:
            self.estimates.time_baseline(self.chosen)

    def _timed(self, version: Version, latency: Latency) -> None:
        """Keep a version's new latency with its report."""
        if version.id in self.tree:
            self.tree.remeasured(version.id, lambda report: report.timed(latency))

    def _estimate(self) -> None:
        """Preview the recipe, unless it has been measured: then what is left to learn waits for the views."""
        if self.version is not None:
            self._telling.after(self._estimate_now)
        else:
            self._estimate_now()

    def _estimate_now(self) -> None:
        version = self.version
        self._is_looking = version is not None
        if version is not None:
            self.estimates.look_at(version, self.start, self.names)
        else:
            self.estimates.ask(self.recipe, self.names, self.start)

    def _job_told(self, job: Job[Version]) -> None:
        self.estimates.pause(job.is_running, job)
        if job.is_running:
            is_told = self.status == _NO_FURTHER  # by the person who pressed again
            # it is told five times a second: an error that came up meanwhile stays to be read
            self.status = (self.status if is_told else _STOPPING) if job.state == "stopping" else ""
            self._tell("status")
        elif job.error is not None:
            self.fail(job.error)
        elif job.result is None:
            self._say("stopped before there was anything to keep")
        else:
            early = ", stopped before the recipe's end" if job.result.is_stopped else ""
            if job.result.report is not None and job.result.report.is_stopped:
                early += ", measured in part"
            self._remember_preview(job.result)
            size = units.size(job.result.packed_bytes)
            lacks = _lacks(job.result)
            self._say(f"{job.result.name}: {size}, made in {units.seconds(job.elapsed)}{early}{lacks}")
        self._tell("job")
        self._tell("training")

    def _scan_told(self, job: Job[Sensitivity]) -> None:
        self.estimates.pause(job.is_running, job)
        if job is not self.scans.job:  # about another workload
            return
        if job.error is not None and not job.is_running:
            self.fail(job.error)

    def _remember_preview(self, version: Version) -> None:
        """Keep with a version what the preview had said of it."""
        said, self._foretold = self._foretold, None
        if said is not None and version.id in self.tree:
            self.tree.remeasured(version.id, lambda report: replace(report, foretold=said))

    def _versions_changed(self, tree: VersionTree) -> None:
        """The tree was changed, by a run here or by anyone else; a new head is a moment to return to."""
        with self._lock:
            now = self._moments.now
            is_gone = now.start is not None and now.start not in tree
            start = None if is_gone else now.start
            if self._head_id() != now.head:
                self._moments = self._moments.then(Moment(self.draft, self._head_id(), start))
            elif is_gone:
                self._moments = self._moments.amended(Moment(self.draft, now.head, None))
        is_bare = self._is_looking and self.version is None  # what was shown is no longer the head
        if self.version is not None or is_gone or is_bare:
            self._estimate()
        if is_gone:
            self._say("the version that Run went on from was deleted; it begins from the original again")
            self._tell("recipe")
        for topic in ("versions", "figures", "layers", "training"):
            self._tell(topic)

    def _limit(self, limits: Limits) -> None:
        self.picking.limits = limits
        self._say("")
        self._tell("limits")

    def _save(self, name: str) -> None:
        version = self.version or self.tree.head
        if version is None:
            raise WorkbenchError("there is no version to save yet; press Run first")
        path = saving.target(name, version)
        if path.suffix.lower() == saving.PACKED:
            self._say(saving.write(version, path))
            return
        when = ", when the run has ended" if self.is_running else ""
        self._say(f"writing {path.name}{when}")  # an export takes seconds
        self.estimates.later(lambda: self._writing(version, path))

    def _writing(self, version: Version, path: Path) -> Iterator[None]:
        yield
        try:
            self._say(saving.write(version, path))
        except Exception as error:  # the preview has nothing to do with it, and stays
            self.fail(error)

    def _say(self, status: str) -> None:
        self.status, self.error = status, ""
        self._tell("status")

    def _tell(self, topic: str) -> None:
        self._telling.tell(topic)


def _lacks(version: Version) -> str:
    """Why a version that was made has no accuracy, where its data failed."""
    notes = version.report.notes if version.report is not None else ()
    return "".join(f"; {each}" for each in notes if each.startswith(NO_ACCURACY))


def _first_runtime() -> str:
    """The runtime that is preferred, where there is one of that name."""
    runtime = preferred().runtime
    return runtime if runtime in runtimes() else Preferences().runtime
