"""A preview comes at once, gets better while nobody asks for another, and is what a run would begin with."""

from __future__ import annotations

from collections.abc import Generator
from typing import Any

import pytest
import torch
from small import blobs, data, hooks, measure_quickly, net, same, states, workload
from torch import nn
from torch.utils.data import DataLoader, TensorDataset

from workbench.constraints import Mask
from workbench.errors import RecipeError
from workbench.job import finish
from workbench.measurement.accuracy import evaluating
from workbench.options import Reference, option
from workbench.preview import Preview, Previewer
from workbench.recipe import Recipe
from workbench.run import compress
from workbench.storage import pack
from workbench.technique import Technique, techniques
from workbench.workload import Workload

APPLIED: list[str] = []
READ: list[int] = []


class Counting(Technique, family="pruning", prepared_by=("kind",)):
    """Removes the first weights, and counts how often it was prepared and applied."""

    count: int = option(1, "weights to remove", low=0, high=48)
    kind: str = option("first", "which", choices=("first", "last"))
    helper: str | Reference = option("none", "a variable")

    def prepare(self, candidate: Any, context: Any) -> list[int]:
        APPLIED.append(f"prepare {self.kind}")
        order = list(range(48))
        return order if self.kind == "first" else order[::-1]

    def apply(self, candidate: Any, context: Any, prepared: list[int]) -> Generator[Any, None, Any]:
        """The candidate without some of the first layer's weights."""
        APPLIED.append(f"apply {self.count}")
        count = context.resolve(self.helper) if isinstance(self.helper, Reference) else self.count
        keep = torch.ones(48, dtype=torch.bool)
        keep[prepared[:count]] = False
        return candidate.constrained({"0.weight": Mask(keep.reshape(8, 6))})
        yield


@pytest.fixture(autouse=True)
def known(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("workbench.technique.techniques", lambda: {**techniques(), "Counting": Counting})
    APPLIED.clear()
    READ.clear()


class Told(TensorDataset):
    """A data set that tells when it is read."""

    def __getitem__(self, index: Any) -> Any:
        READ.append(index)
        return super().__getitem__(index)


def previews(previewer: Previewer, recipe: str, **options: Any) -> list[Preview]:
    return list(previewer.previewing(Recipe.parse(recipe), **options))


def test_the_first_preview_comes_before_any_batch_is_read():
    work = workload(validation=DataLoader(Told(*blobs(48, 1)), batch_size=16))
    steps = Previewer(work).previewing(Recipe.parse("PruneWeights(0.5) | Quantize(4)"))
    READ.clear()
    first = next(steps)
    assert not READ
    assert first.accuracy is None
    assert not first.is_final
    assert (first.parameters, first.nonzero, first.macs) == (83, 47, 72)
    assert 0 < first.claimed_bytes < first.estimated_bytes
    assert [each.name for each in first.layers] == ["0", "2"]
    second = next(steps)
    assert len(READ) == 16
    assert second.accuracy.n == 16
    assert second.nonzero == first.nonzero


def test_accuracy_follows_batch_by_batch_with_a_shrinking_interval():
    work = workload(validation=DataLoader(TensorDataset(*blobs(48, 1)), batch_size=12))
    seen = previews(Previewer(work), "Quantize(8)")
    widths = [each.accuracy.high - each.accuracy.low for each in seen[1:]]
    assert [each.accuracy.n for each in seen[1:5]] == [12, 24, 36, 48]
    assert widths[0] > widths[1] > widths[3]
    assert [each.is_final for each in seen] == [False] * (len(seen) - 1) + [True]
    whole = finish(evaluating(work, Previewer(work).candidate(Recipe.parse("Quantize(8)")))).accuracy
    assert seen[-1].accuracy == whole


def test_closing_cancels_and_leaves_nothing_behind():
    work = workload(net(nn.BatchNorm1d(8)), validation=DataLoader(Told(*blobs(48, 1)), batch_size=16))
    previewer = Previewer(work)
    before = states(work.baseline)
    steps = previewer.previewing(Recipe.parse("PruneWeights(0.5)"))
    next(steps), next(steps)
    READ.clear()
    steps.close()
    assert not READ
    assert same(states(work.baseline), before)
    assert hooks(work.baseline) == 0
    assert previews(previewer, "PruneWeights(0.5)")[-1].is_final  # the next one is whole


def test_a_preview_ends_before_the_first_step_that_trains_and_says_so():
    recipe = "PruneWeights(0.5) | FineTune(epochs=2) | Quantize(4)"
    for each in previews(Previewer(workload()), recipe):
        assert each.is_before_training
        assert str(each.previewed) == "PruneWeights(sparsity=0.5)"
        assert str(each.recipe) == str(Recipe.parse(recipe))
        assert each.note == "before training; press Run for FineTune(epochs=2) | Quantize(weights=4)"
    (first, *_) = previews(Previewer(workload()), "PruneWeights(0.5) | Quantize(4)")
    assert not first.is_before_training
    assert first.note == ""


def test_a_recipe_that_begins_with_training_shows_the_original():
    work = workload()
    first = previews(Previewer(work), "FineTune(epochs=2)")[0]
    assert (first.parameters, first.nonzero) == (83, 83)
    assert first.is_before_training


def test_nothing_is_trained_though_there_are_no_training_data():
    work = Workload(net(), validation=blobs(30), test=blobs(30))
    assert previews(Previewer(work), "PruneWeights(0.5) | FineTune")[-1].accuracy.n == 30


def test_without_data_everything_but_accuracy_is_told():
    *_, last = previews(Previewer(Workload(net())), "PruneWeights(0.5)")
    assert last.is_final
    assert last.accuracy is None
    assert last.nonzero == 47
    assert last.peak_memory > 0


def test_without_an_input_macs_are_not_known():
    (only,) = previews(Previewer(Workload(nn.Conv2d(1, 3, 3))), "PruneWeights(0.5)")
    assert only.macs is None
    assert only.parameters == 30


def test_moving_a_slider_prepares_once_and_applies_each_time():
    previewer = Previewer(workload())
    for count in (5, 6, 7):
        previews(previewer, f"Counting(count={count})")
    assert APPLIED == ["prepare first", "apply 5", "apply 6", "apply 7"]
    previews(previewer, "Counting(count=5, kind='last')")
    assert APPLIED[-2:] == ["prepare last", "apply 5"]


def test_moving_a_later_slider_does_not_redo_earlier_steps():
    previewer = Previewer(workload())
    for bits in (8, 7, 6, 5, 4, 3, 2, 8):
        previews(previewer, f"Counting(count=5) | Quantize({bits})")
    assert APPLIED == ["prepare first", "apply 5"]


@pytest.mark.parametrize("repeat", range(2))
def test_what_is_kept_gives_the_same_as_doing_it_anew(repeat):
    work = workload()
    kept = Previewer(work)
    recipes = [
        f"PruneWeights({share}) | Quantize({bits})" for share in (0.3, 0.6, 0.9) for bits in (8, 4, 2)
    ] + ["Quantize(4) | PruneWeights(0.5)", "PruneWeights(0.3)", "PruneWeights(0.3) | Quantize(8)"]
    for recipe in recipes * 2:
        ours = kept.candidate(Recipe.parse(recipe), seed=repeat)
        fresh = Previewer(work).candidate(Recipe.parse(recipe), seed=repeat)
        assert same(states(ours.model), states(fresh.model))
        assert {name: [type(c) for c in chain] for name, chain in ours.constraints.items()} == {
            name: [type(c) for c in chain] for name, chain in fresh.constraints.items()
        }


def test_what_is_kept_does_not_grow_without_end():
    previewer = Previewer(workload())
    for count in range(40):
        previews(previewer, f"Counting(count={count}) | Quantize(4)")
    assert len(previewer._prefixes) <= 6


def test_a_name_that_means_something_else_is_looked_up_again():
    previewer = Previewer(workload())
    found = [
        previews(previewer, "Counting(helper=share)", names={"share": count})[0].nonzero
        for count in (3, 5, 3)
    ]
    assert found == [80, 78, 80]
    with pytest.raises(RecipeError, match="the recipe names 'share', which is not defined here"):
        previews(previewer, "Counting(helper=share)")


def test_a_preview_is_what_a_run_makes(monkeypatch):
    measure_quickly(monkeypatch)
    work = workload()
    recipe = "PruneWeights(0.5) | Quantize(4)"
    preview = previews(Previewer(work), recipe)[-1]
    version = compress(work, recipe)
    assert preview.nonzero == version.report.nonzero
    assert preview.parameters == version.report.parameters
    assert preview.macs == version.report.macs
    assert preview.claimed_bytes == version.report.size.claimed
    assert preview.accuracy == version.report.accuracy
    ours = Previewer(work).candidate(Recipe.parse(recipe))
    assert same(states(ours.model), states(version.candidate.model))


def test_estimated_bytes_are_near_the_file():
    work = workload(net(hidden=256))
    recipe = Recipe.parse("PruneWeights(0.5) | Quantize(4)")
    previewer = Previewer(work)
    preview = next(previewer.previewing(recipe))
    stored = len(pack(previewer.candidate(recipe), recipe=recipe, original=work.baseline, seed=0))
    assert abs(preview.estimated_bytes - stored) < 0.1 * stored


def test_previews_begin_from_any_candidate():
    work = workload()
    start = finish(techniques()["PruneWeights"](0.5).apply(*asked(work)))
    preview = previews(Previewer(work, start), "Quantize(4)")[0]
    assert preview.nonzero <= 47
    fresh = previews(Previewer(work), "PruneWeights(0.5) | Quantize(4)")[0]
    assert preview.nonzero == fresh.nonzero


def asked(work: Workload) -> tuple[Any, Any, Any]:
    from workbench.technique import Context, prepared

    candidate, context = work.candidate(), Context(work)
    return candidate, context, prepared(techniques()["PruneWeights"](0.5), candidate, context)


def test_previews_leave_the_model_its_data_and_random_states_alone():
    work = workload(
        net(nn.Dropout(0.5)).train(), validation=DataLoader(TensorDataset(*blobs(48)), shuffle=True)
    )
    before, state = states(work.model), torch.get_rng_state()
    previews(Previewer(work), "PruneWeights(0.5) | Quantize(4)")
    assert same(states(work.model), before)
    assert work.model.training
    assert torch.equal(torch.get_rng_state(), state)
    work.check_unchanged()


def test_regression_previews_show_the_metrics():
    inputs, _ = blobs(30)
    splits = {name: (x, x[:, :1]) for name, (x, _) in data().items()}
    work = Workload(nn.Linear(6, 1), **splits, metrics={"worst": lambda outputs, targets: 2.5})
    last = previews(Previewer(work), "Quantize(8)")[-1]
    assert last.accuracy is None
    assert last.metrics == {"worst": 2.5}
    assert inputs.shape == (30, 6)


def test_two_threads_may_ask_for_candidates_at_once():
    from concurrent.futures import ThreadPoolExecutor

    previewer = Previewer(workload())
    recipes = [Recipe.parse(f"PruneWeights(0.5) | Quantize({bits})") for bits in (2, 3, 4, 5, 6, 7, 8)] * 12
    with ThreadPoolExecutor(4) as pool:
        made = list(pool.map(previewer.candidate, recipes))
    assert all(each.constraints for each in made)
