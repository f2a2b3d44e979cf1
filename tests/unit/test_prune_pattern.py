"""`PrunePattern`: n of every m along the inputs of an output, whole blocks, and what they survive."""

from __future__ import annotations

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from small import net, workload
from torch import Tensor, nn

from workbench.algorithms.patterns import Blocks, NOfM
from workbench.candidate import Candidate
from workbench.errors import OptionError
from workbench.job import finish
from workbench.layers import weights
from workbench.recipe import Recipe
from workbench.technique import Context, find, prepared
from workbench.workload import Workload

PrunePattern = find("PrunePattern")


def applied(work: Workload, *steps: object, start: Candidate | None = None) -> Candidate:
    candidate = start or work.candidate()
    for index, step in enumerate(steps):
        context = Context(work, seed=index)
        candidate = finish(step.apply(candidate, context, prepared(step, candidate, context)))
    return candidate


def picture(weight: Tensor) -> list[str]:
    return ["".join(".x"[bool(each)] for each in row) for row in weight.flatten(1) != 0]


def groups(weight: Tensor, m: int) -> Tensor:
    """How many weights of each group differ from zero."""
    return (weight.flatten(1) != 0).reshape(-1, m).sum(1)


def linear(rows: list[list[float]]) -> nn.Linear:
    values = torch.tensor(rows)
    layer = nn.Linear(values.shape[1], values.shape[0], bias=False)
    with torch.no_grad():
        layer.weight.copy_(values)
    return layer


def alone(layer: nn.Module, width: int) -> Workload:
    return Workload(layer, input_shape=(width,))


# ---- by eye ------------------------------------------------------------------------------------------------

EIGHT = [
    [1.0, -5.0, 3.0, 2.0, 9.0, 8.0, 7.0, -6.0],
    [4.0, 4.0, 4.0, 4.0, 0.0, 0.0, 0.0, 1.0],
]


def test_two_of_four():
    made = applied(alone(linear(EIGHT), 8), PrunePattern())
    # the two largest of each four; of equal ones the first go; where one is left, zeros stay zeros
    assert picture(made.model.weight) == [".xx.xx..", "..xx...x"]


def test_one_of_four():
    made = applied(alone(linear(EIGHT), 8), PrunePattern(1, m=4))
    assert picture(made.model.weight) == [".x..x...", "...x...x"]


def test_blocks_go_by_their_sum():
    rows = [
        [1.0, 1.0, 5.0, 0.5, 2.0, 2.0],
        [1.0, 1.0, 0.5, 0.5, 2.0, 2.0],
        [9.0, 0.1, 1.0, 1.0, 0.1, 0.1],
        [0.1, 0.1, 1.0, 1.0, 0.1, 0.1],
    ]
    made = applied(alone(linear(rows), 6), PrunePattern(block="2x2", sparsity=0.5))
    # sums are 4, 6.5, 8 in the first two rows and 9.3, 4, 0.4 in the others: 4, 4 and 0.4 go
    assert picture(made.model.weight) == ["..xxxx", "..xxxx", "xx....", "xx...."]


@pytest.mark.parametrize("block", ["4x1", "1x4", "1×4", " 4 x 1 "])
def test_blocks_down_and_across(block):
    layer = nn.Linear(8, 8, bias=False)
    made = applied(alone(layer, 8), PrunePattern(block=block, sparsity=0.75))
    left = made.model.weight != 0
    tiles = left.reshape(2, 4, 8).sum(1) if block.strip().startswith("4") else left.reshape(8, 2, 4).sum(2)
    assert set(tiles.flatten().tolist()) == {0, 4}
    assert int((tiles == 0).sum()) == 12


def test_the_inputs_of_a_convolution_are_its_channels_times_its_kernel():
    layer = nn.Conv2d(4, 3, 3)
    made = applied(Workload(layer, input_shape=(4, 5, 5)), PrunePattern())
    assert groups(made.model.weight, 4).tolist() == [2] * (3 * 36 // 4)


def test_the_outputs_of_a_transposed_convolution_are_its_second_axis():
    layer = nn.ConvTranspose2d(4, 6, 2)
    made = applied(Workload(layer, input_shape=(4, 5, 5)), PrunePattern())
    by_output = made.model.weight.detach().transpose(0, 1)
    assert set(groups(by_output, 4).tolist()) == {2}


# ---- as promised -------------------------------------------------------------------------------------------


@settings(derandomize=True, deadline=None, database=None, max_examples=60)
@given(
    m=st.integers(2, 8),
    n=st.integers(1, 7),
    rows=st.integers(1, 5),
    across=st.integers(1, 4),
    seed=st.integers(0, 9),
)
def test_every_group_keeps_its_n_largest(m, n, rows, across, seed):
    if n >= m:
        return
    score = torch.rand(rows, across * m, generator=torch.Generator().manual_seed(seed))
    keep = NOfM(n, m).keep(score, 0)
    assert bool((keep.reshape(-1, m).sum(1) == n).all())
    kept = torch.where(keep, score, torch.inf).reshape(-1, m).amin(1)
    gone = torch.where(keep, -torch.inf, score).reshape(-1, m).amax(1)
    assert bool((kept >= gone).all())


@settings(derandomize=True, deadline=None, database=None, max_examples=40)
@given(
    rows=st.integers(1, 3),
    columns=st.integers(2, 3),
    sparsity=st.floats(0, 1),
    scope=st.sampled_from(["global", "layer"]),
)
def test_the_share_of_blocks_is_met_within_one(rows, columns, sparsity, scope):
    layer = nn.Linear(columns * 4, rows * 3, bias=False)
    step = PrunePattern(block=f"{rows}x{columns}", sparsity=sparsity, scope=scope)
    made = applied(alone(layer, columns * 4), step)
    gone = int((made.model.weight == 0).sum())
    assert gone % (rows * columns) == 0
    assert abs(gone / (rows * columns) - 12 * sparsity) <= 0.5


LATER = ["FineTune(1)", "Quantize(4)", "ShareWeights(4)", "PruneWeights(0.7)", "Quantize(8) | FineTune(1)"]


@pytest.mark.parametrize("later", LATER)
@pytest.mark.parametrize("pattern", ["PrunePattern(1, m=2)", "PrunePattern(2, m=3)"])
def test_the_pattern_holds_after_every_later_stage(pattern, later):
    work = workload(net(hidden=6))
    recipe = Recipe.parse(f"{pattern} | {later}")
    made, first = applied(work, *recipe.steps), recipe.steps[0]
    for each in weights(made.model):
        assert int(groups(each.parameter, first.m).max()) <= first.n


def test_blocks_hold_after_training_and_rounding():
    work = workload(net(hidden=8))
    steps = Recipe.parse("PrunePattern(block='1x2', sparsity=0.5) | FineTune(1) | Quantize(6)").steps
    made = applied(work, *steps)
    left = [(each.parameter != 0).reshape(-1, 2) for each in weights(made.model)]
    start = applied(work, steps[0])
    gone = [(each.parameter == 0).reshape(-1, 2).all(1) for each in weights(start.model)]
    assert all(bool((~each[empty]).all()) for each, empty in zip(left, gone, strict=True))
    assert sum(int(each.sum()) for each in gone) == round(0.5 * 72 / 2)


def test_an_earlier_mask_stays_satisfied():
    work = workload(net(hidden=8))
    first = applied(work, find("PruneWeights")(0.8))
    made = applied(work, PrunePattern(1, m=2), start=first)
    for before, after in zip(weights(first.model), weights(made.model), strict=True):
        assert not bool(((before.parameter == 0) & (after.parameter != 0)).any())
        assert int(groups(after.parameter, 2).max()) <= 1


@pytest.mark.parametrize("criterion", ["taylor", "movement", "wanda", "random"])
def test_every_criterion_makes_the_pattern(criterion):
    made = applied(workload(net(hidden=6)), PrunePattern(1, m=3, criterion=criterion))
    assert all(set(groups(each.parameter, 3).tolist()) == {1} for each in weights(made.model))


# ---- where it does not go in -------------------------------------------------------------------------------


def test_layers_it_does_not_go_into_are_listed_and_left_dense():
    made = applied(workload(net(hidden=8)), PrunePattern())  # 6 inputs, then 8
    assert made.notes == ("left dense: 0 (4 does not divide its 6 inputs)",)
    assert "0.weight" not in made.constraints
    assert set(groups(made.model[2].weight, 4).tolist()) == {2}


@pytest.mark.parametrize(
    ("options", "line"),
    [
        ({"n": 3, "m": 7}, r"no layer takes 3:7: 0 \(7 does not divide its 6 inputs\), 2 \(7 does not"),
        ({"block": "5x1"}, r"no layer takes 5x1 blocks: 0 \(5 does not divide its 8 outputs\)"),
    ],
)
def test_where_it_goes_into_none_nothing_is_made(options, line):
    with pytest.raises(OptionError, match=line):
        applied(workload(net(hidden=8)), PrunePattern(**options))


@pytest.mark.parametrize(
    ("options", "line"),
    [
        ({"n": 4, "m": 4}, "n must lie below m=4, got 4"),
        ({"n": 0}, "n must lie between 1 and 1023, got 0"),
        ({"block": "4"}, "block must be outputs x inputs, as in '4x1' or '1x4', got '4'"),
        ({"block": "0x4"}, "block must be outputs x inputs"),
        ({"block": "1x1"}, "which PruneWeights takes"),
        ({"block": "4x1", "sparsity": 80}, r"sparsity must lie between 0 and 1, got 80; for 80 % write 0\.8"),
    ],
)
def test_values_out_of_range(options, line):
    with pytest.raises(OptionError, match=line):
        PrunePattern(**options)


def test_a_layer_to_keep_is_left_dense():
    made = applied(workload(net(hidden=6)), PrunePattern(1, m=2, keep=("2",)))
    assert list(made.constraints) == ["0.weight"]


def test_patterns_are_written_as_people_write_them():
    assert str(NOfM(2, 4)) == "2:4"
    assert str(Blocks(4, 1)) == "4x1 blocks"
    assert str(PrunePattern(n=2, m=4)) == "PrunePattern(n=2)"
    assert Recipe.parse("PrunePattern(n=2, m=4)") == Recipe.of(PrunePattern())
