"""Each criterion on five by five weights, checked by eye; and what all of them promise."""

from __future__ import annotations

import pytest
import torch
from small import net
from torch import Tensor, nn
from torch.nn import functional

from workbench.algorithms import importance
from workbench.algorithms.importance import CRITERIA, NEED_DATA
from workbench.algorithms.importance.base import Look
from workbench.algorithms.pruning import GONE, scored
from workbench.candidate import Candidate
from workbench.constraints import Mask
from workbench.errors import WorkbenchError, WorkloadError
from workbench.job import finish
from workbench.layers import weights
from workbench.technique import Context, find, prepared
from workbench.workload import Workload

WEIGHTS = torch.tensor(
    [
        [25.0, -1.0, 24.0, 2.0, 23.0],
        [3.0, 22.0, -4.0, 21.0, 5.0],
        [20.0, 6.0, -19.0, 7.0, 18.0],
        [-8.0, 17.0, 9.0, -16.0, 10.0],
        [15.0, 11.0, 14.0, 12.0, -13.0],
    ]
)
INPUT = torch.tensor([[1.0, 2.0, 3.0, 4.0, 5.0]])


def five_by_five(values: Tensor = WEIGHTS) -> nn.Linear:
    """One layer of 25 weights."""
    layer = nn.Linear(5, 5, bias=False)
    with torch.no_grad():
        layer.weight.copy_(values)
    return layer


def summing(model: nn.Module, train: Tensor = INPUT) -> Workload:
    """A workload whose loss is the sum of all outputs: the gradient of a weight is its input."""
    targets = torch.zeros(len(train), 5)
    data = [(train, targets)]
    return Workload(model, train=data, validation=data, test=data, loss=lambda outputs, _: outputs.sum())


def picture(model: nn.Module) -> list[str]:
    """The weights that are left."""
    return ["".join(".x"[bool(each)] for each in row) for row in model.weight != 0]


def pruned(work: Workload, sparsity: float, **options) -> list[str]:
    step, context, start = find("PruneWeights")(sparsity, **options), Context(work, seed=3), work.candidate()
    return picture(finish(step.apply(start, context, prepared(step, start, context))).model)


def known(criterion: str, model: nn.Module, work: Workload, samples: int = 512) -> dict[str, Tensor]:
    candidate = Candidate.of(model)
    names = tuple(each.name for each in weights(candidate.model))
    return dict(importance.find(criterion).known(Look(candidate, work, names, samples)).by_name)


def test_magnitude_keeps_the_thirteen_largest_whatever_their_sign():
    assert pruned(summing(five_by_five()), 12 / 25) == ["x.x.x", ".x.x.", "x.x.x", ".x.x.", "x.x.x"]


def test_taylor_keeps_weights_on_large_gradients():
    # all weights are one, the gradient of a weight is its input: the last two columns matter most
    work = summing(five_by_five(torch.ones(5, 5)))
    assert pruned(work, 0.6, criterion="taylor") == ["...xx"] * 5


def test_taylor_is_gradient_times_weight():
    # 25·1 < 24·3, but 13·5 > 14·3: scores of the last row are 15, 22, 42, 48, 65
    row = torch.tensor([[15.0, 11.0, 14.0, 12.0, -13.0]])
    scores = importance.find("taylor").score(row, INPUT)
    assert scores.tolist() == [[15.0, 22.0, 42.0, 48.0, 65.0]]


def test_movement_keeps_what_a_step_down_the_gradient_makes_larger():
    # every gradient is positive, so positive weights shrink and negative ones grow
    signs = torch.tensor([[1.0, -1.0, 1.0, -1.0, 1.0]]).repeat(5, 1)
    work = summing(five_by_five(signs))
    assert pruned(work, 0.6, criterion="movement") == [".x.x."] * 5


def test_wanda_keeps_weights_on_loud_inputs():
    work = summing(five_by_five(torch.ones(5, 5)), torch.tensor([[0.1, 3.0, 0.1, 0.1, 4.0]]))
    assert pruned(work, 0.6, criterion="wanda") == [".x..x"] * 5


def test_random_is_drawn_by_the_seed_and_looks_at_nothing():
    work = summing(five_by_five())
    step, start = find("PruneWeights")(0.6, criterion="random"), work.candidate()

    def drawn(seed: int) -> Tensor:
        context = Context(work, seed=seed)
        return finish(step.apply(start, context, step.prepare(start, context))).model.weight != 0

    assert torch.equal(drawn(1), drawn(1))
    assert not torch.equal(drawn(1), drawn(2))
    kept = [WEIGHTS.abs()[drawn(seed)].mean() for seed in range(60)]
    assert abs(float(torch.stack(kept).mean()) - 13) < 1.5  # the mean of 1 to 25; magnitude would keep 20.5


# ---- what is known of the data ---------------------------------------------------------------------------


def convolution(**options) -> nn.Conv2d:
    torch.manual_seed(0)
    return nn.Conv2d(4, 6, 3, **options)


@pytest.mark.parametrize("options", [{}, {"stride": 2, "padding": 1}, {"dilation": 2}, {"groups": 2}])
def test_wanda_sees_of_a_convolution_what_each_weight_is_multiplied_with(options):
    layer, images = convolution(**options), torch.randn(3, 4, 9, 9)
    work = Workload(layer, train=[(images, torch.zeros(3))], loss=lambda outputs, _: outputs.sum())
    norms = known("wanda", layer, work)["weight"]
    unfolding = {name: value for name, value in options.items() if name != "groups"}
    columns = functional.unfold(images, 3, **unfolding)  # (samples, inputs × kernel, positions)
    expected = columns.square().mean((0, 2)).sqrt().reshape(4, 3, 3)
    if layer.groups == 1:
        expected = expected.expand(6, 4, 3, 3)
    else:
        expected = torch.cat([expected[:2].expand(3, 2, 3, 3), expected[2:].expand(3, 2, 3, 3)])
    torch.testing.assert_close(norms, expected)


def test_wanda_counts_the_words_of_an_embedding():
    layer = nn.Embedding(4, 2)
    work = Workload(
        layer,
        train=[(torch.tensor([[0, 0, 0, 1]]), torch.zeros(1))],
        loss=lambda outputs, _: outputs.sum(),
        example=torch.tensor([[0]]),
    )
    norms = known("wanda", layer, work)["weight"]
    assert norms[0, 0] > norms[1, 0] > norms[2, 0] == 0


def test_wanda_says_where_it_cannot_watch():
    work = Workload(
        nn.LSTM(5, 5, batch_first=True),
        train=[(torch.randn(2, 3, 5), torch.zeros(2))],
        forward=lambda model, inputs: model(inputs)[0],
        loss=lambda outputs, _: outputs.sum(),
    )
    step, start, context = find("PruneWeights")(criterion="wanda"), work.candidate(), Context(work)
    made = finish(step.apply(start, context, prepared(step, start, context)))
    assert "wanda goes by magnitude alone" in made.notes[0]


@pytest.mark.parametrize("criterion", NEED_DATA)
def test_no_more_samples_are_read_than_asked_for(criterion):
    read = []

    class Watching(nn.Linear):
        def forward(self, inputs):
            read.append(len(inputs))
            return super().forward(inputs)

    work = summing(Watching(5, 5), torch.ones(100, 5))
    read.clear()
    known(criterion, work.baseline, work, samples=70)
    assert sum(read) == (140 if criterion == "wanda" else 70)  # wanda passes squared inputs through, too


@pytest.mark.parametrize("criterion", NEED_DATA)
def test_without_training_data_the_line_says_which_to_give(criterion):
    model = five_by_five()
    work = Workload(model, input_shape=(5,))
    with pytest.raises(WorkloadError, match=rf"criterion='{criterion}' .* Workload\(net, train=loader\)"):
        pruned(work, 0.5, criterion=criterion)


@pytest.mark.parametrize("criterion", NEED_DATA)
def test_a_preview_answers_with_what_there_is_time_for(criterion, monkeypatch):
    monkeypatch.setattr("workbench.techniques.prune_weights._PREVIEW_SECONDS", 0.0)
    work = summing(five_by_five(), torch.ones(100, 5))
    step, context, start = (
        find("PruneWeights")(criterion=criterion),
        Context(work, is_preview=True),
        work.candidate(),
    )
    made = finish(step.apply(start, context, prepared(step, start, context)))
    assert made.notes == ("preview: importance from 32 training samples instead of 100",)


def test_what_a_preview_found_out_in_haste_is_not_what_a_run_goes_by(monkeypatch):
    monkeypatch.setattr("workbench.techniques.prune_weights._PREVIEW_SECONDS", 0.0)
    work = summing(five_by_five(), torch.ones(100, 5))
    step, start = find("PruneWeights")(criterion="wanda"), work.candidate()
    for is_preview in (True, False):
        context = Context(work, is_preview=is_preview)
        made = finish(step.apply(start, context, prepared(step, start, context)))
        assert bool(made.notes) is is_preview


def test_another_seed_draws_other_numbers_for_the_same_candidate():
    work = summing(five_by_five())
    step, start = find("PruneWeights")(0.6, criterion="random"), work.candidate()
    one, other = (prepared(step, start, Context(work, seed=seed)).scores["weight"] for seed in (1, 2))
    assert not torch.equal(one, other)


# ---- all of them -------------------------------------------------------------------------------------------


@pytest.mark.parametrize("criterion", CRITERIA)
def test_what_is_zero_goes_first_and_comes_to_nothing(criterion):
    values = WEIGHTS.clone()
    values[:2] = 0
    work = summing(five_by_five(values))
    assert pruned(work, 0.4, criterion=criterion) == [".....", "....."] + ["xxxxx"] * 3


@pytest.mark.parametrize("criterion", CRITERIA)
def test_a_masked_weight_is_scored_as_gone_though_its_free_weight_is_large(criterion):
    work = summing(five_by_five())
    candidate = work.candidate().constrained({"weight": Mask(WEIGHTS.abs() < 20)})
    scores = scored(criterion, Look(candidate, work, ("weight",))).scores["weight"]
    assert bool((scores[WEIGHTS.abs() >= 20] == GONE).all())
    assert bool((scores[WEIGHTS.abs() < 20] > GONE).all())


@pytest.mark.parametrize("criterion", CRITERIA)
def test_looking_leaves_the_model_as_it_was(criterion):
    work = summing(five_by_five())
    start = work.candidate()
    start.model.weight.requires_grad_(False)
    scored(criterion, Look(start, work, ("weight",)))
    assert torch.equal(start.model.weight, WEIGHTS) and start.model.weight.grad is None
    assert not start.model.weight.requires_grad and not start.model._forward_hooks


@pytest.mark.parametrize("criterion", CRITERIA)
def test_weights_that_are_no_numbers_are_refused_by_name(criterion):
    work = summing(five_by_five())
    values = WEIGHTS.clone()
    values[2, 2] = torch.nan
    with pytest.raises(WorkbenchError, match="weight holds values that are not finite"):
        scored(criterion, Look(Candidate(five_by_five(values)), work, ("weight",)))


def test_the_control_keeps_less_of_a_trained_layer_than_magnitude():
    from small import workload

    work = workload(net())
    kept = {}
    for criterion in ("magnitude", "random"):
        step, start, context = (
            find("PruneWeights")(0.5, criterion=criterion),
            work.candidate(),
            Context(work, seed=1),
        )
        made = finish(step.apply(start, context, prepared(step, start, context)))
        kept[criterion] = sum(float(each.parameter.detach().square().sum()) for each in weights(made.model))
    assert kept["random"] < kept["magnitude"]
