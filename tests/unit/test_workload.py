"""A workload takes any model and any data, or says in one line what is wrong, and never changes the model."""

from __future__ import annotations

import copy
import math
from typing import Any

import pytest
import torch
from small import CLASSES, FEATURES, blobs, data, hooks, net, same, states, workload
from torch import Tensor, nn
from torch.nn import functional
from torch.nn.utils import prune, spectral_norm, weight_norm
from torch.nn.utils.parametrizations import orthogonal
from torch.nn.utils.parametrizations import weight_norm as parametrized_weight_norm
from torch.utils.data import DataLoader, IterableDataset, TensorDataset

from workbench.data import Batches
from workbench.errors import ModelChanged, WorkbenchError, WorkloadError
from workbench.workload import Workload


def refused(*args: Any, **options: Any) -> str:
    """The one line a workload that cannot be made gets."""
    with pytest.raises(WorkloadError) as caught:
        Workload(*args, **options)
    line = str(caught.value)
    assert "\n" not in line
    assert len(line) < 350
    return line


def agrees(work: Workload, model: nn.Module, tolerance: float = 0) -> bool:
    """Whether the baseline gives what the model gives in eval mode."""
    model = model.eval()
    with torch.no_grad():
        ours, theirs = work.call(work.baseline, work.example), work.call(model, work.example)
    return torch.allclose(ours, theirs, rtol=0, atol=tolerance)


# ---- the model is left alone ----------------------------------------------------------------------------


def test_a_model_in_train_mode_is_left_in_train_mode_and_untouched():
    model = net(nn.BatchNorm1d(8), nn.ReLU(), nn.Dropout(0.5)).train()
    before = states(model)
    work = workload(model)
    assert model.training
    assert all(each.training for each in model.modules())
    assert same(states(model), before)  # batch statistics too
    assert hooks(model) == 0
    assert not any(each.training for each in work.baseline.modules())
    assert work.model is model


def test_a_mixed_mode_is_left_as_it_is():
    model = net(nn.BatchNorm1d(8), nn.ReLU()).train()
    model[1].eval()
    workload(model)
    assert [each.training for each in model] == [True, False, True, True]


def test_baseline_and_candidates_share_no_tensor_with_the_model():
    model = net()
    work = workload(model)
    tensors = [list(each.parameters()) for each in (model, work.baseline, work.candidate().model)]
    assert len({each.data_ptr() for group in tensors for each in group}) == 3 * len(tensors[0])


def test_gradients_and_requires_grad_are_left_alone():
    model = net()
    model[0].weight.requires_grad_(False)
    model(blobs(4)[0]).sum().backward()
    gradient = model[2].weight.grad.clone()
    work = workload(model)
    assert torch.equal(model[2].weight.grad, gradient)
    assert [each.requires_grad for each in work.baseline.parameters()] == [False, True, True, True]


def test_random_states_are_left_alone():
    state = torch.get_rng_state()
    loader = DataLoader(TensorDataset(*blobs(32)), batch_size=8, shuffle=True)
    Workload(net(nn.Dropout(0.5)).train(), train=loader)
    assert torch.equal(torch.get_rng_state(), state)


# ---- normalizations that compute weights ----------------------------------------------------------------

COMPUTED = {
    "weight_norm, new": lambda layer: parametrized_weight_norm(layer),
    "weight_norm, old": lambda layer: weight_norm(layer),
    "spectral_norm, new": lambda layer: nn.utils.parametrizations.spectral_norm(layer),
    "spectral_norm, old": lambda layer: spectral_norm(layer),
    "orthogonal": lambda layer: orthogonal(layer),
    "torch's prune": lambda layer: prune.l1_unstructured(layer, "weight", 0.5),
}


@pytest.mark.filterwarnings("ignore:.*weight_norm.*:FutureWarning")
@pytest.mark.parametrize("used", ["fresh", "called", "trained"])
@pytest.mark.parametrize("kind", COMPUTED)
def test_computed_weights_are_written_out_in_the_copy_and_stay_in_the_model(kind, used):
    model = net()
    COMPUTED[kind](model[0])
    model.train() if used == "trained" else model.eval()
    if used != "fresh":
        model(blobs(8)[0]).sum().backward()
    before, hooked = states(model), hooks(model)
    work = workload(model)
    assert states(work.baseline).keys() == states(net()).keys()
    assert all(each.is_leaf for each in work.baseline.parameters())
    assert not hooks(work.baseline)
    assert type(work.baseline[0]) is nn.Linear
    assert same(states(model), before)
    assert hooks(model) == hooked
    work.check_unchanged()
    copy.deepcopy(work.baseline)
    train_a_step(model)  # the original still works: it trains through its own computation
    assert not same(states(model), before)
    with pytest.raises(ModelChanged):
        work.check_unchanged()


@pytest.mark.filterwarnings("ignore:.*weight_norm.*:FutureWarning")
@pytest.mark.parametrize("kind", COMPUTED)
def test_computed_weights_give_the_same_outputs(kind):
    model = net()
    COMPUTED[kind](model[0])
    model(blobs(8)[0])
    assert agrees(workload(model.eval()), model, tolerance=1e-6)


def train_a_step(model: nn.Module) -> None:
    inputs, targets = blobs(12, seed=9)
    optimizer = torch.optim.SGD(model.parameters(), 0.1)
    functional.cross_entropy(model.train()(inputs), targets).backward()
    optimizer.step()


# ---- models that cannot be taken ------------------------------------------------------------------------


def test_a_class_instead_of_a_model():
    class Net(nn.Linear):
        pass

    assert refused(Net) == "Net is a class; make a model of it first: Net()"


@pytest.mark.parametrize("wrong", [None, 3, "net", lambda x: x, torch.zeros(3)])
def test_what_is_no_module(wrong):
    assert refused(wrong).startswith("the model must be a torch.nn.Module, got ")


@pytest.mark.filterwarnings("ignore:.*torch.jit.*")
@pytest.mark.parametrize("way", ["script", "trace"])
def test_a_scripted_model(way):
    scripted = torch.jit.script(net()) if way == "script" else torch.jit.trace(net(), blobs(2)[0])
    assert (
        "is scripted (TorchScript) and cannot be rewritten; give the nn.Module it was made from"
        in refused(scripted)
    )


@pytest.mark.parametrize(
    ("value", "word"), [(math.nan, "NaN"), (math.inf, "infinite"), (-math.inf, "infinite")]
)
def test_weights_that_are_not_finite(value, word):
    model = net()
    model[2].weight.data[0, 0] = value
    assert refused(model, **data()) == (
        f"2.weight holds {word} weights; train or load the model again before compressing it"
    )


def test_batch_statistics_that_are_nan():
    model = net(nn.BatchNorm1d(8))
    model[1].running_var.fill_(math.nan)
    assert refused(model).startswith("1.running_var holds NaN")


def test_an_infinite_buffer_is_an_attention_mask():
    class Masked(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.layer = nn.Linear(FEATURES, CLASSES)
            self.register_buffer("mask", torch.full((CLASSES,), -math.inf).index_fill(0, torch.tensor(0), 0))

        def forward(self, x: Tensor) -> Tensor:
            return self.layer(x).softmax(1) + self.mask.exp()

    work = workload(Masked())
    work.check_unchanged()


def test_weights_on_the_meta_device():
    assert refused(nn.Linear(3, 2, device="meta")) == (
        "weight is on the meta device and has no values; load the weights first"
    )


def test_a_lazy_layer_has_no_weights_yet():
    assert "has not been called yet" in refused(nn.Sequential(nn.LazyLinear(3)))


def test_a_model_that_cannot_be_copied():
    class Locked(nn.Linear):
        def __deepcopy__(self, memo: Any) -> Any:
            raise RuntimeError("locked\nreally")

    assert refused(Locked(2, 2)).startswith("the model cannot be copied: locked")


# ---- data and labels ------------------------------------------------------------------------------------


def test_an_empty_loader():
    empty = DataLoader(TensorDataset(*(each[:0] for each in blobs(3))), batch_size=4)
    assert refused(net(), validation=empty).startswith("validation is empty")
    assert refused(net(), train=[]).startswith("train is empty")


@pytest.mark.parametrize(("label", "said"), [(CLASSES, CLASSES), (99, 99), (-1, -1)])
def test_a_label_out_of_range_in_the_first_batch(label, said):
    inputs, targets = blobs(12)
    targets[5] = label
    assert refused(net(), validation=(inputs, targets), test=blobs(6)) == (
        f"label {said} is out of range: the model has 3 outputs, so labels run from 0 to 2"
    )


def test_a_label_out_of_range_in_a_later_batch_is_told_when_it_is_met():
    inputs, targets = blobs(400)
    targets[300] = 7
    work = workload(train=(inputs, targets))
    first = next(iter(work.train))
    work.loss(work.call(work.baseline, first[0]), first[1])
    with pytest.raises(WorkloadError, match="label 7 is out of range"):
        for inputs, targets in work.train:
            work.loss(work.call(work.baseline, inputs), targets)


@pytest.mark.parametrize("dtype", [torch.int32, torch.uint8, torch.int16, torch.int64])
def test_labels_may_be_whole_numbers_of_any_size(dtype):
    inputs, targets = blobs(12)
    work = workload(train=(inputs, targets.to(dtype)))
    assert work.is_classification
    ours = work.loss(work.call(work.baseline, inputs), targets.to(dtype))
    assert torch.equal(ours, functional.cross_entropy(work.baseline(inputs), targets))


def test_a_batch_with_more_inputs_than_targets():
    work = workload()
    inputs, targets = blobs(12)
    with pytest.raises(WorkloadError, match="12 outputs and 9 targets"):
        work.loss(work.baseline(inputs), targets[:9])


def test_what_is_missing_is_held_out_once_and_said():
    work = Workload(net(), train=blobs(100))
    assert (work.train.n, work.validation.n, work.test.n) == (80, 10, 10)
    assert work.notes == ("the train data were split once by seed 0: train 80, validation 10, test 10",)
    same_again = Workload(net(), train=blobs(100))
    assert torch.equal(same_again.test.first()[0], work.test.first()[0])
    other = Workload(net(), train=blobs(100), seed=1)
    assert not torch.equal(other.test.first()[0], work.test.first()[0])


@pytest.mark.parametrize(
    ("given", "sizes"),
    [
        (("validation",), (None, 50, 50)),
        (("test",), (None, 50, 50)),
        (("train", "validation"), (100, 50, 50)),
        (("train", "test"), (90, 10, 100)),
        (("validation", "test"), (None, 100, 100)),
        (("train", "validation", "test"), (100, 100, 100)),
    ],
)
def test_choosing_and_reporting_never_share_a_sample(given, sizes):
    splits = {name: blobs(100, seed) for seed, name in enumerate(given)}
    work = Workload(net(), **splits)
    assert tuple(getattr(work, name).n if getattr(work, name) else None for name in
                 ("train", "validation", "test")) == sizes  # fmt: skip
    rows = [
        tuple(row) for name in given or () for inputs, _ in getattr(work, name) for row in inputs.tolist()
    ]
    assert len(set(rows)) == len(rows)
    assert bool(work.notes) == (len(given) < 2 or (given[0] == "train" and len(given) == 2))


def test_data_that_cannot_be_split_are_used_whole_and_said():
    class Streamed(IterableDataset):
        def __iter__(self) -> Any:
            return zip(*blobs(20), strict=True)

    work = Workload(net(), validation=DataLoader(Streamed(), batch_size=8))
    assert work.test is None
    assert work.notes[0].startswith("validation data were not split: ")


def test_a_split_that_is_not_there():
    work = Workload(net(), validation=blobs(10), test=blobs(10))
    with pytest.raises(
        WorkloadError, match=r"Sequential has no train data; give them: Workload\(net, train="
    ):
        work.split("train")
    with pytest.raises(WorkloadError, match="no split named 'tset'; there are train, validation, test"):
        work.split("tset")
    assert isinstance(work.split("test"), Batches)


# ---- inputs, outputs, losses ----------------------------------------------------------------------------


class Two(nn.Module):
    """Takes two inputs by position, or by name."""

    def __init__(self, outputs: str = "tensor") -> None:
        super().__init__()
        self.a, self.b = nn.Linear(FEATURES, CLASSES), nn.Linear(FEATURES, CLASSES)
        self.outputs = outputs

    def forward(self, left: Tensor, right: Tensor) -> Any:
        scores = self.a(left) + self.b(right)
        return {"tensor": scores, "tuple": (scores, left), "dict": {"logits": scores}}[self.outputs]


X, Y = blobs(24)


@pytest.mark.parametrize("inputs", [(X, X), {"left": X, "right": X}, {"right": X, "left": X}, [X, X]])
def test_tuple_inputs_go_by_position_and_mappings_by_name(inputs):
    work = Workload(Two(), train=(inputs, Y))
    assert work.call(work.baseline, work.example).shape == (1, CLASSES)
    assert work.is_classification
    given, targets = work.train.first()
    assert work.loss(work.call(work.baseline, given), targets).ndim == 0


def test_forward_calls_the_model_a_way_of_ones_own():
    work = Workload(Two(), train=(X, Y), forward=lambda model, x: model(x, right=2 * x))
    assert torch.equal(work.call(work.baseline, X), work.baseline(X, 2 * X))


def test_a_model_that_does_not_take_its_data():
    line = refused(net(), train=(X[:, :4], Y))
    assert line.startswith("Sequential does not take its input (float32 1×4): mat1 and mat2")
    assert line.endswith("give example= as the model takes it, or forward= to call it your way")
    assert "Two does not take its input (float32 1×6): " in refused(Two(), train=(X, Y))


def test_a_model_whose_forward_fails_without_words():
    class Broken(nn.Linear):
        def forward(self, x: Tensor) -> Tensor:
            raise NotImplementedError

    assert "(float32 1×6): NotImplementedError; give" in refused(Broken(FEATURES, 3), train=(X, Y))


@pytest.mark.parametrize("shape", [(24, 1), (24,)])
def test_regression_compares_like_with_like(shape):
    work = Workload(nn.Linear(FEATURES, 1), train=(X, torch.randn(24).reshape(shape)))
    inputs, targets = work.train.first()
    assert not work.is_classification
    outputs = work.baseline(inputs)
    loss = work.loss(outputs, targets)
    assert torch.allclose(loss, ((outputs.flatten() - targets.flatten()) ** 2).mean())  # no broadcast


def test_regression_targets_of_another_shape_get_one_line():
    work = Workload(nn.Linear(FEATURES, 2), train=(X, torch.randn(24)))
    with pytest.raises(
        WorkloadError, match="outputs are float32 24×2 but targets are float32 24; give loss="
    ):
        work.loss(work.baseline(X), torch.randn(24))


def test_regression_in_two_precisions():
    work = Workload(nn.Linear(FEATURES, 1), train=(X, torch.randn(24, dtype=torch.float64)))
    assert work.loss(work.baseline(X), torch.randn(24, dtype=torch.float64)).dtype == torch.float32


def test_whole_number_targets_of_positions_are_cross_entropy_too():
    class PerPixel(nn.Conv2d):
        pass

    images, labels = torch.randn(20, 1, 4, 4), torch.randint(3, (20, 4, 4))
    work = Workload(PerPixel(1, 3, 1), train=(images, labels))
    assert not work.is_classification  # one label a sample is
    outputs = work.baseline(images)
    assert torch.equal(work.loss(outputs, labels), functional.cross_entropy(outputs, labels))


def test_one_output_and_a_loss_of_ones_own_is_no_classification():
    bce = lambda outputs, targets: functional.binary_cross_entropy_with_logits(outputs[:, 0], targets.float())  # noqa: E731
    work = Workload(nn.Linear(FEATURES, 1), train=(X, Y % 2), loss=bce)
    assert not work.is_classification
    assert work.loss(work.baseline(X), Y % 2).ndim == 0


@pytest.mark.parametrize("outputs", ["tuple", "dict"])
def test_outputs_in_a_tuple_or_mapping_need_a_loss(outputs):
    without = Workload(Two(outputs), train=((X, X), Y))
    with pytest.raises(WorkloadError, match=rf"the model gives a {outputs}; give loss=.* that takes it"):
        without.loss(without.call(without.baseline, (X, X)), Y)
    own = lambda outputs, targets: functional.cross_entropy(  # noqa: E731
        outputs["logits"] if isinstance(outputs, dict) else outputs[0], targets
    )
    work = Workload(Two(outputs), train=((X, X), Y), loss=own)
    assert work.loss(work.call(work.baseline, (X, X)), Y).ndim == 0
    assert not work.is_classification


@pytest.mark.parametrize("value", [3.0, torch.zeros(24), None])
def test_a_loss_that_is_not_one_number(value):
    work = workload(loss=lambda outputs, targets: value)
    with pytest.raises(WorkloadError, match="loss must give one number, a tensor without dimensions; got"):
        work.loss(work.baseline(X), Y)


def test_own_metrics_are_kept_by_name():
    metrics = {"worst": lambda outputs, targets: float(outputs.min())}
    assert workload(metrics=metrics).metrics == metrics


@pytest.mark.parametrize("metrics", [{"f": 3}, [len], len])
def test_metrics_that_are_no_functions_by_name(metrics):
    assert "metrics must map names to functions of (outputs, targets)" in refused(net(), metrics=metrics)


@pytest.mark.parametrize("what", ["loss", "forward"])
def test_what_is_no_function(what):
    assert refused(net(), **{what: "cross_entropy"}) == f"{what} must be a function, got 'cross_entropy'"


def test_class_names_in_the_number_of_outputs():
    assert workload(classes=[1, 2, 3]).classes == ("1", "2", "3")
    assert refused(net(), **data(), classes=["a", "b"]) == "2 class names for 3 outputs; give one for each"


# ---- bare models ----------------------------------------------------------------------------------------


def test_a_bare_model_is_a_workload():
    work = Workload(net(), name="mine")
    assert (work.train, work.validation, work.test, work.notes) == (None, None, None, ())
    assert tuple(work.example.shape) == (1, FEATURES)  # guessed from the first layer
    assert repr(work) == "<Workload mine: no data>"
    assert not work.is_classification
    with pytest.raises(WorkloadError, match=r"mine has no validation data; give them: Workload\(net, valid"):
        work.split("validation")


@pytest.mark.parametrize("model", [nn.Conv2d(1, 3, 3), nn.Embedding(5, 3), nn.ReLU(), Two(), nn.GRU(3, 4)])
def test_a_bare_model_whose_input_cannot_be_guessed(model):
    assert Workload(model).example is None


def test_a_bare_model_takes_a_shape_or_an_example():
    assert tuple(Workload(nn.Conv2d(1, 3, 3), input_shape=(1, 8, 8)).example.shape) == (1, 1, 8, 8)
    assert tuple(Workload(net(), input_shape=FEATURES).example.shape) == (1, FEATURES)
    assert Workload(Two(), example=[X[:1], X[:1]]).example[1].shape == (1, FEATURES)
    assert "does not take its input (float32 1×9)" in refused(net(), input_shape=(9,))
    assert "input_shape must be whole numbers" in refused(net(), input_shape="8")


@pytest.mark.parametrize("dtype", [torch.float64, torch.bfloat16, torch.float16])
def test_models_of_another_precision(dtype):
    model = net().to(dtype)
    assert Workload(model).example.dtype == dtype
    assert Workload(model, input_shape=(FEATURES,)).example.dtype == dtype
    work = Workload(model, train=(X.to(dtype), Y))
    assert work.call(work.baseline, work.example).dtype == dtype
    assert work.baseline[0].weight.dtype == dtype
    assert math.isfinite(work.loss(work.call(work.baseline, X.to(dtype)), Y).item())


def test_a_model_in_channels_last_keeps_its_layout():
    model = nn.Sequential(nn.Conv2d(3, 4, 3), nn.Flatten(), nn.Linear(144, 2)).to(
        memory_format=torch.channels_last
    )
    work = Workload(model, input_shape=(3, 8, 8))
    assert work.baseline[0].weight.is_contiguous(memory_format=torch.channels_last)
    work.check_unchanged()


def test_models_without_parameters_or_with_buffers_only():
    class Counter(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.register_buffer("scale", torch.ones(CLASSES))

        def forward(self, x: Tensor) -> Tensor:
            return x[:, :CLASSES] * self.scale

    for model in (nn.Flatten(), Counter()):
        work = Workload(model, input_shape=(FEATURES,))
        assert work.device.type == "cpu"
        work.check_unchanged()
    work = workload(Counter())
    assert work.is_classification
    work.model.scale += 1
    with pytest.raises(ModelChanged, match="first in scale"):
        work.check_unchanged()


def test_a_one_layer_model():
    work = workload(nn.Linear(FEATURES, CLASSES))
    assert (work.name, work.is_classification, work.threads) == ("Linear", True, 1)


def test_tied_weights_stay_tied():
    model = net(nn.ReLU(), nn.Linear(8, 8), nn.ReLU(), nn.Linear(8, 8))
    model[4].weight = model[2].weight
    work = workload(model)
    assert work.baseline[4].weight is work.baseline[2].weight
    copied = work.candidate().model
    assert copied[4].weight is copied[2].weight is not work.baseline[2].weight


# ---- a model that changes afterwards --------------------------------------------------------------------

CHANGES = {
    "through .data": lambda model: model[2].weight.data.mul_(2),
    "by an optimizer": train_a_step,
    "by load_state_dict": lambda model: model.load_state_dict(net(seed=5).state_dict()),
    "a layer of another size": lambda model: model.__setitem__(0, nn.Linear(FEATURES, 8, bias=False)),
    "a layer of the same size": lambda model: model.__setitem__(0, nn.Linear(FEATURES, 8)),
    "a layer without weights": lambda model: model.__setitem__(1, nn.GELU()),
    "a layer added": lambda model: model.append(nn.Softmax(1)),
    "a layer's setting": lambda model: model.__setitem__(1, nn.LeakyReLU(0.9)),
    "a weight replaced": lambda model: setattr(model[0], "weight", nn.Parameter(torch.zeros(8, FEATURES))),
    "another precision": lambda model: model.double(),
}


@pytest.mark.parametrize("how", CHANGES)
def test_a_model_that_changes_is_noticed(how):
    model = net(nn.LeakyReLU(0.1))
    work = workload(model)
    work.check_unchanged()
    CHANGES[how](model)
    with pytest.raises(ModelChanged, match=r"has changed since this workload was made \(first in ") as caught:
        work.check_unchanged()
    assert "make the workload again to compress it as it is now" in str(caught.value)
    before = states(work.baseline)
    assert same(before, states(net(nn.LeakyReLU(0.1))))  # the baseline is as it was


@pytest.mark.parametrize("how", ["train", "requires_grad", "called", "renamed"])
def test_what_is_no_change(how):
    model = net(nn.Dropout(0.2)).eval()
    work = workload(model)
    {
        "train": lambda: model.train(),
        "requires_grad": lambda: model.requires_grad_(False),
        "called": lambda: model(X),
        "renamed": lambda: setattr(work, "name", "other"),
    }[how]()
    work.check_unchanged()


def test_a_model_that_counts_its_calls_does_not_change_by_being_measured():
    class Counting(nn.Linear):
        def __init__(self) -> None:
            super().__init__(FEATURES, CLASSES)
            self.register_buffer("calls", torch.zeros(()))

        def forward(self, x: Tensor) -> Tensor:
            self.calls += 1
            return super().forward(x)

    work = workload(Counting())
    work.call(work.baseline, X)
    work.check_unchanged()
    work.model(X)
    with pytest.raises(ModelChanged, match="first in calls"):
        work.check_unchanged()


# ---- the rest -------------------------------------------------------------------------------------------


def test_a_small_model_computes_on_one_thread_unless_told():
    assert workload().threads == 1
    assert workload(threads=2).threads == 2


def test_what_is_shown():
    work = workload(name="blobs")
    assert repr(work) == "<Workload blobs: train 96, validation 48, test 48>"


@pytest.mark.parametrize("seed", [0.5, None, "a"])
def test_a_seed_is_a_whole_number(seed):
    with pytest.raises(WorkbenchError, match="seed must be a whole number, got "):
        workload(seed=seed)
