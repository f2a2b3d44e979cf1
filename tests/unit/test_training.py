"""Training under constraints: zeros stay, grids hold bit for bit, the best is kept, stops are clean."""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import pytest
import torch
from small import CLASSES, FEATURES, blobs, data, hooks, net, same, states, workload
from torch import Tensor, nn
from torch.nn import functional
from torch.utils.data import DataLoader, TensorDataset

from workbench.activations import Rounding
from workbench.candidate import Candidate
from workbench.constraints import Grid, Mask
from workbench.data import Batches
from workbench.errors import WorkbenchError, WorkloadError
from workbench.job import Job, Progress, Stopped, finish
from workbench.layers import weights
from workbench.schedule import Clock, Schedule
from workbench.training import Moment, Objective, Training
from workbench.workload import Workload

QUICK = Training(epochs=2, learning_rate=0.02)
X, Y = blobs(96)


def learning(model: nn.Module | None = None, **options: Any) -> Workload:
    """A workload whose training data come in small batches: six steps an epoch."""
    inputs, targets = blobs(96)
    return workload(model, **{"train": DataLoader(TensorDataset(inputs, targets), batch_size=16), **options})


def pruned(candidate: Candidate, share: float = 0.5) -> Candidate:
    """The candidate with a share of every weight removed, the smallest first."""
    masks = {}
    for each in weights(candidate.model):
        magnitudes = each.parameter.detach().float().abs()
        masks[each.name] = Mask(magnitudes > magnitudes.quantile(share))
    return candidate.constrained(masks)


def rounded(candidate: Candidate, bits: int = 4) -> Candidate:
    grids = {}
    for each in weights(candidate.model):
        largest = each.parameter.detach().abs().amax(tuple(range(1, each.parameter.ndim)), keepdim=True)
        grids[each.name] = Grid(bits, largest.float() / (2 ** (bits - 1) - 1))
    return candidate.constrained(grids)


def trained(
    work: Workload, candidate: Candidate | None = None, training: Training = QUICK, seed: int = 0
) -> Any:
    """What training makes, run as a job does it."""
    start = candidate if candidate is not None else work.candidate()
    return Job(lambda: training.steps(start, work, seed=seed), seed=seed).run()


def accuracy(work: Workload, candidate: Candidate) -> float:
    inputs, targets = blobs(48, seed=1)
    return float((candidate.call(work, inputs).argmax(1) == targets).float().mean())


def changed(before: Candidate, after: Candidate) -> bool:
    return not same(states(before.model), states(after.model))


# ---- under constraints ----------------------------------------------------------------------------------

UNDER = {
    "nothing": lambda candidate: candidate,
    "masks": pruned,
    "grids": rounded,
    "both": lambda candidate: rounded(pruned(candidate)),
    "both the other way round": lambda candidate: pruned(rounded(candidate)),
    "two bits": lambda candidate: rounded(pruned(candidate), bits=2),
}


@pytest.mark.parametrize("under", UNDER)
def test_training_learns_under_its_constraints(under):
    work = learning()
    start = UNDER[under](work.candidate())
    end = trained(work, start, Training(epochs=8, learning_rate=0.03))
    assert accuracy(work, end) > max(accuracy(work, start), 0.8)
    for name, chain in end.constraints.items():
        weight = end.model.get_parameter(name).detach()
        assert torch.equal(end.constraints.constrain(name, weight), weight)  # bit for bit
        for constraint in chain:
            if isinstance(constraint, Mask):
                assert bool((weight[~constraint.keep] == 0).all())
            if isinstance(constraint, Grid):
                assert torch.equal(constraint.codes(weight) * constraint.scale, weight)
        assert not torch.equal(end.latent[name], start.latent[name])
    assert end.constraints.keys() == start.constraints.keys()


def test_the_written_weights_are_those_that_were_trained():
    """The model computes what the chain over the latent weights computes."""
    work = learning()
    end = trained(work, rounded(pruned(work.candidate())))
    for name, latent in end.latent.items():
        assert torch.equal(end.constraints.constrain(name, latent), end.model.get_parameter(name))


def test_training_goes_on_from_the_free_weights():
    work = learning()
    start = rounded(work.candidate(), bits=2)
    end = trained(work, start, Training(epochs=1, learning_rate=1e-6, optimizer="sgd", decay="constant"))
    for name in start.latent:  # tiny steps from the free weights, not from the grid
        assert float((end.latent[name] - start.latent[name]).abs().max()) < 1e-4
        assert float((end.latent[name] - start.model.get_parameter(name).detach()).abs().max()) > 1e-2


def test_what_came_before_is_left_alone():
    work = learning(net(nn.BatchNorm1d(8), nn.ReLU()))
    start = rounded(pruned(work.candidate()))
    kept = states(start.model), states(work.model), states(work.baseline)
    latent = {name: tensor.clone() for name, tensor in start.latent.items()}
    assert changed(start, trained(work, start))
    assert same(states(start.model), kept[0])
    assert same(states(work.model), kept[1])
    assert same(states(work.baseline), kept[2])
    assert all(torch.equal(start.latent[name], latent[name]) for name in latent)
    assert not any(each.training for each in start.model.modules())
    assert all(each.grad is None for each in (*start.model.parameters(), *work.model.parameters()))


def test_the_result_is_plain_and_in_eval_mode():
    work = learning(net(nn.Dropout(0.2)))
    end = trained(work, pruned(work.candidate()))
    assert not any(each.training for each in end.model.modules())
    assert hooks(end.model) == 0
    assert all(each.is_leaf and each.grad is None for each in end.model.parameters())
    assert not any(each.requires_grad for each in end.latent.values())


# ---- the best is kept -----------------------------------------------------------------------------------


def test_a_training_that_only_does_harm_gives_back_the_start():
    work = learning()
    good = trained(work, training=Training(epochs=8, learning_rate=0.03))
    harmed = trained(work, good, Training(epochs=2, learning_rate=5.0, optimizer="sgd", decay="constant"))
    assert accuracy(work, harmed) >= accuracy(work, good)


def test_records_tell_loss_and_validation():
    work = learning()
    records = [each.record for each in QUICK.steps(work.candidate(), work)]
    judged = [each for each in records if "validation_accuracy" in each]
    assert [each["epoch"] for each in judged] == [0, 1, 2]
    assert all(each["validation_n"] == 48 for each in judged)
    losses = [each["loss"] for each in records if "loss" in each]
    assert all(math.isfinite(each) for each in losses)
    epochs = [each["epoch"] for each in records if "epoch" in each]
    assert epochs == sorted(epochs)


def test_progress_runs_from_nothing_to_all():
    work = learning()
    steps = [each for each in QUICK.steps(work.candidate(), work) if each.message]
    assert steps[0].done == 0
    assert (steps[-1].done, steps[-1].total, steps[-1].fraction) == (2, 2, 1.0)
    assert all(a.done <= b.done for a, b in itertools.pairwise(steps))


@pytest.mark.parametrize("batches", [[(X, Y)], [(X[:50], Y[:50]), (X[50:], Y[50:])]])
def test_progress_never_runs_past_its_epoch_where_sizes_are_unknown(batches):
    class Unsized:
        def __iter__(self) -> Any:
            return iter(batches)

    work = learning(train=Unsized())
    done = [each.done for each in QUICK.steps(work.candidate(), work)]
    assert done == sorted(done)
    assert done[-1] == 2


def test_regression_keeps_the_lowest_validation_loss():
    targets = X[:, :1] * 2 - X[:, 1:2]
    work = Workload(nn.Linear(FEATURES, 1), train=(X, targets), validation=(X, targets), test=(X, targets))
    records = []
    steps = Training(epochs=3, learning_rate=0.1).steps(work.candidate(), work)
    while True:
        try:
            records.append(next(steps).record)
        except StopIteration as end:
            candidate = end.value
            break
    judged = [each["validation_loss"] for each in records if "validation_loss" in each]
    assert judged[-1] < judged[0]
    ours = work.loss(candidate.call(work, X), targets)
    assert math.isclose(float(ours), min(judged), rel_tol=1e-5)


# ---- stopping -------------------------------------------------------------------------------------------


def stopped_after(count: int, work: Workload, start: Candidate, training: Training = QUICK) -> Candidate:
    """Training stopped at its so-many-th progress."""
    steps = training.steps(start, work)
    for _ in range(count):
        next(steps)
    with pytest.raises(StopIteration) as end:
        steps.throw(Stopped())
    return end.value.value


@pytest.mark.parametrize("count", [1, 2, 4, 7])
def test_a_stop_gives_the_best_so_far_and_leaves_no_trace(count):
    work = learning(net(nn.BatchNorm1d(8), nn.ReLU()))
    start = pruned(work.candidate())
    before = states(start.model)
    best = stopped_after(count, work, start, Training(epochs=9, learning_rate=0.03))
    assert isinstance(best, Candidate)
    assert accuracy(work, best) >= accuracy(work, start)
    assert same(states(start.model), before)
    assert hooks(best.model) == hooks(work.model) == 0
    assert not best.model.training
    for name in best.constraints:
        weight = best.model.get_parameter(name)
        assert torch.equal(best.constraints.constrain(name, weight), weight)


def test_a_stop_before_the_first_step_gives_the_start():
    work = learning()
    start = work.candidate()
    assert same(states(stopped_after(1, work, start).model), states(start.model))


def test_a_stop_without_validation_data_keeps_what_was_trained():
    work = learning(net(), validation=None, test=None)
    work.validation = None
    start = work.candidate()
    assert changed(start, stopped_after(2, work, start, Training(epochs=50, learning_rate=0.03)))


def test_closing_raises_nothing_and_changes_nothing():
    work = learning()
    start = pruned(work.candidate())
    before = states(start.model)
    steps = QUICK.steps(start, work)
    next(steps), next(steps), next(steps)
    steps.close()
    assert same(states(start.model), before)


# ---- numbers that are none ------------------------------------------------------------------------------


def test_a_loss_that_is_no_number_ends_the_training_with_a_line():
    work = learning(loss=lambda outputs, targets: outputs.sum() * math.nan)
    work.validation = None
    with pytest.raises(WorkbenchError, match="training stopped: the loss is nan; a smaller learning_rate"):
        trained(work)


@pytest.mark.parametrize("validation", [True, False])
def test_weights_that_grow_without_bound_are_never_the_result(validation):
    work = learning()
    if not validation:
        work.validation = None
    wild = Training(epochs=3, learning_rate=1e38, optimizer="sgd", decay="constant")
    try:
        end = trained(work, training=wild)
    except WorkbenchError as error:
        assert "a smaller learning_rate usually helps" in str(error)
    else:
        assert all(bool(torch.isfinite(each).all()) for each in end.model.parameters())


def test_the_last_step_may_not_leave_weights_that_are_no_numbers():
    work = learning(train=(X, Y), loss=lambda outputs, targets: (outputs**2).sum() * 1e30)
    work.validation = None
    once = Training(epochs=1, learning_rate=1e38, optimizer="sgd")
    with pytest.raises(WorkbenchError, match="a smaller learning_rate usually helps"):
        trained(work, training=once)


# ---- data -----------------------------------------------------------------------------------------------


def test_no_training_data_is_one_line():
    work = Workload(net(), validation=blobs(24), test=blobs(24))
    with pytest.raises(WorkloadError, match=r"has no train data; give them: Workload\(net, train=loader\)"):
        trained(work)


def test_training_data_that_give_nothing_are_one_line():
    work = learning()
    work.train = Batches.of(DataLoader(TensorDataset(X, Y), batch_size=512, drop_last=True))
    with pytest.raises(WorkloadError, match="train is empty: reading it gave no batch"):
        trained(work)


@pytest.mark.parametrize("size", [33, 97])
def test_a_last_batch_of_one_sample_does_not_break_batch_statistics(size):
    work = learning(net(nn.BatchNorm1d(8)), train=DataLoader(TensorDataset(*blobs(size)), batch_size=32))
    end = trained(work)
    assert all(bool(torch.isfinite(each).all()) for each in states(end.model).values())
    assert changed(work.candidate(), end)


def test_batches_of_one_sample_cannot_train_batch_statistics():
    work = learning(net(nn.BatchNorm1d(8)), train=DataLoader(TensorDataset(X, Y), batch_size=1))
    with pytest.raises(WorkloadError, match="every training batch has one sample, and batch norm needs two"):
        trained(work)


def test_without_validation_data_the_last_weights_are_kept():
    work = learning()
    work.validation = None
    end = trained(work, training=Training(epochs=8, learning_rate=0.03))
    assert accuracy(work, end) > 0.8


def test_a_label_out_of_range_in_a_later_batch_is_one_line():
    inputs, targets = blobs(400)
    targets[350] = 9
    work = learning(train=(inputs, targets))
    with pytest.raises(WorkloadError, match="label 9 is out of range"):
        trained(work)


# ---- seeds ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("layers", [(nn.ReLU(),), (nn.ReLU(), nn.Dropout(0.5))])
def test_the_same_seed_trains_the_same_weights_bit_for_bit(layers):
    work = learning(net(*layers), train=DataLoader(TensorDataset(X, Y), batch_size=16, shuffle=True))
    runs = []
    for seed in (0, 0, 1):
        torch.rand(5)  # what the caller draws does not matter
        runs.append(trained(work, pruned(work.candidate()), seed=seed))
    assert same(states(runs[0].model), states(runs[1].model))
    assert not same(states(runs[0].model), states(runs[2].model))


# ---- models of many kinds -------------------------------------------------------------------------------


def test_frozen_parameters_stay_as_they_are():
    model = net()
    model[0].weight.requires_grad_(False)
    model[2].bias.requires_grad_(False)
    work = learning(model)
    start = pruned(work.candidate())
    end = trained(work, start, Training(epochs=4, learning_rate=0.05))
    assert torch.equal(end.model[0].weight, start.model[0].weight)
    assert torch.equal(end.model[2].bias, start.model[2].bias)
    assert not torch.equal(end.model[2].weight, start.model[2].weight)
    assert [each.requires_grad for each in end.model.parameters()] == [False, True, True, False]


def test_a_model_that_is_frozen_or_has_no_parameters_cannot_train():
    frozen = learning(net().requires_grad_(False))
    with pytest.raises(
        WorkbenchError, match=r"nothing to train: every parameter is frozen \(requires_grad\)"
    ):
        trained(frozen)
    empty = learning(nn.Flatten(), forward=lambda model, inputs: model(inputs)[:, :CLASSES])
    with pytest.raises(WorkbenchError, match="nothing to train: the model has no parameters"):
        trained(empty)


def test_tied_weights_train_as_one():
    torch.manual_seed(0)
    model = net(nn.ReLU(), nn.Linear(8, 8), nn.ReLU(), nn.Linear(8, 8))
    model[4].weight = model[2].weight
    work = learning(model)
    for start in (work.candidate(), rounded(pruned(work.candidate()))):
        end = trained(work, start, Training(epochs=8, learning_rate=1e-2))
        assert end.model[4].weight is end.model[2].weight
        assert not torch.equal(end.model[2].weight, start.model[2].weight)


def test_one_layer_in_two_places_trains_as_one():
    torch.manual_seed(0)
    layer = nn.Linear(8, 8)
    work = learning(net(nn.ReLU(), layer, nn.ReLU(), layer))
    for start in (work.candidate(), rounded(pruned(work.candidate()))):
        end = trained(work, start, Training(epochs=8, learning_rate=1e-2))
        assert end.model[4] is end.model[2]
        assert not torch.equal(end.model[2].weight, start.model[2].weight)
        assert all(each.is_leaf for each in end.model.parameters())


@pytest.mark.parametrize("mode", [torch.no_grad, torch.inference_mode])
def test_training_works_where_gradients_are_off(mode):
    work = learning()
    outside = trained(work, rounded(work.candidate()))
    with mode():
        inside = trained(work, rounded(work.candidate()))
    assert same(states(inside.model), states(outside.model))


class Recurrent(nn.Module):
    def __init__(self, **options: Any) -> None:
        super().__init__()
        self.gru = nn.GRU(2, 4, batch_first=True, **options)
        self.head = nn.LazyLinear(CLASSES)

    def forward(self, x: Tensor) -> Tensor:
        return self.head(self.gru(x.reshape(len(x), 3, 2))[0][:, -1])


class Attentive(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.layer = nn.TransformerEncoderLayer(2, 2, 8, batch_first=True)
        self.head = nn.Linear(FEATURES, CLASSES)

    def forward(self, x: Tensor) -> Tensor:
        return self.head(self.layer(x.reshape(len(x), 3, 2)).flatten(1))


class Convolutional(nn.Sequential):
    def __init__(self) -> None:
        super().__init__(
            nn.Unflatten(1, (1, FEATURES)), nn.Conv1d(1, 4, 3), nn.BatchNorm1d(4), nn.ReLU(), nn.Flatten(),
            nn.Linear(16, CLASSES),
        )  # fmt: skip


MODELS = {
    "GRU": lambda: Recurrent(),
    "GRU, two layers both ways": lambda: Recurrent(num_layers=2, bidirectional=True),
    "transformer": Attentive,
    "convolution": Convolutional,
    "one layer": lambda: nn.Linear(FEATURES, CLASSES),
}


@pytest.mark.parametrize("kind", MODELS)
def test_models_of_many_kinds_train_under_constraints(kind):
    torch.manual_seed(0)
    model = MODELS[kind]()
    model(X)  # lazy layers take their shape
    work = learning(model)
    start = rounded(pruned(work.candidate(), 0.3), bits=6)
    end = trained(work, start, Training(epochs=3, learning_rate=0.02))
    assert changed(start, end)
    for name in end.constraints:
        weight = end.model.get_parameter(name).detach()
        assert torch.equal(end.constraints.constrain(name, weight), weight)
    inputs = blobs(10, seed=3)[0]
    assert torch.equal(end.call(work, inputs), end.copy().call(work, inputs))


def test_a_way_of_calling_that_reaches_into_the_model_trains_the_free_weights():
    def forward(model: nn.Module, inputs: Tensor) -> Tensor:
        hidden = functional.relu(functional.linear(inputs, model[0].weight, model[0].bias))
        return model[2](hidden)

    work = learning(forward=forward)
    start = rounded(pruned(work.candidate()), bits=2)
    end = trained(work, start, Training(epochs=8, learning_rate=0.03))
    assert not torch.equal(end.latent["0.weight"], start.latent["0.weight"])
    assert accuracy(work, end) > 0.8


@pytest.mark.parametrize("inputs", ["tuple", "dict"])
def test_tuple_and_mapping_inputs_train(inputs):
    class Two(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.a, self.b = nn.Linear(FEATURES, CLASSES), nn.Linear(FEATURES, CLASSES)

        def forward(self, left: Tensor, right: Tensor) -> Tensor:
            return self.a(left) + self.b(right)

    given = {
        name: ((x, x) if inputs == "tuple" else {"left": x, "right": x}, y) for name, (x, y) in data().items()
    }
    work = Workload(Two(), **given)
    start = pruned(work.candidate())
    assert changed(start, trained(work, start))


@pytest.mark.parametrize("dtype", [torch.float64, torch.bfloat16])
def test_other_precisions_train(dtype):
    given = {name: (x.to(dtype), y) for name, (x, y) in data().items()}
    work = Workload(net().to(dtype), **given)
    end = trained(work, rounded(pruned(work.candidate())))
    assert {each.dtype for each in end.model.parameters()} == {dtype}
    for name in end.constraints:
        weight = end.model.get_parameter(name).detach()
        assert torch.equal(end.constraints.constrain(name, weight), weight)


def test_outputs_in_a_mapping_train_with_a_loss_of_ones_own():
    class Named(nn.Linear):
        def forward(self, x: Tensor) -> dict[str, Tensor]:
            return {"logits": super().forward(x)}

    work = Workload(
        Named(FEATURES, CLASSES),
        **data(),
        loss=lambda outputs, targets: functional.cross_entropy(outputs["logits"], targets),
    )
    end = trained(work)
    assert changed(work.candidate(), end)


def test_models_that_keep_what_they_computed_train():
    class Keeper(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.body, self.kept = net(), None

        def forward(self, x: Tensor) -> Tensor:
            self.kept = self.body[0](x)
            return self.body[2](self.body[1](self.kept))

    work = learning(Keeper())
    assert changed(work.candidate(), trained(work))


class Quiet(Objective):
    """Small outputs, times a factor that is learned too, with a hook that counts calls of the first layer."""

    def __init__(self) -> None:
        self.factor = torch.ones((), requires_grad=True)
        self.moments: list[Moment] = []
        self.calls = 0

    def parameters(self) -> list[Tensor]:
        return [self.factor]

    @contextmanager
    def watching(self, model: nn.Module) -> Iterator[None]:
        def count(*_: object) -> None:
            self.calls += 1

        handle = model[0].register_forward_hook(count)
        yield
        handle.remove()

    def __call__(
        self, outputs: Tensor, inputs: Tensor, targets: Tensor, moment: Moment
    ) -> tuple[Tensor, dict[str, float]]:
        self.moments.append(moment)
        value = functional.mse_loss(outputs, torch.zeros_like(outputs))
        return value * self.factor, {"quiet": float(value.detach())}


def test_an_objective_is_trained_with_its_own_tensors_and_its_hooks_are_not_kept():
    work, objective = learning(), Quiet()
    work.validation = None
    steps = Training(epochs=5, learning_rate=0.05).steps(work.candidate(), work, objective=objective)
    records = []
    while True:
        try:
            records.append(next(steps).record)
        except StopIteration as stop:
            end = stop.value
            break
    assert objective.calls == len(objective.moments) == 5 * 6
    assert objective.moments[:2] == [Moment(0, 0), Moment(0, 1)]
    assert float(objective.factor.detach()) != 1
    assert sum("quiet" in record for record in records) == 30
    assert not any(module._forward_hooks for module in end.model.modules())
    assert float(end.call(work, X).abs().mean()) < float(work.candidate().call(work, X).abs().mean())


@dataclass(frozen=True, eq=False)
class Halving(Schedule):
    """Keeps all weights until half of the training is over, then the first column only."""

    def begin(self, candidate: Candidate) -> Clock:
        return _Halving(self.names)


class _Halving(Clock):
    def __init__(self, names: tuple[str, ...]) -> None:
        self.names = names
        self.observed = 0

    def observe(self, weights: Mapping[str, Tensor]) -> None:
        self.observed += all(weights[name].grad is not None for name in self.names)

    def at(self, share: float, weights: Mapping[str, Tensor]) -> Mapping[str, Mask] | None:
        if share < 0.5:
            return None
        return {
            name: Mask(torch.arange(weights[name].shape[1]).expand_as(weights[name]) < 1)
            for name in self.names
        }

    def summary(self) -> str:
        return "not halved yet"


def test_a_schedule_is_carried_out_and_what_came_before_its_end_is_not_the_best():
    work = learning()
    start = work.candidate().scheduled(Halving(("0.weight",), ends=0.5))
    end = finish(Training(epochs=2, learning_rate=1e-6).steps(start, work))
    assert end.schedules == ()
    assert int((end.model[0].weight != 0).sum()) == len(end.model[0].weight)
    assert end.constraints.of("0.weight", Mask) is not None


def test_a_stop_before_a_schedule_ends_keeps_the_latest_and_says_how_far_it_came():
    work = learning()
    steps = Training(epochs=2).steps(work.candidate().scheduled(Halving(("0.weight",), ends=0.5)), work)
    while next(steps).record.get("epoch", 0) < 0.3:
        pass
    with pytest.raises(StopIteration) as stop:
        steps.throw(Stopped())
    end = stop.value.value
    assert end.notes == ("not halved yet",)
    assert end.schedules == ()
    assert changed(work.candidate(), end)


def test_patience_ends_a_training_that_does_not_gain():
    work = learning()
    seen = list(Training(epochs=50, learning_rate=1e-9, patience=2).steps(work.candidate(), work))
    assert seen[-1].record["epoch"] == 2


@dataclass(frozen=True, eq=False)
class Scaled(Rounding):
    factor: Tensor

    def __call__(self, values: Tensor) -> Tensor:
        return values * self.factor

    def learned(self) -> dict[str, Tensor]:
        return {"factor": self.factor}


def test_what_roundings_of_activations_learn_is_trained_and_kept():
    work = learning()
    start = work.candidate().rounding({"0/input": Scaled(torch.tensor(0.5))})
    end = finish(Training(epochs=5, learning_rate=0.05).steps(start, work))
    factor = end.activations["0/input"].factor
    assert float(factor) != 0.5 and not factor.requires_grad
    assert torch.equal(end.call(work, X), end.model(X * factor))
    assert not any(module._forward_pre_hooks for module in end.model.modules())


def test_every_yield_is_progress():
    work = learning()
    assert all(isinstance(each, Progress) for each in QUICK.steps(work.candidate(), work))


def test_a_large_net_takes_the_steps_of_a_small_one(monkeypatch):
    """Large nets are trained by one kernel for the whole step: the same arithmetic, in another order."""
    work = learning()
    apart = trained(work)
    monkeypatch.setattr("workbench.training._FUSED_FROM", 1)
    at_once = trained(work)
    for one, other in zip(apart.model.parameters(), at_once.model.parameters(), strict=True):
        torch.testing.assert_close(one, other, rtol=1e-4, atol=1e-5)
    assert changed(work.candidate(), at_once)
