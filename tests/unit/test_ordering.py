"""Advice on the order of steps: said where figures speak for another order, and quiet where none do."""

from __future__ import annotations

import pytest
from small import blobs, net, workload
from torch import nn

from workbench.job import finish
from workbench.ordering import Advice, Ordering
from workbench.recipe import Recipe
from workbench.workload import Workload


@pytest.fixture(scope="module")
def trained():
    """A net that gets nearly every blob right, so that what a step costs can be seen."""
    from workbench import compress
    from workbench.versions import VersionTree

    with pytest.MonkeyPatch.context() as patch:
        from small import measure_quickly

        measure_quickly(patch)
        rough = workload(net(hidden=64), validation=blobs(240, 1))
        version = compress(rough, "FineTune(epochs=20, learning_rate=0.01)", tree=VersionTree(None, rough))
    return workload(version.model, validation=blobs(240, 1))


def advice(work: Workload, recipe: str) -> tuple[Advice, ...]:
    return finish(Ordering(work, work.candidate()).advising(Recipe.parse(recipe)))


@pytest.mark.parametrize(
    "recipe",
    [
        "",
        "PruneWeights(0.5)",
        "PruneWeights(0.5) | FineTune(epochs=2)",
        "PruneWeights(0.5) | FineTune(epochs=2) | Quantize(8)",
        "PruneWeights(0.5) | Quantize(8)",
        "Quantize(8) | FineTune(epochs=2)",
        "PruneWeights(0.5) | PruneWeights(0.5)",
    ],
)
def test_where_nothing_fights_nothing_is_said(trained, recipe):
    assert advice(trained, recipe) == ()


def test_a_promise_that_a_later_step_breaks_is_named_with_the_order_that_keeps_it(trained):
    (found,) = advice(trained, "PruneWeights(0.8) | Factorize(ratio=0.5)")
    assert found.move == "Do Factorize before PruneWeights"
    assert str(found.recipe) == "Factorize(ratio=0.5) | PruneWeights(sparsity=0.8)"
    assert found.reason.endswith("% of what PruneWeights promised (80.0 % zeros).")
    assert found.smaller > 0 and "smaller" in found.gain


def test_what_the_other_order_costs_is_said_too():
    work = workload(net(nn.ReLU(), nn.Linear(64, 64), nn.ReLU(), hidden=64))
    found, *_ = advice(work, "PruneWeights(0.8) | PruneChannels(0.5)")
    assert found.reason.startswith("PruneChannels undoes") and "zeros" in found.reason
    assert str(found.recipe) == "PruneChannels(ratio=0.5) | PruneWeights(sparsity=0.8)"
    assert ("smaller" in found.gain and "accuracy" in found.gain) or "points" in found.gain


def test_advice_taken_leaves_nothing_to_say(trained):
    recipe = "PruneWeights(0.8) | Factorize(ratio=0.5) | FineTune(epochs=2)"
    (found,) = advice(trained, recipe)
    assert found.is_before_training
    assert advice(trained, str(found.recipe)) == ()


def test_steps_that_cannot_both_stand_are_said_to_be_so(trained):
    (found,) = advice(trained, "ShareWeights(16) | Ternarize")
    assert found.recipe is None and found.move == "" and found.gain == ""
    assert found.reason.endswith("No order keeps both; leave one of them out.")


def test_what_costs_much_belongs_before_the_training(trained):
    (found,) = advice(trained, "FineTune(epochs=2) | PruneWeights(0.98)")
    assert str(found.recipe) == "PruneWeights(sparsity=0.98) | FineTune(epochs=2)"
    assert "no training follows" in found.reason
    assert advice(trained, "FineTune(epochs=2) | Quantize(8)") == ()


def test_a_late_step_that_names_what_an_earlier_one_made_is_not_tried_alone(trained):
    recipe = "Factorize(ratio=0.5) | FineTune(epochs=1) | Quantize(weights=8, layers={'0.0': 6})"
    assert advice(trained, recipe) == ()


def test_a_schedule_without_training_behind_it_is_put_before_the_training(trained):
    (found,) = advice(trained, "FineTune(epochs=2) | PruneWeights(0.8, schedule='cubic')")
    assert str(found.recipe).startswith("PruneWeights(sparsity=0.8, schedule='cubic') | FineTune")


def test_a_student_that_forgets_earlier_steps_comes_first_and_no_accuracy_is_compared(trained):
    (found,) = advice(trained, "PruneWeights(0.8) | Distill(student='half-width')")
    assert found.move == "Do Distill before PruneWeights"
    assert found.better is None and "points" not in found.gain


def test_without_data_bytes_alone_speak():
    work = Workload(net(hidden=64))
    (found,) = advice(work, "PruneWeights(0.8) | Factorize(ratio=0.5)")
    assert found.better is None and found.smaller > 0


def test_looking_for_an_order_can_be_ended_at_any_step_and_changes_nothing(trained):
    from small import same, states

    before = states(trained.baseline)
    steps = Ordering(trained, trained.candidate()).advising(
        Recipe.parse("PruneWeights(0.8) | Factorize(ratio=0.5)")
    )
    for _ in range(3):
        next(steps)
    steps.close()
    assert same(states(trained.baseline), before)


def test_an_order_is_tried_once(trained):
    ordering = Ordering(trained, trained.candidate())
    recipe = Recipe.parse("PruneWeights(0.8) | Factorize(ratio=0.5)")
    first = finish(ordering.advising(recipe))
    assert list(ordering.advising(recipe)) == [] and finish(ordering.advising(recipe)) == first


def test_several_steps_of_a_kind_are_told_apart_by_their_number(trained):
    (found,) = advice(trained, "PruneWeights(0.2) | PruneWeights(0.8) | Factorize(ratio=0.5)")[:1]
    assert "PruneWeights (step " in found.move


def test_of_a_slow_net_as_many_samples_are_compared_as_there_was_time_for(monkeypatch):
    from torch.utils.data import DataLoader, TensorDataset

    work = workload(net(hidden=64), validation=DataLoader(TensorDataset(*blobs(240, 1)), batch_size=16))
    monkeypatch.setattr("workbench.ordering.SECONDS", 0.0)
    (found,) = advice(work, "PruneWeights(0.8) | Factorize(ratio=0.5)")
    assert found.better is None and found.smaller > 0  # there was time for none
    monkeypatch.setattr("workbench.ordering.SECONDS", 60.0)
    (found,) = advice(work, "PruneWeights(0.8) | Factorize(ratio=0.5)")
    assert found.better is not None
