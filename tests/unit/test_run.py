"""A recipe becomes a version: recorded step by step, the same for one seed, whole or not at all."""

from __future__ import annotations

import json
import signal
from collections.abc import Callable
from typing import Any

import pytest
import torch
from small import blobs, data, hooks, measure_quickly, net, same, states, workload
from torch import nn
from torch.utils.data import DataLoader, TensorDataset

from workbench.candidate import Candidate
from workbench.constraints import Mask
from workbench.errors import ModelChanged, RecipeError, VersionError, WorkbenchError, WorkloadError
from workbench.job import Job, Progress, Stopped
from workbench.options import Reference, option
from workbench.recipe import Recipe
from workbench.run import Stage, apply, compress, compressing, job
from workbench.technique import Context, Technique, techniques
from workbench.versions import Version, VersionTree, tree_for
from workbench.workload import Workload

RECIPE = "PruneWeights(sparsity=0.5) | FineTune(epochs=2, learning_rate=0.02) | Quantize(weights=4)"
WAIT = 60.0


class Reporting(Technique, family="pruning"):
    """Tells what happens to it, and waits where a test wants it to."""

    steps: int = option(3, "how many", low=0, high=9999)
    helper: str | Reference = option("none", "a variable")
    seen = []  # noqa: RUF012 - of the class, for the tests
    during = {}  # noqa: RUF012

    def apply(self, candidate: Candidate, context: Context, prepared: Any) -> Any:
        """The candidate with one weight fewer for each step done."""
        if isinstance(self.helper, Reference):
            Reporting.seen.append(context.resolve(self.helper))
        weight, done = candidate.model[0].weight, 0
        keep = torch.ones_like(weight, dtype=torch.bool)
        try:
            for index in range(self.steps):
                Reporting.during.get(index, int)()
                keep.view(-1)[index % keep.numel()] = False
                done = index + 1
                judged = {"validation_accuracy": 0.5} if index % 100 == 7 else {}
                yield Progress(
                    done, self.steps, "reporting", {"loss": float(index), "thing": object(), **judged}
                )
        except Stopped:
            if not done:
                raise
        return candidate.constrained({"0.weight": Mask(keep)}).noting("one note")


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    """Latencies in the blink of an eye, and `Reporting` known to recipes."""
    measure_quickly(monkeypatch)
    all_of_them = {**techniques(), "Reporting": Reporting}
    monkeypatch.setattr("workbench.technique.techniques", lambda: all_of_them)
    Reporting.seen.clear()
    Reporting.during.clear()


@pytest.fixture
def work() -> Workload:
    inputs, targets = blobs(96)
    return workload(train=DataLoader(TensorDataset(inputs, targets), batch_size=16, shuffle=True))


@pytest.fixture
def tree(work: Workload) -> VersionTree:
    return VersionTree(None, work)


# ---- trying many ----------------------------------------------------------------------------------------


def test_apply_makes_what_compress_makes_and_keeps_nothing(work, tree):
    version = compress(work, RECIPE, seed=3, tree=tree)
    there = len(tree_for(work))
    candidate = apply(work, RECIPE, seed=3)
    assert same(states(candidate.model), states(version.model))
    assert len(tree_for(work)) == there


def test_apply_goes_on_from_a_version(work, tree):
    half = compress(work, "PruneWeights(sparsity=0.5)", tree=tree)
    both = apply(work, "Quantize(weights=4)", parent=half)
    expected = compress(work, "Quantize(weights=4)", parent=half, tree=tree)
    assert same(states(both.model), states(expected.model))


def test_apply_says_in_one_line_what_it_cannot_do(work):
    with pytest.raises(RecipeError, match="the recipe is empty"):
        apply(work, Recipe(()))


def test_without_runtimes_everything_but_latency_is_measured(work, tree):
    report = compress(work, RECIPE, tree=tree, runtimes=()).report
    assert report.latency == {}
    assert report.accuracy is not None and report.paired is not None and report.size.stored


def test_a_runtime_that_does_not_exist_is_said_before_the_first_step(work, tree):
    with pytest.raises(WorkbenchError, match="no runtime named 'onnx'"):
        compress(work, "Reporting()", tree=tree, runtimes=("onnx",))
    assert not Reporting.seen and not len(tree)


# ---- the version ----------------------------------------------------------------------------------------


def test_a_version_tells_how_it_was_made(work, tree):
    version = compress(work, RECIPE, seed=3, tree=tree, name="small")
    assert isinstance(version, Version)
    assert (version.name, version.recipe, version.seed) == ("small", Recipe.parse(RECIPE), 3)
    assert (version.parent, version.is_stopped) == (None, False)
    assert version.fingerprint == work.fingerprint
    assert version.report.accuracy.n == 48
    assert version.report.size.stored == len(version.packed)
    assert tree.versions == [version]
    assert tree.head is version


def test_a_stage_is_recorded_for_every_step(work, tree):
    stages = compress(work, RECIPE, tree=tree).stages
    assert [each.step for each in stages] == [str(step) for step in Recipe.parse(RECIPE)]
    assert all(each.seconds > 0 for each in stages)
    assert [each.parameters for each in stages] == [83, 83, 83]
    assert stages[0].nonzero == stages[1].nonzero == 83 - 36  # half of 72 weights; biases are left alone
    assert stages[0].claimed_bytes > stages[2].claimed_bytes
    assert stages[0].history == ()
    judged = [each["validation_accuracy"] for each in stages[1].history if "validation_accuracy" in each]
    assert len(judged) == 3
    assert "50.0% zeros" not in stages[0].summary
    assert stages[0].summary.startswith("83 parameters, 43.4% zeros, claimed ")


def test_a_version_knows_what_of_its_steps_promises_stands(work, tree):
    version = compress(work, "PruneWeights(sparsity=0.5) | Quantize(weights=4)", tree=tree)
    assert [each.technique for each in version.promises] == ["PruneWeights", "Quantize"]
    assert [each.kept for each in version.promises] == [1.0, 1.0]
    assert version.standing == f"keeps {version.promises[0]} · {version.promises[1]}"


def test_stages_are_plain_data_and_notes_are_said_once(work, tree):
    stages = compress(work, "Reporting(steps=2) | Quantize(4)", tree=tree).stages
    assert stages[0].history == ({"loss": 0.0}, {"loss": 1.0})
    assert (stages[0].notes, stages[1].notes) == (("one note",), ())
    for stage in stages:
        assert Stage.from_dict(json.loads(json.dumps(stage.to_dict()))) == stage


def test_a_long_history_is_thinned_but_keeps_what_was_judged(work, tree):
    history = compress(work, "Reporting(steps=2000)", tree=tree).stages[0].history
    assert 300 < len(history) < 600
    assert sum("validation_accuracy" in each for each in history) == 20


def test_the_original_is_untouched_and_the_versions_model_is_the_callers_own(work, tree):
    work.model.train()
    before = states(work.model), states(work.baseline)
    version = compress(work, RECIPE, tree=tree)
    assert work.model.training
    assert same(states(work.model), before[0])
    assert same(states(work.baseline), before[1])
    assert hooks(work.model) == hooks(work.baseline) == 0
    with torch.no_grad():
        for parameter in version.model.parameters():
            parameter.zero_()
    inputs = blobs(9, seed=5)[0]
    assert not torch.equal(version(inputs), version.model(inputs))
    assert bool(version(inputs).any())


def test_what_a_version_computes_is_what_its_candidate_computes(work, tree):
    version = compress(work, RECIPE, tree=tree)
    inputs = blobs(9, seed=5)[0]
    assert torch.equal(version(inputs), version.candidate.call(work, inputs))


def test_a_recipe_may_be_text_a_technique_or_a_recipe(work, tree):
    prune = techniques()["PruneWeights"](0.5)
    versions = [compress(work, each, tree=tree) for each in ("PruneWeights(0.5)", prune, Recipe((prune,)))]
    assert len({version.packed for version in versions}) == 1
    assert [version.name for version in versions] == ["v1", "v2", "v3"]


def test_without_a_tree_the_workloads_own_is_used(work):
    version = compress(work, "PruneWeights(0.5)")
    assert tree_for(work).head is version


# ---- seeds ----------------------------------------------------------------------------------------------


def test_the_same_seed_makes_the_same_version_bit_for_bit(tree):
    inputs, targets = blobs(96)
    versions = []
    for seed in (7, 7, 8):
        loader = DataLoader(TensorDataset(inputs, targets), batch_size=16, shuffle=True)
        work = workload(net(nn.ReLU(), nn.Dropout(0.5)), train=loader)
        torch.rand(3)  # the caller's own draws do not matter
        versions.append(compress(work, RECIPE, seed=seed, tree=VersionTree(None, work)))
    first, again, other = (states(each.candidate.model) for each in versions)
    assert same(first, again)
    assert versions[0].report.accuracy == versions[1].report.accuracy
    assert versions[0].fingerprint == versions[1].fingerprint
    assert not same(first, other)


def test_in_a_worker_or_inline_a_seed_gives_the_same(work, tree):
    inline = compress(work, RECIPE, seed=1, tree=tree)
    worker = job(work, RECIPE, 1, tree=tree).start().wait(WAIT)
    assert same(states(inline.candidate.model), states(worker.candidate.model))


def test_the_callers_random_states_and_threads_are_left_alone(work, tree):
    state, threads = torch.get_rng_state(), torch.get_num_threads()
    compress(work, RECIPE, tree=tree)
    assert torch.equal(torch.get_rng_state(), state)
    assert torch.get_num_threads() == threads


@pytest.mark.parametrize("seed", [None, 0.5, "1", True])
def test_a_seed_is_a_whole_number(work, tree, seed):
    with pytest.raises(WorkbenchError, match="seed must be a whole number, got "):
        compress(work, RECIPE, seed=seed, tree=tree)


def test_large_and_negative_seeds_are_seeds(work, tree):
    for seed in (-1, 2**62, 10**30):
        compress(work, "FineTune(epochs=1)", seed=seed, tree=tree)
    assert len(tree) == 3


# ---- what is said before long work begins ---------------------------------------------------------------


def test_an_empty_recipe_is_one_line(work, tree):
    for empty in ("", Recipe(), "# nothing"):
        with pytest.raises(RecipeError, match="the recipe is empty; add a step, like PruneWeights"):
            compress(work, empty, tree=tree)
    assert len(tree) == 0


def test_training_without_data_is_said_before_the_first_step(tree):
    work = Workload(net(), validation=blobs(30), test=blobs(30))
    with pytest.raises(WorkloadError, match=r"FineTune trains, but Sequential has no train data; give them"):
        compress(work, "Reporting | FineTune(epochs=1)", tree=tree)
    assert not Reporting.seen
    assert len(tree) == 0


def test_a_name_that_is_not_defined_is_said_before_the_first_step(work, tree):
    ran: list[bool] = []
    Reporting.during[0] = lambda: ran.append(True)
    with pytest.raises(
        RecipeError, match="the recipe names 'net3', which is not defined here; did you mean 'net2'"
    ):
        compress(work, "Reporting(steps=2) | Reporting(helper=net3)", names={"net2": 1}, tree=tree)
    assert not ran
    compress(work, "Reporting(helper=net2)", names={"net2": "an object"}, tree=tree)
    assert Reporting.seen == ["an object"]


def test_a_recipe_that_cannot_be_read_is_said_at_once(work, tree):
    with pytest.raises(RecipeError, match="did you mean 'PruneWeights'"):
        job(work, "PruneWieghts", tree=tree)


def test_a_model_that_has_changed_is_noticed(work, tree):
    work.model[0].weight.data.add_(1)
    with pytest.raises(ModelChanged, match=r"first in 0\.weight"):
        compress(work, RECIPE, tree=tree)
    assert len(tree) == 0


def test_exceptions_reach_the_caller_and_keep_nothing(work, tree):
    def broken() -> None:
        raise KeyError("inside a step")

    Reporting.during[1] = broken
    before = states(work.baseline)
    with pytest.raises(KeyError, match="inside a step"):
        compress(work, "PruneWeights(0.5) | Reporting", tree=tree)
    running = job(work, "PruneWeights(0.5) | Reporting", tree=tree).start()
    with pytest.raises(KeyError, match="inside a step"):
        running.wait(WAIT)
    assert running.state == "failed"
    assert len(tree) == 0
    assert same(states(work.baseline), before)


# ---- stopping -------------------------------------------------------------------------------------------


def stopped_at(steps: Any, wanted: Callable[[Progress], bool]) -> Any:
    """Run steps, throw `Stopped` at the first progress that is wanted, and return the result."""
    throw = False
    while True:
        try:
            progress = steps.throw(Stopped()) if throw else next(steps)
        except StopIteration as end:
            return end.value
        throw = not throw and wanted is not None and wanted(progress)
        if throw:
            wanted = None


def count_of(work: Workload, recipe: str) -> int:
    """How many steps a whole run has."""
    return sum(1 for _ in compressing(work, Recipe.parse(recipe), tree=VersionTree(None, work)))


def test_a_stop_at_any_moment_leaves_a_whole_version_or_none(work):
    """Every single progress of a run is tried."""
    recipe = "PruneWeights(0.5) | FineTune(epochs=1) | Quantize(4)"
    total, outcomes = count_of(work, recipe), []
    before = states(work.model)
    for moment in range(total):
        tree, seen = VersionTree(None, work), iter(range(total + 1))
        wanted = lambda progress, seen=seen, moment=moment: next(seen) == moment  # noqa: E731
        try:
            version = stopped_at(compressing(work, Recipe.parse(recipe), tree=tree), wanted)
        except Stopped:
            assert len(tree) == 0
            outcomes.append(0)
            continue
        assert tree.versions == [version]
        assert version.is_stopped == (len(version.stages) < 3 or "stopped" in outcomes_of(version))
        assert version.report.size.stored == len(version.packed)
        weights = version.candidate.model[0].weight
        assert torch.equal(version.candidate.constraints.constrain("0.weight", weights), weights)
        outcomes.append(len(version.stages))
    assert outcomes == sorted(outcomes)  # the later the stop, the more is kept
    assert set(outcomes) == {0, 1, 2, 3}
    assert outcomes.count(0) == 2  # only while the first step has done nothing
    assert same(states(work.model), before)


def outcomes_of(version: Version) -> str:
    """Whether the last step was cut short, in its own words: FineTune's history ends early."""
    history = version.stages[-1].history
    judged = [each for each in history if "validation_accuracy" in each]
    is_training = version.stages[-1].step.startswith("FineTune")
    return "stopped" if is_training and len(judged) < 2 else ""


def test_a_stop_inside_training_keeps_the_best_so_far(work, tree):
    recipe = Recipe.parse("PruneWeights(0.5) | FineTune(epochs=500, learning_rate=0.02) | Quantize(4)")
    version = stopped_at(
        compressing(work, recipe, tree=tree), lambda progress: progress.record.get("epoch", 0) > 9
    )
    assert version.is_stopped
    assert [each.step.partition("(")[0] for each in version.stages] == ["PruneWeights", "FineTune"]
    assert version.recipe == recipe
    assert version.report.accuracy.value > 0.8
    assert tree.head is version


def test_a_stop_while_measuring_keeps_the_version(work, tree):
    version = stopped_at(
        compressing(work, Recipe.parse("PruneWeights(0.5)"), tree=tree),
        lambda progress: progress.message.startswith("measuring"),
    )
    assert tree.versions == [version]
    assert not version.is_stopped  # its recipe was done
    assert version.report.size.stored == len(version.packed)


def test_a_stopped_job_in_a_worker_keeps_its_version(work, tree):
    running = job(work, "PruneWeights(0.5) | FineTune(epochs=1000)", tree=tree)
    running.observe(lambda job: job.stop() if job.progress.record.get("epoch", 0) > 1 else None)
    version = running.start().wait(WAIT)
    assert running.state == "stopped"
    assert version.is_stopped
    assert len(version.stages) == 2


def test_an_interrupt_of_an_inline_run_keeps_the_best_so_far(work, tree):
    Reporting.during[1] = lambda: signal.raise_signal(signal.SIGINT)
    version = compress(work, "PruneWeights(0.5) | Reporting(steps=90) | Quantize(4)", tree=tree)
    assert version.is_stopped
    assert [each.step for each in version.stages][1:] == ["Reporting(steps=90)"]
    assert len(version.stages[1].history) == 2


def test_a_step_with_nothing_to_keep_leaves_the_steps_before(work, tree):
    class Deaf(Technique, family="pruning"):
        """Has nothing until its end."""

        def apply(self, candidate: Candidate, context: Context, prepared: Any) -> Any:
            yield Progress(0, 2)
            yield Progress(1, 2)
            return candidate

    recipe = techniques()["PruneWeights"](0.5) | Deaf()
    version = stopped_at(compressing(work, recipe, tree=tree), lambda progress: "Deaf" in progress.message)
    assert [each.step for each in version.stages] == ["PruneWeights(sparsity=0.5)"]
    assert version.is_stopped


def test_a_stop_before_the_first_step_makes_nothing(work, tree):
    running = job(work, RECIPE, tree=tree)
    running.stop()
    with pytest.raises(Stopped):
        running.run()
    assert len(tree) == 0


# ---- going on -------------------------------------------------------------------------------------------


def test_a_parent_is_gone_on_from(work, tree):
    first = compress(work, "PruneWeights(0.5)", tree=tree)
    second = compress(work, "Quantize(4)", parent=first, tree=tree)
    assert second.parent == first.id
    at_once = compress(work, "PruneWeights(0.5) | Quantize(4)", tree=tree)
    assert same(states(second.candidate.model), states(at_once.candidate.model))
    assert same(
        states(first.candidate.model), states(compress(work, "PruneWeights(0.5)", tree=tree).candidate.model)
    )
    assert len(second.stages) == 1


def test_a_parent_of_the_same_model_on_other_data_is_gone_on_from(work, tree):
    other = compress(Workload(net(), validation=blobs(30)), "PruneWeights(0.5)")
    version = compress(work, "Quantize(4)", parent=other, tree=tree)
    at_once = compress(work, "PruneWeights(0.5) | Quantize(4)", tree=tree)
    assert same(states(version.candidate.model), states(at_once.candidate.model))


def test_a_parent_of_another_model_is_refused(work, tree):
    other = compress(workload(net(hidden=4)), "PruneWeights(0.5)")
    with pytest.raises(WorkbenchError, match="was made from another model"):
        compress(work, "Quantize(4)", parent=other, tree=tree)
    assert len(tree) == 0


@pytest.mark.parametrize("parent", ["v1", 3])
def test_a_parent_is_a_version(work, tree, parent):
    with pytest.raises(VersionError, match="parent must be a version, got "):
        compress(work, "Quantize(4)", parent=parent, tree=tree)


# ---- workloads of many kinds ----------------------------------------------------------------------------


def test_a_bare_model_is_compressed_too():
    work = Workload(net())
    version = compress(work, "PruneWeights(0.5) | Quantize(4)")
    assert version.report.accuracy is None
    assert version.report.size.stored == len(version.packed)


@pytest.mark.parametrize(
    "model",
    [nn.Linear(6, 3), nn.Flatten(), net(nn.BatchNorm1d(8)), net().double()],
    ids=["one layer", "no parameters", "batch norm", "float64"],
)
def test_odd_models_are_compressed(model):
    splits = {name: (x.to(next(model.parameters(), x).dtype), y) for name, (x, y) in data().items()}
    work = Workload(model, **splits)
    version = compress(work, "PruneWeights(0.5) | Quantize(4)")
    inputs = next(iter(splits.values()))[0]
    assert torch.equal(version(inputs), version.candidate.call(work, inputs))


def test_progress_runs_from_nothing_to_all(work, tree):
    steps = [each.fraction for each in compressing(work, Recipe.parse(RECIPE), tree=tree)]
    assert steps == sorted(steps)
    assert 0 <= steps[0] < 0.1
    assert steps[-1] > 0.8


def test_a_job_says_how_long_is_left(work, tree):
    left = []
    running = Job(lambda: compressing(work, Recipe.parse(RECIPE), tree=tree), seed=0)
    running.observe(lambda job: left.append(job.remaining))
    running.run()
    assert left[0] is None
    assert left[-1] is None  # it has ended
