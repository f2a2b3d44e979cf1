"""Parameters, non-zeros and multiplications are those one can count by hand."""

from __future__ import annotations

import threading

import pytest
import torch
from torch import nn

from workbench.attention import without_fused_attention
from workbench.candidate import Candidate
from workbench.constraints import Grid, Mask
from workbench.measurement.compute import count_macs, layers, macs, meta_copy, nonzero, parameters
from workbench.workload import Workload


class Tied(nn.Module):
    """A decoder that uses the encoder's weight."""

    def __init__(self) -> None:
        super().__init__()
        self.encode = nn.Linear(4, 4, bias=False)
        self.decode = nn.Linear(4, 4, bias=False)
        self.decode.weight = self.encode.weight

    def forward(self, x):
        return self.decode(self.encode(x))


class Needs(nn.Module):
    """A model whose path depends on values, which the meta device does not have."""

    def __init__(self, inner: nn.Module) -> None:
        super().__init__()
        self.inner = inner

    def forward(self, x):
        return self.inner(x) if x.sum().item() > -1e9 else x


class Recurrent(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.cell = nn.LSTM(3, 5, batch_first=True)
        self.head = nn.Linear(5, 2)

    def forward(self, x):
        return self.head(self.cell(x)[0][:, -1])


def small() -> nn.Module:
    torch.manual_seed(0)
    return nn.Sequential(
        nn.Conv2d(1, 4, 3), nn.BatchNorm2d(4), nn.ReLU(), nn.Flatten(), nn.Linear(144, 3)
    ).eval()


def attention() -> nn.Module:
    torch.manual_seed(0)
    return nn.TransformerEncoderLayer(8, 2, 16, batch_first=True).eval()


# conv: 36 outputs per channel × 9 weights × 4 channels; linear: 144 × 3
SMALL = 36 * 9 * 4 + 144 * 3
# one layer on 6 tokens of 8: q, k, v and output projections, two linears, scores and weighted sum
ATTENTION = 6 * (4 * 8 * 8 + 2 * 8 * 16) + 2 * 6 * 6 * 8
# 7 steps of four gates over 3 inputs and 5 hidden values, then the head
RECURRENT = 7 * 4 * 5 * (3 + 5) + 5 * 2


def test_parameters_and_nonzeros() -> None:
    model = small()
    assert parameters(model) == 36 + 4 + 8 + 432 + 3
    with torch.no_grad():
        model[4].weight[:, :100] = 0
        model[4].bias.fill_(1.0)
        model[1].bias.fill_(1.0)
    assert nonzero(model) == parameters(model) - 300


def test_tied_tensors_count_once() -> None:
    assert parameters(Tied()) == nonzero(Tied()) == 16


@pytest.mark.parametrize(
    ("make", "shape", "expected"),
    [
        (small, (1, 1, 8, 8), SMALL),
        (attention, (1, 6, 8), ATTENTION),
        (Recurrent, (1, 7, 3), RECURRENT),
        (Tied, (1, 4), 32),
    ],
)
def test_macs_are_those_on_paper_with_and_without_values(make, shape, expected) -> None:
    model, example = make().eval(), torch.randn(shape)
    assert macs(model, example) == expected
    assert macs(Needs(model), example) == expected  # falls back from the meta device


def test_counting_restores_the_settings_it_needs() -> None:
    macs(Needs(attention()), torch.randn(1, 6, 8))
    assert torch.backends.mha.get_fastpath_enabled()
    assert torch.backends.cuda.flash_sdp_enabled()


def test_threads_that_count_at_once_leave_the_settings_as_they_were() -> None:
    inside, others = threading.Event(), []

    def counting() -> None:
        with without_fused_attention():
            inside.set()
            others[1].join(0.2)  # the other one may not come in between

    def after() -> None:
        inside.wait(10)
        macs(Needs(attention()), torch.randn(1, 6, 8))

    others += [threading.Thread(target=counting), threading.Thread(target=after)]
    for each in reversed(others):
        each.start()
    for each in others:
        each.join(30)
    assert torch.backends.mha.get_fastpath_enabled()


def test_macs_without_an_example_are_unknown() -> None:
    assert macs(small(), None) is None


def test_inputs_by_name_and_by_position() -> None:
    class Sum(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.layer = nn.Linear(4, 2)

        def forward(self, a, b):
            return self.layer(a + b)

    x = torch.randn(1, 4)
    assert macs(Sum(), (x, x)) == macs(Sum(), {"a": x, "b": x}) == 8
    assert macs(Sum(), x, call=lambda model, inputs: model(inputs, inputs)) == 8


def test_skipping_zero_weights_scales_each_layer_by_its_own_density() -> None:
    model = small()
    with torch.no_grad():
        model[0].weight[:2] = 0  # half of the convolution
    counted = count_macs(model, torch.randn(1, 1, 8, 8))
    assert counted.total == SMALL
    assert counted.nonzero(model) == SMALL - 36 * 9 * 2


def test_counting_takes_no_copy_of_the_weights_and_leaves_the_model() -> None:
    model = small()
    before = {name: each.data_ptr() for name, each in model.state_dict().items()}
    empty = meta_copy(model)
    assert all(each.is_meta for each in empty.state_dict().values())
    assert {name: each.data_ptr() for name, each in model.state_dict().items()} == before
    tied = meta_copy(Tied())
    assert tied.encode.weight is tied.decode.weight


def test_another_threads_work_is_not_counted() -> None:
    model, example, stop = small(), torch.randn(1, 1, 8, 8), threading.Event()
    began = threading.Event()

    def busy() -> None:
        while not stop.is_set():
            model(example)
            began.set()

    thread = threading.Thread(target=busy)
    thread.start()
    began.wait(10)
    try:
        assert {macs(model, example) for _ in range(5)} == {SMALL}
    finally:
        stop.set()
        thread.join()


def test_layers_add_up_to_the_model() -> None:
    candidate = Candidate.of(small())
    work = Workload(candidate.model, input_shape=(1, 8, 8))
    found = layers(candidate, work)
    assert [each.name for each in found] == ["0", "1", "4"]
    assert [each.kind for each in found] == ["Conv2d", "BatchNorm2d", "Linear"]
    assert found[0].shape == (4, 1, 3, 3)
    assert sum(each.parameters for each in found) == parameters(candidate.model)
    assert sum(each.nonzero for each in found) == nonzero(candidate.model)
    assert sum(each.macs for each in found) == SMALL
    assert {each.bits for each in found} == {32}


def test_layers_show_constraints() -> None:
    weight = small()[4].weight
    keep = torch.zeros_like(weight, dtype=torch.bool)
    keep[:, :36] = True
    candidate = Candidate.of(small()).constrained({"4.weight": Mask(keep)})
    candidate = candidate.constrained({"4.weight": Grid(4, torch.full((3, 1), 0.01))})
    last = layers(candidate, Workload(candidate.model, input_shape=(1, 8, 8)))[-1]
    assert (last.bits, last.nonzero <= 108 + 3) == (4, True)
    # 108 kept weights of 4 bits, three float32 scales, three float32 biases
    assert last.claimed_bytes == 54 + 12 + 12


def test_layers_of_a_model_without_input_have_no_macs() -> None:
    model = small()
    found = layers(Candidate.of(model), Workload(model))
    assert all(each.macs is None for each in found)
    assert found[0].parameters == 40


def test_a_shared_weight_belongs_to_the_first_layer() -> None:
    found = layers(Candidate.of(Tied()), Workload(Tied(), input_shape=(4,)))
    assert [(each.name, each.macs) for each in found] == [("encode", 32)]
