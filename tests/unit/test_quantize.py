"""`Quantize`: which weights it rounds, to how many bits, by which ranges, and what it leaves alone."""

from __future__ import annotations

import functools
from typing import Any

import pytest
import small
import torch
from torch import Tensor, nn

from workbench.candidate import Candidate
from workbench.constraints import Mask, Scaled, Signs
from workbench.errors import OptionError, RecipeError, WorkbenchError
from workbench.job import finish
from workbench.measurement.size import bits, claimed_bytes
from workbench.storage import pack, unpack
from workbench.technique import Context, Technique, prepared
from workbench.techniques.fine_tune import FineTune
from workbench.techniques.quantize import Quantize
from workbench.workload import Workload


def applied(step: Technique, candidate: Candidate, work: Any = None, **context: Any) -> Candidate:
    given = Context(work, **context)
    return finish(step.apply(candidate, given, prepared(step, candidate, given)))


def of(*layers: nn.Module) -> Candidate:
    with torch.random.fork_rng():
        torch.manual_seed(0)
        return Candidate.of(nn.Sequential(*layers))


def grids(candidate: Candidate) -> dict[str, Scaled]:
    return {
        name: each
        for name, chain in candidate.constraints.items()
        for each in chain
        if isinstance(each, Scaled)
    }


class Attending(nn.Module):
    """Attention from torch beside plain queries, keys and values, and a position that belongs to no layer."""

    def __init__(self) -> None:
        super().__init__()
        self.embed = nn.Embedding(11, 8)
        self.position = nn.Parameter(torch.randn(1, 5, 8))
        self.attention = nn.MultiheadAttention(8, 2, batch_first=True)
        self.other_keys = nn.MultiheadAttention(8, 2, kdim=6, vdim=4)
        self.query, self.key, self.value = (nn.Linear(8, 8) for _ in range(3))
        self.norm = nn.LayerNorm(8)

    def forward(self, given: Tensor) -> Tensor:
        x = self.embed(given) + self.position
        x = self.norm(x + self.attention(x, x, x)[0])
        scores = (self.query(x) @ self.key(x).mT).softmax(-1)
        return (scores @ self.value(x)).mean(1)


MODELS = {
    "convolutions": lambda: (
        nn.Conv1d(4, 6, 3), nn.Conv2d(4, 6, 3, groups=2), nn.Conv3d(2, 4, 2), nn.ConvTranspose1d(3, 5, 2),
        nn.ConvTranspose2d(4, 6, 3, groups=2), nn.ConvTranspose3d(2, 3, 2),
    ),
    "recurrent": lambda: (
        nn.RNN(3, 4), nn.LSTM(3, 4, num_layers=2, bidirectional=True), nn.GRU(3, 4),
        nn.LSTM(3, 8, proj_size=2), nn.LSTMCell(3, 4),
    ),
    "attention": lambda: (Attending(), nn.Linear(8, 3), nn.Bilinear(3, 4, 5)),
}  # fmt: skip
STEPS = (
    Quantize(4),
    Quantize(3, granularity="group", group=5, symmetric=False),
    Quantize(5, granularity="tensor", range="mse"),
    Quantize(1),
    Quantize(8, range="percentile", percentile=99, learned=True),
)


@pytest.mark.parametrize("kind", MODELS)
@pytest.mark.parametrize("step", STEPS, ids=str)
def test_layers_of_every_kind_are_rounded_and_stored(kind: str, step: Quantize):
    candidate = of(*MODELS[kind]())
    made = applied(step, candidate)
    wanted = {
        name for name, each in candidate.model.named_parameters() if each.ndim > 1 and "position" not in name
    }
    assert set(grids(made)) == wanted
    for name, grid in grids(made).items():
        weight = made.model.get_parameter(name).detach()
        assert torch.equal(grid(candidate.free(name)), weight)
        assert grid.count <= 2**step.weights
    assert [note for note in made.notes if "position" in note] == (
        ["left as they are: 0.position"] if kind == "attention" else []
    )
    again = unpack(pack(made, original=candidate.model), candidate.model).candidate
    assert small.same(small.states(again.model), small.states(made.model))
    for name, grid in grids(made).items():
        other = grids(again)[name]
        assert type(other) is type(grid)
        assert torch.equal(other.scale, grid.scale)
        assert (other.group, other.axis, other.gain is None) == (grid.group, grid.axis, grid.gain is None)
        assert torch.equal(other(candidate.free(name)), grid(candidate.free(name)))


def test_channels_of_transposed_convolutions_are_their_second_axis():
    made = applied(Quantize(4), of(nn.ConvTranspose2d(4, 6, 3)))
    assert grids(made)["0.weight"].scale.shape == (1, 6, 1, 1)


@pytest.mark.slow
def test_attention_trains_on_its_grids():
    model = nn.Sequential(Attending(), nn.Linear(8, 3))
    inputs, targets = torch.randint(0, 11, (24, 5)), torch.arange(24) % 3
    work = Workload(model, train=(inputs, targets), validation=(inputs, targets), test=(inputs, targets))
    made = applied(Quantize(4, learned=True), work.candidate(), work)
    trained = applied(FineTune(epochs=1), made, work)
    for name, chain in trained.constraints.items():
        weight = trained.model.get_parameter(name).detach()
        assert torch.equal(trained.constraints.constrain(name, weight), weight)
        assert chain[0].scale.gt(0).all()


def test_bits_of_single_layers_of_parents_and_of_first_and_last():
    candidate = of(nn.Linear(4, 4), nn.Sequential(nn.Linear(4, 4), nn.Linear(4, 4)), nn.Linear(4, 4))
    names = ("0.weight", "1.0.weight", "1.1.weight", "2.weight")

    def widths(**options: Any) -> list[int]:
        made = applied(Quantize(4, **options), candidate)
        return [bits(made, name) for name in names]

    assert widths(layers={"1": 3, "1.1": 6}) == [4, 3, 6, 4]
    assert widths(first_last=True) == [8, 4, 4, 8]
    assert widths(first_last=True, layers={"0": 2}) == [2, 4, 4, 8]
    assert widths(keep=("1.0", "2")) == [4, 32, 4, 32]


def test_a_model_of_one_layer_is_first_and_last():
    assert bits(applied(Quantize(3, first_last=True), of(nn.Linear(3, 2))), "0.weight") == 8


def test_a_tied_weight_is_rounded_once_and_stays_tied():
    model = nn.Sequential(nn.Embedding(9, 4), nn.Linear(4, 9, bias=False))
    model[1].weight = model[0].weight
    for step in STEPS:
        made = applied(step, Candidate.of(model))
        assert set(grids(made)) == {"0.weight"}
        assert made.model[1].weight is made.model[0].weight
        again = unpack(pack(made, original=model), model).candidate
        assert torch.equal(again.model[1].weight, made.model[0].weight)


def test_only_the_layers_that_may_be_touched_are():
    candidate = of(nn.Linear(4, 4), nn.BatchNorm1d(4), nn.Linear(4, 2))
    for step in (Quantize(4), Quantize(4, fold_batch_norm=True)):
        work = Workload(candidate.model, example=torch.randn(2, 4))
        made = applied(step, candidate, work, only=frozenset({"2"}))
        assert set(made.constraints) == {"2.weight"}
        assert len(list(made.model)) == 3 and isinstance(made.model[1], nn.BatchNorm1d)


def test_one_bit_is_a_sign_times_a_scale_or_with_a_zero_point_zero_and_one_value():
    candidate = of(nn.Linear(50, 4))
    signs, half = (applied(Quantize(1, symmetric=each), candidate) for each in (True, False))
    assert isinstance(grids(signs)["0.weight"], Signs)
    assert all(len(row.unique()) == 2 for row in half.model[0].weight)
    assert (half.model[0].weight == 0).any(1).all()
    assert bits(signs, "0.weight") == bits(half, "0.weight") == 1


def test_ranges_come_from_the_weights_that_a_mask_keeps():
    candidate = of(nn.Linear(50, 4))
    keep = candidate.model[0].weight.abs() < 0.05
    made = applied(Quantize(4), candidate.constrained({"0.weight": Mask(keep)}))
    assert float(grids(made)["0.weight"].scale.max()) * 7 < 0.05 * (1 + 2**-10)
    assert bool((made.model[0].weight[~keep] == 0).all())


def test_rounding_again_starts_from_the_free_weights():
    candidate = of(nn.Linear(50, 4))
    twice = applied(Quantize(8), applied(Quantize(2), candidate))
    assert small.same(small.states(twice.model), small.states(applied(Quantize(8), candidate).model))
    again = applied(Quantize(2), applied(Quantize(2), candidate))
    assert small.same(small.states(again.model), small.states(applied(Quantize(2), candidate).model))


def test_groups_longer_than_a_channel_are_channels_and_a_note_says_so():
    made = applied(Quantize(4, granularity="group", group=64), of(nn.Linear(50, 4), nn.Linear(100, 2)))
    assert grids(made)["0.weight"].scale.shape == (4, 1)
    assert grids(made)["1.weight"].scale.shape == (2, 2)
    assert any("fewer than 64 weights in one: 0" in note for note in made.notes)


def test_a_layer_of_zeros_stays_zeros():
    candidate = of(nn.Linear(5, 4))
    nn.init.zeros_(candidate.model[0].weight)
    for step in (Quantize(4), Quantize(4, symmetric=False, range="mse"), Quantize(2, granularity="group")):
        assert not applied(step, candidate).model[0].weight.any()


# ---- what bad input gets -----------------------------------------------------------------------------------


@pytest.mark.parametrize("wrong", [0, 17, 2.5, "four"])
def test_bits_out_of_range_are_refused(wrong: Any):
    with pytest.raises(OptionError, match=r"weights must .*1.*16"):
        Quantize(wrong)
    with pytest.raises(OptionError, match=r"layers must .*1.*16"):
        Quantize(4, layers={"fc": wrong})


@pytest.mark.parametrize("options", [{"layers": {"0.1": 3}}, {"keep": ("01",)}])
def test_an_unknown_layer_is_refused_with_the_nearest(options: dict[str, Any]):
    candidate = of(nn.Linear(4, 4), nn.Linear(4, 4))
    with pytest.raises(RecipeError, match=r"no layer named '0.?1' with weights.*\(there are: 0, 1\)"):
        applied(Quantize(4, **options), candidate)


@pytest.mark.parametrize("bad", [float("nan"), float("inf")])
def test_weights_that_are_not_finite_are_refused_by_name(bad: float):
    candidate = of(nn.Linear(4, 4), nn.Linear(4, 4))
    with torch.no_grad():
        candidate.model[1].weight[0, 0] = bad
    with pytest.raises(WorkbenchError, match=r"1\.weight holds 1 values that are not finite"):
        applied(Quantize(4), candidate)
    assert bits(applied(Quantize(4, keep=("1",)), candidate), "0.weight") == 4


# ---- batch norms and biases --------------------------------------------------------------------------------


def images(n: int = 64) -> tuple[Tensor, Tensor]:
    return torch.rand(n, 3, 8, 8, generator=torch.Generator().manual_seed(1)) + 0.5, torch.arange(n) % 4


class Residual(nn.Module):
    """A convolution whose output two layers read: its batch norm cannot be folded."""

    def __init__(self) -> None:
        super().__init__()
        self.conv, self.norm = nn.Conv2d(6, 6, 1), nn.BatchNorm2d(6)

    def forward(self, x: Tensor) -> Tensor:
        x = self.conv(x)
        return x + self.norm(x)


@functools.cache
def normalized() -> Workload:
    with torch.random.fork_rng():
        torch.manual_seed(0)
        model = nn.Sequential(
            nn.Conv2d(3, 6, 3, bias=False), nn.BatchNorm2d(6), nn.ReLU(), Residual(),
            nn.ConvTranspose2d(6, 4, 2), nn.BatchNorm2d(4, affine=False), nn.Flatten(),
            nn.Linear(196, 4), nn.BatchNorm1d(4),
        )  # fmt: skip
        for each in model.modules():
            if isinstance(each, nn.modules.batchnorm._BatchNorm):
                each.running_mean.normal_(), each.running_var.uniform_(0.5, 3)
                if each.affine:
                    nn.init.uniform_(each.weight, -2, 2)
    return Workload(model, train=images(), validation=images(), test=images())


def test_folded_batch_norms_leave_the_outputs_and_are_gone():
    work = normalized()
    start = work.candidate()
    made = applied(Quantize(16, fold_batch_norm=True, keep=("0", "3", "4", "7")), start, work)
    assert [type(made.model[i]) for i in (1, 5, 8)] == [nn.Identity] * 3
    assert isinstance(made.model[3].norm, nn.BatchNorm2d)
    assert any("could not be folded: 3.norm" in note for note in made.notes)
    inputs, _ = images()
    assert torch.allclose(made.call(work, inputs), start.call(work, inputs), rtol=1e-4, atol=1e-4)
    assert isinstance(start.model[1], nn.BatchNorm2d)


def test_folding_keeps_masks_and_is_stored():
    work = normalized()
    keep = torch.rand(6, 3, 3, 3, generator=torch.Generator().manual_seed(3)) > 0.5
    start = work.candidate().constrained({"0.weight": Mask(keep)})
    made = applied(Quantize(4, fold_batch_norm=True), start, work)
    assert torch.equal(made.constraints.of("0.weight", Mask).keep, keep)
    assert bool((made.model[0].weight[~keep] == 0).all())
    again = unpack(pack(made, original=work.baseline), work.model).candidate
    inputs, _ = images()
    assert torch.equal(again.call(work, inputs), made.call(work, inputs))


def mean_outputs(candidate: Candidate, work: Workload, layer: int) -> Tensor:
    inputs, _ = images()
    with torch.no_grad():
        out = candidate.model[: layer + 1](inputs)
    return out.movedim(1, -1).reshape(-1, out.shape[1]).mean(0)


def test_a_corrected_bias_takes_the_mean_error_of_each_channel_away():
    with torch.random.fork_rng():
        torch.manual_seed(0)
        model = nn.Sequential(nn.Conv2d(3, 8, 1, groups=1), nn.Flatten(), nn.Linear(512, 4))
    work = Workload(model, train=images(), validation=images(), test=images())
    start = work.candidate()
    plain, corrected = (applied(Quantize(2, bias_correction=each), start, work) for each in (False, True))
    wanted, rough, mended = (mean_outputs(each, work, 0) for each in (start, plain, corrected))
    assert float((rough - wanted).abs().max()) > 0.02
    # a 1 x 1 convolution has no border: all that is left is float32
    assert torch.allclose(mended, wanted, atol=1e-4)
    assert start.model[0].bias is not corrected.model[0].bias


def test_bias_correction_says_what_it_cannot_do_and_when_it_waits():
    work = normalized()
    made = applied(Quantize(4, bias_correction=True), work.candidate(), work)
    assert any("no bias to correct: 0; fold_batch_norm=True" in note for note in made.notes)
    quick = applied(Quantize(4, bias_correction=True), work.candidate(), work, is_preview=True)
    assert any("corrected when this runs" in note for note in quick.notes)
    without = Workload(work.model, test=images())
    with pytest.raises(WorkbenchError, match="train"):
        applied(Quantize(4, bias_correction=True), without.candidate(), without)


# ---- bytes -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "step",
    [
        *(Quantize(width) for width in (1, 2, 3, 5, 8, 12, 16)),
        Quantize(4, granularity="group", group=32),
        Quantize(4, symmetric=False, granularity="group", group=64),
    ],
    ids=str,
)
def test_a_million_weights_take_their_bits_and_scales(step: Quantize):
    candidate = of(nn.Linear(1000, 1000, bias=False))
    made = applied(step, candidate)
    data = pack(made, original=candidate.model, level="packed")
    grid = grids(made)["0.weight"]
    scales = grid.scale.numel() * (2 if step.weights <= 8 else 4)
    zeros = 0 if step.symmetric else -(-step.weights * grid.scale.numel() // 8)
    payload = 1_000_000 * step.weights // 8
    assert len(data) - scales - zeros <= payload * 1.02  # of 2 bits less: most weights are zero and left out
    assert claimed_bytes(made) == payload + scales + zeros
    again = unpack(data, candidate.model).candidate
    assert torch.equal(again.model[0].weight, made.model[0].weight)


class Padded(nn.Module):
    """A transformer's layer that is not to look at the last two of five positions."""

    def __init__(self) -> None:
        super().__init__()
        self.layer = nn.TransformerEncoderLayer(8, 2, 16, dropout=0.0, batch_first=True)
        self.head = nn.Linear(8, 3)

    def forward(self, inputs: Tensor) -> Tensor:
        is_empty = torch.arange(5)[None].expand(len(inputs), 5) >= 3
        return self.head(self.layer(inputs, src_key_padding_mask=is_empty)[:, :3].mean(1))


@pytest.mark.parametrize("scheme", ["static", "dynamic"])
def test_a_mask_of_attention_is_no_value_and_hides_what_it_hid(scheme):
    torch.manual_seed(0)
    inputs = torch.randn(64, 5, 8)
    work = Workload(Padded().eval(), train=(inputs, torch.zeros(64, dtype=torch.long)))
    made = applied(Quantize(8, activations=8, scheme=scheme), work.candidate(), work)
    assert any(name.startswith("layer.self_attn/") for name in made.activations)
    with torch.no_grad():
        torch.testing.assert_close(made.call(work, inputs), work.baseline(inputs), rtol=0, atol=0.05)
    if scheme == "static":  # a dynamic range is about what is hidden as well
        other = torch.cat([inputs[:, :3], inputs[:, 3:].flip(0)], 1)
        torch.testing.assert_close(made.call(work, other), made.call(work, inputs))
