"""Grids with zero points and groups, levels, signs and three values: what every rounding promises."""

from __future__ import annotations

import math

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from workbench.algorithms.quantization.weights_layout import Layout
from workbench.algorithms.quantization.weights_levels import counted, kmeans, normal_float, power_of_two
from workbench.algorithms.quantization.weights_ranges import Range, scales, signs
from workbench.algorithms.quantization.weights_signs import three_values
from workbench.constraints import Grid, Levels, Mask, Precision, Scaled, Signs, Ternary, as_float16, spread

MANY = settings(derandomize=True, deadline=None, database=None, max_examples=20)
EPSILON = torch.finfo(torch.float32).eps
SHAPES = ((6, 5), (4, 3, 2, 2), (3, 7, 1), (1, 1), (5, 1, 3, 3, 2))
LAYOUTS = (("channel", 0), ("tensor", 0), ("group", 2), ("group", 3), ("group", 64))
WEIGHTS = st.builds(
    lambda seed, shape, power, shift: weight(*SHAPES[shape], seed=seed, shift=shift) * 10.0**power,
    st.integers(0, 99),
    st.integers(0, len(SHAPES) - 1),
    st.integers(-6, 6),
    st.sampled_from([0.0, 0.5, 4.0, -4.0]),
)


def weight(*shape: int, seed: int = 0, shift: float = 0.0) -> Tensor:
    return torch.randn(*(shape or (6, 5)), generator=torch.Generator().manual_seed(seed)) + shift


def layouts(values: Tensor) -> list[Layout]:
    return [Layout.of(name, group, values, axis) for axis in (0, 1) for name, group in LAYOUTS]


def grid(values: Tensor, bits: int, layout: Layout, symmetric: bool = True, rule: str = "max") -> Grid:
    made = Range.of(values, layout, rule, 99.0, symmetric).grid(bits)
    assert isinstance(made, Grid)
    return made


@MANY
@given(WEIGHTS, st.integers(1, 16), st.booleans())
def test_rounding_errs_by_at_most_half_a_step(values: Tensor, bits: int, symmetric: bool):
    for layout in layouts(values):
        if symmetric and bits == 1:
            continue
        made = grid(values, bits, layout, symmetric)
        error = (made(values) - values).abs()
        step = made.scales(values.shape)
        # half a step, and the roundings of a quotient, a product and a scale, each relative to the weight
        assert bool((error <= step / 2 + 4 * EPSILON * values.abs()).all())


@MANY
@given(WEIGHTS, st.integers(1, 16), st.booleans(), st.sampled_from(["max", "mse", "percentile"]))
def test_codes_lie_in_range_scales_are_positive_and_rounding_again_changes_nothing(
    values: Tensor, bits: int, symmetric: bool, rule: str
):
    for layout in layouts(values):
        made = Range.of(values, layout, rule, 99.0, symmetric).grid(bits)
        once = made(values)
        assert bool((made.scale > 0).all()) and made.scale.dtype == torch.float32
        indices = made.indices(values)
        assert indices.dtype == torch.int32
        assert int(indices.min()) >= 0 and int(indices.max()) < made.count <= 2**bits
        assert torch.equal(made(once), once)
        assert torch.equal(made.indices(once), indices)
        assert torch.equal(made.of_indices(indices), once)
        if isinstance(made, Grid):
            zero = 0 if made.zero is None else spread(made.zero, values.shape, made.group, made.axis)
            assert torch.equal((made.codes(values) - zero).float() * made.scales(values.shape) + 0.0, once)


@MANY
@given(WEIGHTS, st.integers(1, 16), st.booleans())
def test_zero_stays_exactly_zero_on_every_grid(values: Tensor, bits: int, symmetric: bool):
    values.reshape(-1)[::2] = 0.0
    for layout in layouts(values):
        made = Range.of(values, layout, "max", 100.0, symmetric).grid(bits)
        if isinstance(made, Grid):
            assert bool((made(values).reshape(-1)[::2] == 0).all())
            assert not bool(torch.signbit(made(values)[values == 0]).any())


def test_zero_points_are_whole_and_use_the_whole_range_of_one_sided_weights():
    values = weight(64, 64).abs() + 1
    layout = Layout(0)
    one_sided, symmetric = (grid(values, 4, layout, each) for each in (False, True))
    assert one_sided.zero is not None and one_sided.zero.dtype == torch.int32
    assert bool((one_sided.zero == 0).all())
    assert one_sided.top == 15 and symmetric.top == 7
    errors = [float((each(values) - values).square().sum()) for each in (one_sided, symmetric)]
    assert errors[0] < errors[1] / 3  # twice as many steps on the side there is: a quarter of the error


@MANY
@given(WEIGHTS, st.integers(2, 8), st.booleans())
def test_the_range_of_least_error_never_errs_more_than_the_whole_one(
    values: Tensor, bits: int, symmetric: bool
):
    for layout in layouts(values)[:5]:
        errors = [
            (grid(values, bits, layout, symmetric, rule)(values).double() - values).square()
            for rule in ("mse", "max")
        ]
        sought, whole = (layout.reduced(each, lambda rows: rows.sum(-1)) for each in errors)
        # decided in float32 sums of at most 90 squares
        assert bool((sought <= whole * (1 + 90 * EPSILON) + 1e-30).all())


def test_a_percentile_cuts_outliers_off():
    values = weight(4, 1000)
    values[:, 0] = 100.0
    assert float(Range.of(values, Layout(0), "percentile", 99.0, True).high.max()) < 4
    assert float(Range.of(values, Layout(0), "max", 99.0, True).high.min()) == 100


def test_groups_run_along_the_row_of_a_channel_and_the_last_may_be_shorter():
    values = torch.zeros(2, 5, 1)
    values[0, :2], values[0, 2:4], values[0, 4] = 7.0, 14.0, 21.0
    made = grid(values, 4, Layout.of("group", 2, values, 0))
    assert made.scale.tolist() == [[1, 2, 3], [1, 1, 1]]
    assert torch.equal(made(values), values)
    transposed = values.movedim(0, 1).contiguous()  # channels of transposed convolutions are the second axis
    other = grid(transposed, 4, Layout.of("group", 2, transposed, 1))
    assert torch.equal(other.scale, made.scale) and torch.equal(other(transposed), transposed)


def test_up_to_eight_bits_scales_take_two_bytes():
    values = weight(8, 8)
    for bits, is_short in ((4, True), (8, True), (9, False)):
        scale = grid(values, bits, Layout(0)).scale
        assert torch.equal(as_float16(scale), scale) == is_short
    assert bool((scales(torch.tensor([1e-30, 0.0]), 4) > 0).all())


@pytest.mark.parametrize("symmetric", [True, False])
def test_of_a_group_of_zeros_zeros_are_left(symmetric: bool):
    values = weight(4, 6)
    values[1] = 0.0
    for layout in layouts(values):
        for bits in (1, 2, 8):
            made = Range.of(values, layout, "mse", 100.0, symmetric).grid(bits)
            if isinstance(made, Grid):
                assert bool((made(values)[1] == 0).all())


# ---- levels ------------------------------------------------------------------------------------------------


def test_four_bits_of_normal_float_are_those_of_qlora():
    published = [-1.0, -0.6961928009986877, -0.5250730514526367, -0.39491748809814453, -0.28444138169288635]
    published += [-0.18477343022823334, -0.09105003625154495, 0.0, 0.07958029955625534, 0.16093020141124725]
    published += [0.24611230194568634, 0.33791524171829224, 0.44070982933044434, 0.5626170039176941]
    published += [0.7229568362236023, 1.0]  # Dettmers et al. 2023, appendix E
    assert torch.allclose(normal_float(4), torch.tensor(published), atol=1e-6)


@pytest.mark.parametrize("bits", range(2, 9))
@pytest.mark.parametrize("make", [normal_float, power_of_two])
def test_levels_rise_from_minus_one_to_one_with_one_zero(make, bits: int):
    levels = make(bits)
    assert bool((levels[1:] > levels[:-1]).all())
    assert float(levels[0]) == -1 and float(levels[-1]) == 1
    assert int((levels == 0).sum()) == 1
    assert len(levels) <= 2**bits


def test_powers_of_two_are_powers_of_two():
    assert power_of_two(3).tolist() == [-1, -0.5, -0.25, 0, 0.25, 0.5, 1]


@pytest.mark.parametrize("is_skew", [False, True])
@pytest.mark.parametrize("bits", [1, 2, 4, 6])
def test_k_means_levels_hold_zero_and_err_less_than_even_steps(bits: int, is_skew: bool):
    values = weight(40, 50)
    values = (values.exp() - 1.5 if is_skew else values) / 10
    values[:, :3] = 0
    levels = kmeans(counted(values), bits)
    assert 1 < len(levels) <= 2**bits and int((levels == 0).sum()) == 1
    made = Levels(levels, torch.ones(1, 1))
    even = grid(values, bits, Layout(None), symmetric=False)
    errors = [float((each(values) - values).square().sum()) for each in (made, even)]
    assert errors[0] <= errors[1] * 1.01  # of 65,535 bins
    assert bool((made(values)[:, :3] == 0).all())


def test_k_means_of_nothing_but_zeros_is_zero():
    assert kmeans(counted(torch.zeros(3, 3)), 4).tolist() == [0]


@MANY
@given(WEIGHTS, st.integers(2, 8), st.sampled_from([normal_float, power_of_two]))
def test_a_weight_goes_to_the_nearest_level(values: Tensor, bits: int, make):
    for layout in layouts(values):
        largest = layout.reduced(values.abs(), lambda rows: rows.amax(-1))
        made = Levels(make(bits), scales(largest, bits), **layout.fields)
        step = made.scales(values.shape)
        nearest = (values[..., None] - made.levels * step[..., None].expand(*values.shape, 1)).abs().amin(-1)
        assert bool(((made(values) - values).abs() <= nearest + 4 * EPSILON * values.abs()).all())
        assert torch.equal(made(made(values)), made(values))
        assert torch.equal(made.of_indices(made.indices(values)), made(values))


# ---- one bit and three values ------------------------------------------------------------------------------


def test_signs_have_the_scale_of_least_error_and_no_zero():
    values = weight(4, 100)
    made = signs(values, Layout(0))
    assert isinstance(made, Signs)
    assert torch.equal(made(values).sign(), values.sign())
    error = (made(values) - values).square().sum()
    for factor in (0.98, 1.02):
        other = Signs(made.scale * factor)
        assert bool((other(values) - values).square().sum() > error)
    assert made(torch.zeros(4, 1)).gt(0).all()


def test_a_mask_makes_the_zeros_of_signs_and_does_not_shrink_their_scale():
    values = weight(4, 100)
    mask = Mask(values.abs() > 1)
    made = signs(mask(values), Layout(0))
    assert bool((made.scale > 1).all())
    assert torch.equal(mask(made(values)) != 0, mask.keep)


def test_three_values_follow_the_rule_of_ternary_weight_networks():
    values = weight(3, 200)
    made = three_values(values, Layout(0), 0.75)
    limit = 0.75 * values.abs().mean(1, keepdim=True)
    assert torch.equal(made(values) == 0, values.abs() < limit)
    for row, scale, least in zip(values.abs(), made.scale, limit, strict=True):
        assert float(scale) == pytest.approx(float(row[row >= least].mean()), rel=2**-11)
    assert torch.equal(made(made(values)), made(values))


def test_a_higher_threshold_makes_more_zeros_up_to_all():
    values = weight(8, 50)
    zeros = [int((three_values(values, Layout(0), each)(values) == 0).sum()) for each in (0, 0.5, 1, 2, 50)]
    assert zeros == sorted(zeros) and zeros[0] == 0 and zeros[-1] == values.numel()


# ---- training through them ---------------------------------------------------------------------------------

KINDS: list[Scaled] = [
    Grid(3, torch.full((6, 1), 0.3)),
    Grid(3, torch.full((6, 1), 0.3), zero=torch.full((6, 1), 3, dtype=torch.int32)),
    Grid(3, torch.full((6, 3), 0.3), group=2),
    Levels(normal_float(3), torch.full((6, 1), 1.5)),
    Signs(torch.full((6, 1), 0.8)),
    Ternary(torch.full((6, 1), 0.8)),
]


@pytest.mark.parametrize("made", KINDS, ids=lambda made: type(made).__name__)
def test_gradients_pass_straight_through(made: Scaled):
    values = weight().requires_grad_()
    out = made(values)
    assert torch.equal(out, made(values.detach()))
    (out * weight(seed=1)).sum().backward()
    assert torch.equal(values.grad, weight(seed=1))


@pytest.mark.parametrize("made", KINDS, ids=lambda made: type(made).__name__)
def test_a_learned_scale_moves_and_the_weights_stay_on_its_grid(made: Scaled):
    from dataclasses import replace

    start = replace(made, gain=torch.ones_like(made.scale))
    leaf = torch.ones_like(made.scale).requires_grad_()
    learning = replace(start, **dict.fromkeys(start.learned(), leaf))
    values = weight().requires_grad_()
    out = learning(values)
    assert torch.equal(out, made(values.detach()))
    out.square().sum().backward()
    assert values.grad is not None and leaf.grad is not None
    assert float(leaf.grad.sum()) > 0  # smaller scales make smaller weights
    with torch.no_grad():
        leaf -= 0.1
    trained = replace(learning, gain=leaf.detach().clone())
    assert bool((trained.scale < made.scale).all()) and bool((trained.scale > 0).all())
    assert bool((trained.gain == 1).all())  # the factor has become the scale
    with torch.no_grad():
        assert torch.equal(trained(weight()), learning(weight()))


def test_the_gradient_of_a_learned_step_is_that_of_its_paper():
    values = torch.tensor([[0.6, -0.2, 5.0, -9.0]], requires_grad=True)
    gain = torch.ones(1, 1, requires_grad=True)
    Grid(3, torch.full((1, 1), 0.5), gain=gain)(values).sum().backward()
    inside = (round(1.2) - 1.2) + (round(-0.4) + 0.4)
    # equation 3 of Esser et al. 2020, scaled by 1/sqrt(weights x top code), for a factor on the step 0.5
    assert float(gain.grad) == pytest.approx(0.5 * (inside + 3 - 3) / math.sqrt(4 * 3), rel=1e-5)
    assert values.grad.tolist() == [[1, 1, 0, 0]]


def test_a_scale_that_training_would_turn_negative_stays_positive():
    gain = torch.full((6, 1), -5.0)
    assert bool((Grid(3, torch.full((6, 1), 0.3), gain=gain).scale > 0).all())


# ---- two bytes ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["float16", "bfloat16"])
def test_two_byte_values_are_those_of_the_type(name: str):
    dtype = getattr(torch, name)
    values = weight(30, 30) * torch.logspace(-8, 4, 30)
    made = Precision(name)
    assert torch.equal(made(values), values.to(dtype).float() + 0.0)
    assert torch.equal(made(made(values)), made(values))
    assert made(torch.tensor([1e30])).isfinite().all()


def test_doubles_and_halves_keep_their_dtype_on_every_kind():
    for made in (*KINDS, Precision("bfloat16")):
        for dtype in (torch.float64, torch.float16, torch.bfloat16):
            values = weight().to(dtype)
            assert made(values).dtype == dtype
            assert torch.equal(made(made(values)), made(values))
