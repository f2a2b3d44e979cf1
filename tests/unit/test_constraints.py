"""Masks and grids: what weights become under them, what gradients pass, and in which order they chain."""

from __future__ import annotations

from dataclasses import FrozenInstanceError

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from workbench.constraints import Constraint, Constraints, Grid, Mask, Scaled

MANY = settings(derandomize=True, deadline=None, database=None, max_examples=60)
EPSILON = torch.finfo(torch.float32).eps


def weight(*shape: int, seed: int = 0) -> Tensor:
    return torch.randn(*(shape or (6, 5)), generator=torch.Generator().manual_seed(seed))


def grid(values: Tensor, bits: int, axis: int | None = 0) -> Grid:
    """The grid `Quantize` would choose: its largest code is the largest weight of a channel, or of all."""
    axes = tuple(each for each in range(values.ndim) if each != axis)
    return Grid(bits, values.abs().amax(axes, keepdim=True).float() / (2 ** (bits - 1) - 1))


def half(shape: tuple[int, ...] = (6, 5)) -> Mask:
    return Mask(torch.arange(torch.Size(shape).numel()).reshape(shape) % 2 == 0)


# ---- grids ----------------------------------------------------------------------------------------------

WEIGHTS = st.builds(
    lambda seed, power: weight(seed=seed) * 10.0**power, st.integers(0, 99), st.integers(-20, 20)
)


@MANY
@given(WEIGHTS, st.integers(2, 16), st.sampled_from([0, 1, None]))
def test_rounding_errs_by_at_most_half_a_step(values, bits, axis):
    chosen = grid(values, bits, axis)
    error = (chosen(values) - values).abs()
    # half a step, and the roundings of a quotient, a product and a scale, each relative to the weight
    assert bool((error <= chosen.scale / 2 + 3 * EPSILON * values.abs()).all())


@MANY
@given(WEIGHTS, st.integers(2, 16), st.sampled_from([0, 1, None]))
def test_codes_lie_in_range_and_give_back_the_very_weights(values, bits, axis):
    chosen = grid(values, bits, axis)
    codes = chosen.codes(values)
    assert codes.dtype == torch.int32
    assert int(codes.abs().max()) <= 2 ** (bits - 1) - 1 == chosen.top
    assert torch.equal(codes * chosen.scale, chosen(values))


@MANY
@given(WEIGHTS, st.integers(2, 16), st.sampled_from([0, 1, None]))
def test_rounding_again_changes_nothing(values, bits, axis):
    chosen = grid(values, bits, axis)
    once = chosen(values)
    assert torch.equal(chosen(once), once)
    assert torch.equal(chosen.codes(once), chosen.codes(values))


def test_weights_beyond_the_grid_are_clipped():
    chosen = Grid(3, torch.tensor([[0.5]]))
    assert chosen(torch.tensor([[-9.0, -1.6, -0.3, 0.3, 9.0]])).tolist() == [[-1.5, -1.5, -0.5, 0.5, 1.5]]


def test_two_bits_are_three_values():
    chosen = Grid(2, torch.tensor([[0.5]]))
    assert sorted(set(chosen(weight()).flatten().tolist())) == [-0.5, 0.0, 0.5]


@pytest.mark.parametrize("bits", [2, 4, 8, 16])
def test_zero_stays_zero_and_is_never_negative(bits):
    values = weight()
    values[:, ::2] = 0.0
    values[1, 1] = -1e-9  # rounds to zero from below
    values[3, 1] = -0.0
    rounded = grid(values, bits)(values)
    assert bool((rounded[:, ::2] == 0).all())
    assert not bool(torch.signbit(rounded[rounded == 0]).any())


@pytest.mark.parametrize("dtype", [torch.float64, torch.float16, torch.bfloat16])
@pytest.mark.parametrize("bits", [2, 4, 8])
def test_a_grid_keeps_the_weights_precision(dtype, bits):
    values = weight().to(dtype)
    chosen = grid(values, bits)
    rounded = chosen(values)
    assert rounded.dtype == dtype
    assert torch.equal(rounded, (chosen.codes(values) * chosen.scale).to(dtype))  # as a file gives them back
    assert torch.equal(chosen(rounded), rounded)


def test_gradients_pass_straight_through_rounding():
    values = weight().requires_grad_()
    chosen = grid(values.detach(), 3)
    rounded = chosen(values)
    assert torch.equal(rounded, chosen(values.detach()))  # exactly the grid, no residue of the trick
    (rounded * weight(seed=1)).sum().backward()
    assert torch.equal(values.grad, weight(seed=1))
    assert not chosen(values.detach()).requires_grad


@pytest.mark.parametrize("dtype", [torch.float64, torch.bfloat16])
def test_gradients_have_the_weights_precision(dtype):
    values = weight().to(dtype).requires_grad_()
    grid(values.detach(), 4)(values).sum().backward()
    assert values.grad.dtype == dtype


# ---- masks ----------------------------------------------------------------------------------------------


def test_a_mask_leaves_what_it_keeps_and_zeros_the_rest():
    values, mask = weight(), half()
    masked = mask(values)
    assert torch.equal(masked[mask.keep], values[mask.keep])
    assert bool((masked[~mask.keep] == 0).all())
    assert not bool(torch.signbit(masked[~mask.keep]).any())
    assert masked.dtype == values.dtype


def test_a_mask_removes_what_is_not_a_number():
    values = weight().masked_fill(~half().keep, float("nan"))
    assert bool(torch.isfinite(half()(values)).all())


def test_gradients_reach_only_what_a_mask_keeps():
    values = weight().requires_grad_()
    half()(values).sum().backward()
    assert torch.equal(values.grad, half().keep.float())


def test_masks_join_and_what_one_removed_no_other_brings_back():
    first, second = half(), Mask(torch.arange(30).reshape(6, 5) < 20)
    joined = Constraints().adding({"w": first}).adding({"w": second}).of("w", Mask)
    assert torch.equal(joined.keep, first.keep & second.keep)


# ---- chains ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize("order", [("grid", "mask"), ("mask", "grid")])
def test_masks_come_last_whichever_came_first(order):
    made = {"grid": grid(weight(), 4), "mask": half()}
    constraints = Constraints()
    for name in order:
        constraints = constraints.adding({"w": made[name]})
    assert [type(each) for each in constraints["w"]] == [Grid, Mask]
    expected = half()(made["grid"](weight()))
    assert torch.equal(constraints.constrain("w", weight()), expected)


@MANY
@given(WEIGHTS, st.integers(2, 16), st.integers(0, 9))
def test_zeros_survive_a_chain_and_constraining_again_changes_nothing(values, bits, seed):
    mask = Mask(torch.rand(6, 5, generator=torch.Generator().manual_seed(seed)) > 0.5)
    constraints = Constraints().adding({"w": mask}).adding({"w": grid(values, bits)})
    once = constraints.constrain("w", values)
    assert bool((once[~mask.keep] == 0).all())
    assert torch.equal(constraints.constrain("w", once), once)


def test_a_new_grid_takes_the_place_of_the_old_one():
    constraints = Constraints().adding({"w": grid(weight(), 8)}).adding({"w": grid(weight(), 4)})
    assert [each.bits for each in constraints["w"]] == [4]


def test_constraints_are_by_name_and_immutable():
    first = Constraints().adding({"a": half(), "b": grid(weight(), 4)})
    second = first.adding({"a": grid(weight(), 4)})
    assert (len(first["a"]), len(second["a"])) == (1, 2)
    assert set(second) == {"a", "b"}
    assert len(Constraints()) == 0
    assert not Constraints()
    assert second
    assert second.of("b", Mask) is None
    assert second.of("c", Mask) is None
    assert torch.equal(second.constrain("c", weight()), weight())
    with pytest.raises(KeyError):
        second["c"]
    with pytest.raises(FrozenInstanceError):
        second.by_name = {}


def test_without_takes_one_kind_away():
    both = Constraints().adding({"a": half(), "b": half()}).adding({"a": grid(weight(), 4)})
    left = both.without(Mask)
    assert set(left) == {"a"}
    assert left.of("a", Mask) is None
    assert left.of("a", Grid) is not None


def test_every_kind_has_a_place_of_its_own_before_the_masks():
    families = [Constraint, Scaled]
    every = [each for family in families for each in family.__subclasses__() if each not in families]
    kinds = [each for each in every if each.__module__.startswith("workbench.")]
    assert {Grid, Mask} <= set(kinds)
    assert all(each.order < Mask.order for each in kinds if each is not Mask)
    assert len({each.order for each in kinds}) == len(kinds)
