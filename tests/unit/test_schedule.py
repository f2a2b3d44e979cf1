"""Pruning inside a training: the curve by numbers, what may come back, what a stop leaves."""

from __future__ import annotations

import itertools

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from small import measure_quickly, net, workload
from torch import Tensor, nn

from workbench.algorithms.pruning import Group
from workbench.algorithms.pruning_schedule import Curve, PruningSchedule
from workbench.candidate import Candidate
from workbench.constraints import Mask
from workbench.errors import RecipeError
from workbench.job import Stopped, finish
from workbench.layers import weights
from workbench.recipe import Recipe
from workbench.run import compress
from workbench.technique import Context, find, prepared
from workbench.workload import Workload

GRADUAL = ("linear", "cubic")
SCHEDULES = (*GRADUAL, "iterative")


def zeros(candidate: Candidate) -> float:
    """The share of zeros of the weights."""
    found = list(weights(candidate.model))
    return sum(int((w.parameter == 0).sum()) for w in found) / sum(w.parameter.numel() for w in found)


def scheduled(work: Workload, start: Candidate | None = None, **options) -> Candidate:
    step, context = find("PruneWeights")(**options), Context(work, seed=1)
    start = start or work.candidate()
    return finish(step.apply(start, context, prepared(step, start, context)))


def trained(work: Workload, candidate: Candidate, epochs: int = 4, **options) -> Candidate:
    step = find("FineTune")(epochs, **options)
    return finish(step.apply(candidate, Context(work, seed=1), None))


# ---- the curve ---------------------------------------------------------------------------------------------


def test_cubic_by_hand():
    curve = Curve("cubic", times=4, ends=0.8)
    # 0.8 · (1 - (1 - k/4)³)
    assert [curve.sparsity(k, 0.0, 0.8) for k in range(5)] == pytest.approx([0, 0.4625, 0.7, 0.7875, 0.8])


def test_linear_by_hand():
    curve = Curve("linear", times=4, ends=0.8)
    assert [curve.sparsity(k, 0.4, 0.8) for k in range(5)] == pytest.approx([0.4, 0.5, 0.6, 0.7, 0.8])


def test_rounds_each_take_the_same_part_of_what_is_left():
    curve = Curve.rounds(3)
    assert [curve.sparsity(k, 0.0, 0.875) for k in (1, 2, 3)] == pytest.approx([0.5, 0.75, 0.875])


def test_gradual_prunings_are_spread_over_their_share_of_the_training():
    curve = Curve("cubic", times=4, ends=0.8)
    shares = [0, 0.1, 0.2, 0.39, 0.4, 0.6, 0.79, 0.8, 1]
    assert [curve.due(share) for share in shares] == [0, 0, 1, 1, 2, 3, 3, 4, 4]


def test_a_round_begins_with_a_pruning_and_the_last_one_has_its_training():
    curve = Curve.rounds(4)
    assert [curve.due(share) for share in (0, 0.24, 0.25, 0.5, 0.75, 1)] == [1, 1, 2, 3, 4, 4]
    assert curve.ends == 0.75


@settings(derandomize=True, deadline=None, database=None, max_examples=100)
@given(
    kind=st.sampled_from(SCHEDULES),
    times=st.integers(1, 60),
    start=st.floats(0, 1),
    final=st.floats(0, 1),
)
def test_curves_rise_from_what_there_is_to_what_is_asked_for(kind, times, start, final):
    curve = Curve(kind, times, 0.5)
    values = [curve.sparsity(count, start, final) for count in range(times + 1)]
    assert values[0] >= start - 1e-9
    assert values[-1] == max(start, final)
    assert all(before <= after + 1e-9 for before, after in itertools.pairwise(values))


# ---- the clock ---------------------------------------------------------------------------------------------


def ticking(regrows: bool, start: Mask | None = None) -> tuple[nn.Linear, object]:
    layer = nn.Linear(4, 1, bias=False)
    with torch.no_grad():
        layer.weight.copy_(torch.tensor([[1.0, 2.0, 3.0, 4.0]]))
    candidate = Candidate.of(layer)
    candidate = candidate.constrained({"weight": start}) if start else candidate
    curve = Curve("linear", times=3, ends=0.75)
    schedule = PruningSchedule(("weight",), 0.75, (Group(("weight",), 0.75),), curve, regrows=regrows)
    return layer, schedule.begin(candidate)


def keeps(clock, share: float, values: list[float]) -> list[bool] | None:
    masks = clock.at(share, {"weight": torch.tensor([values])})
    return None if masks is None else masks["weight"].keep[0].tolist()


def test_nothing_changes_between_prunings():
    _, clock = ticking(False)
    assert keeps(clock, 0.0, [1, 2, 3, 4]) is None
    assert keeps(clock, 0.25, [1, 2, 3, 4]) == [False, True, True, True]
    assert keeps(clock, 0.30, [1, 2, 3, 4]) is None


def test_a_weight_that_has_grown_comes_back_until_the_masks_are_final():
    _, clock = ticking(True)
    assert keeps(clock, 0.25, [1, 2, 3, 4]) == [False, True, True, True]
    assert keeps(clock, 0.50, [9, 2, 3, 4]) == [True, False, False, True]
    assert keeps(clock, 0.75, [9, 2, 3, 10]) == [False, False, False, True]
    assert keeps(clock, 1.00, [9, 9, 9, 9]) is None


def test_without_regrowth_what_has_gone_stays_away():
    _, clock = ticking(False)
    assert keeps(clock, 0.25, [1, 2, 3, 4]) == [False, True, True, True]
    assert keeps(clock, 0.50, [9, 2, 3, 4]) == [False, False, True, True]


@pytest.mark.parametrize("regrows", [True, False])
def test_what_an_earlier_mask_removed_never_comes_back(regrows):
    _, clock = ticking(regrows, Mask(torch.tensor([[True, True, True, False]])))
    found = [keeps(clock, share, [1, 2, 3, 99]) for share in (0.25, 0.5, 0.75)]
    assert found[-1] == [False, False, True, False]
    assert all(each is None or each[3] is False for each in found)


def test_masks_are_open_until_they_are_final():
    _, clock = ticking(True)
    now = [clock.at(share, {"weight": torch.tensor([[1.0, 2, 3, 4]])}) for share in (0.25, 0.5, 0.75)]
    assert [masks["weight"].is_open for masks in now] == [True, True, False]


def test_under_an_open_mask_a_removed_weight_has_the_gradient_at_zero():
    weight, keep = torch.tensor([5.0, 7.0], requires_grad=True), torch.tensor([True, False])
    for is_open, expected in ((True, [10.0, 2.0]), (False, [10.0, 0.0])):
        weight.grad = None
        masked = Mask(keep, is_open)(weight)
        assert masked.tolist() == [5.0, 0.0]
        (masked.square().sum() + 2 * masked[1]).backward()
        assert weight.grad.tolist() == expected


# ---- in a training -----------------------------------------------------------------------------------------


@pytest.mark.parametrize("criterion", ["magnitude", "taylor", "movement", "wanda", "random"])
@pytest.mark.parametrize("schedule", SCHEDULES)
def test_a_training_ends_with_what_was_asked_for(schedule, criterion):
    work = workload()
    start = scheduled(work, sparsity=0.6, schedule=schedule, criterion=criterion, rounds=3, prunings=7)
    assert zeros(start) == 0 and len(start.schedules) == 1
    done = trained(work, start)
    total = sum(each.parameter.numel() for each in weights(done.model))
    assert zeros(done) == round(0.6 * total) / total
    assert not done.schedules
    assert not any(done.constraints.of(name, Mask).is_open for name in done.constraints)


@pytest.mark.parametrize("scope", ["layer", "global"])
def test_scope_and_shares_of_single_layers_hold_on_a_schedule_too(scope):
    work = workload()
    start = scheduled(work, sparsity=0.5, schedule="cubic", scope=scope, layers={"0": 0.25})
    done = trained(work, start)
    assert int((done.model[0].weight == 0).sum()) == 12
    assert int((done.model[2].weight == 0).sum()) == 12


def test_the_zeros_of_an_earlier_step_stay_and_count():
    work = workload()
    first = scheduled(work, sparsity=0.4)
    gone = {each.name: each.parameter == 0 for each in weights(first.model)}
    done = trained(work, scheduled(work, first, sparsity=0.7, schedule="cubic"))
    assert zeros(done) == round(0.7 * 72) / 72
    assert all(bool((done.model.get_parameter(name)[each] == 0).all()) for name, each in gone.items())


def test_less_than_there_is_changes_nothing():
    work = workload()
    done = trained(work, scheduled(work, scheduled(work, sparsity=0.8), sparsity=0.5, schedule="linear"))
    assert zeros(done) == round(0.8 * 72) / 72


def test_regrowth_takes_weights_back_that_training_needs():
    """Two inputs say the same; the larger weight is pruned away at first only where it cannot come back."""
    torch.manual_seed(0)
    inputs = torch.randn(256, 2)
    targets = 3 * inputs[:, 1:]
    model = nn.Linear(2, 1, bias=False)
    with torch.no_grad():
        model.weight.copy_(torch.tensor([[1.0, 0.1]]))  # the second one is what is needed, and small
    work = Workload(model, [(inputs, targets)] * 20, validation=[(inputs, targets)])
    # the second weight goes at the first pruning; its gradient at zero is large
    kept = {}
    for regrow in (True, False):
        options = {"schedule": "linear", "prunings": 10, "regrow": regrow, "ends": 0.9}
        done = trained(work, scheduled(work, sparsity=0.5, **options), epochs=3, learning_rate=0.1)
        kept[regrow] = (done.model.weight != 0)[0].tolist()
    assert kept[True] == [False, True]


def test_same_seed_same_weights():
    work = workload()
    first, again = (
        trained(work, scheduled(work, sparsity=0.6, schedule="cubic", criterion="movement")) for _ in "ab"
    )
    assert torch.equal(first.model[0].weight, again.model[0].weight)


def stopped_after(work: Workload, candidate: Candidate, count: int) -> Candidate:
    steps = find("FineTune")(4).apply(candidate, Context(work, seed=1), None)
    for _ in range(count):
        next(steps)
    try:
        steps.throw(Stopped())
        while True:
            next(steps)
    except StopIteration as end:
        return end.value


@pytest.mark.parametrize("schedule", SCHEDULES)
def test_a_stop_in_the_middle_keeps_the_latest_and_says_how_far_it_came(schedule):
    work = workload(train=[(torch.randn(8, 6), torch.arange(8) % 3)] * 12)
    start = scheduled(work, sparsity=0.8, schedule=schedule, rounds=4)
    half = stopped_after(work, start, 16)
    assert 0 < zeros(half) < 0.8
    (note,) = half.notes
    assert note.startswith("stopped early: ") and "instead of 80" in note
    assert f"{zeros(half):.1%}" in note
    assert not half.schedules
    for name in half.constraints:
        assert not half.constraints.of(name, Mask).is_open
        weight = half.model.get_parameter(name)
        assert torch.equal(half.constraints.constrain(name, weight), weight)


def test_a_schedule_without_a_training_after_it_is_refused_in_one_line():
    with pytest.raises(RecipeError) as raised:
        compress(workload(), "FineTune(1) | PruneWeights(0.9, schedule='cubic') | Quantize(8)")
    line = str(raised.value)
    assert "schedule='cubic'" in line and "add a step that trains after it" in line and "\n" not in line


def test_rounding_between_a_schedule_and_its_training_does_no_harm(monkeypatch):
    measure_quickly(monkeypatch)
    recipe = Recipe.parse("PruneWeights(0.5, schedule='linear') | Quantize(6) | FineTune(2)")
    version = compress(workload(), recipe)
    total = sum(each.parameter.numel() for each in weights(version.model))
    assert zeros(version.candidate) >= round(0.5 * total) / total  # small ones may round to zero besides
    assert "the zeros come during training (linear, 50 prunings in the first 50%)" in version.stages[0].notes


def test_a_step_in_between_that_changes_shapes_is_told_where_to_stand():
    work = workload()
    start = scheduled(work, sparsity=0.5, schedule="cubic", criterion="wanda")
    changed = start.restructured(net(hidden=4))
    with pytest.raises(RecipeError, match=r"scored 0\.weight by wanda.* put that step before PruneWeights"):
        trained(work, changed)


def test_a_preview_shows_the_final_sparsity():
    work = workload()
    step, context, start = (
        find("PruneWeights")(0.7, schedule="cubic"),
        Context(work, is_preview=True),
        work.candidate(),
    )
    made = finish(step.apply(start, context, prepared(step, start, context)))
    assert zeros(made) == round(0.7 * 72) / 72
    assert made.notes == ("preview: pruned at once; the run prunes during training",)


def test_a_tensor_is_never_changed_by_a_clock():
    values = torch.tensor([[1.0, 2.0, 3.0, 4.0]])
    _, clock = ticking(True)
    clock.at(0.75, {"weight": values})
    assert values.tolist() == [[1.0, 2.0, 3.0, 4.0]]


def test_the_net_of_these_tests_has_72_weights():
    assert sum(each.parameter.numel() for each in weights(net())) == 72
    assert isinstance(net()[0].weight, Tensor)
