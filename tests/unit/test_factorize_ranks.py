"""Choosing ranks: by share, energy, noise and target; break-evens; and what wrong ranks get."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch import nn

from workbench.algorithms.lowrank import timing, vbmf
from workbench.algorithms.lowrank.prepared import prepare
from workbench.algorithms.lowrank.ranks import choose
from workbench.algorithms.lowrank.rule import Rule
from workbench.algorithms.lowrank.spectra import spectra
from workbench.errors import OptionError
from workbench.techniques.factorize import Factorize
from workbench.workload import Workload


def decaying(out: int, inp: int, *kernel: int, seed: int = 0) -> torch.Tensor:
    """A weight whose singular values fall, as trained ones do."""
    generator = torch.Generator().manual_seed(seed)
    weight = torch.randn(out, inp, *kernel, generator=generator).flatten(1)
    left, values, right = torch.linalg.svd(weight, full_matrices=False)
    return (left * values * 0.8 ** torch.arange(len(values)) @ right).reshape(out, inp, *kernel)


def net() -> nn.Sequential:
    model = nn.Sequential(
        nn.Conv2d(8, 24, 3, padding=1), nn.ReLU(), nn.AdaptiveAvgPool2d(4), nn.Flatten(), nn.Linear(384, 40),
        nn.ReLU(), nn.Linear(40, 10),
    )  # fmt: skip
    with torch.no_grad():
        for seed, layer in enumerate(each for each in model if hasattr(each, "weight")):
            layer.weight.copy_(decaying(*layer.weight.shape, seed=seed))
    return model.eval()


@pytest.fixture(scope="module")
def prepared():
    work = Workload(net(), input_shape=(8, 12, 12))
    return prepare(work.baseline, work)


def left(prepared, chosen, cost: str = "parameters") -> float:
    """The share of the model's cost that is left."""
    total = getattr(prepared, cost)
    layers = {each.name: each.layer.shape for each in prepared.layers}
    saved = sum(getattr(layers[c.name], cost) - c.split.cost(c.ranks)[cost == "macs"] for c in chosen)
    return 1 - saved / total


def test_ratio_is_a_share_of_the_full_rank(prepared):
    chosen, _ = choose(prepared, Rule(ratio=0.25, worth=0))
    by_name = {each.name: each.ranks for each in chosen}
    assert by_name["4"] == (10,) and by_name["6"] == (2,)


@pytest.mark.parametrize("energy", [0.5, 0.9, 0.99])
def test_energy_is_kept_with_as_few_parameters_as_can_be(prepared, energy):
    chosen, _ = choose(prepared, Rule(ratio=energy, by="energy", worth=0))
    for each in chosen:
        assert each.lost <= 1 - energy
        if len(each.ranks) == 1 and each.ranks[0] > 1:
            assert each.split.lost(np.array([[each.ranks[0] - 1]]))[0] > 1 - energy


@pytest.mark.parametrize("by", ["parameters", "macs", "bytes"])
@pytest.mark.parametrize("ratio", [0.2, 0.5, 0.8])
def test_a_target_is_met_and_not_by_far(prepared, by, ratio):
    chosen, _ = choose(prepared, Rule(ratio=ratio, by=by, worth=0))
    share = left(prepared, chosen, "macs" if by == "macs" else "parameters")
    room = 0.04 if by == "bytes" else 0.0  # the file's header is allowed for
    assert ratio - 0.06 - room < share <= ratio + 1e-9


def test_a_target_loses_less_than_one_ratio_for_all_at_the_same_size(prepared):
    uniform, _ = choose(prepared, Rule(ratio=0.25, worth=0))
    allocated, _ = choose(prepared, Rule(ratio=left(prepared, uniform), by="parameters", worth=0))
    assert sum(each.lost for each in allocated) <= sum(each.lost for each in uniform)
    assert left(prepared, allocated) <= left(prepared, uniform) + 1e-9


def test_a_target_out_of_reach_says_what_can_be_reached(prepared):
    with pytest.raises(OptionError, match=r"ratio=0.001 of the parameters cannot be reached: .* leaves \d"):
        choose(prepared, Rule(ratio=0.001, by="parameters"))


@pytest.mark.parametrize("rank", [1, 5, 12])
def test_vbmf_finds_the_rank_under_noise(rank):
    generator = np.random.default_rng(rank)
    signal = generator.normal(size=(60, rank)) @ generator.normal(size=(rank, 200))
    values = np.linalg.svd(signal + 0.5 * generator.normal(size=(60, 200)), compute_uv=False)
    assert vbmf.rank(values, 60, 200) == rank
    assert vbmf.rank(values * 1e-4, 200, 60) == rank  # neither scale nor orientation matters
    assert vbmf.rank(values, 60, 200, noise=0.25) == rank


def test_vbmf_sees_nothing_in_noise():
    values = np.linalg.svd(np.random.default_rng(0).normal(size=(50, 80)), compute_uv=False)
    assert vbmf.rank(values, 50, 80) == 0 and vbmf.rank(np.zeros(5), 5, 9) == 0


def test_vbmf_chooses_ranks_of_a_net_between_nothing_and_all():
    torch.manual_seed(0)
    model = nn.Sequential(nn.Linear(60, 50))
    with torch.no_grad():
        model[0].weight.copy_(torch.randn(50, 4) @ torch.randn(4, 60) + 0.3 * torch.randn(50, 60))
    chosen, _ = choose(prepare(model, None), Rule(by="vbmf"))
    assert [each.ranks for each in chosen] == [(4,)]


def test_break_even_is_where_the_layer_would_grow(prepared):
    for each in prepared.layers:
        for split in each.splits.values():
            smaller, larger = split.scaled(split.break_even), split.scaled(split.break_even + 1)
            assert split.cost(smaller)[0] < split.shape.parameters
            if split.break_even < split.full[0]:
                assert split.cost(larger)[0] >= split.shape.parameters


def test_layers_that_would_grow_stay_whole_unless_asked(prepared):
    chosen, whole = choose(prepared, Rule(ratio=1.0, worth=0))
    assert not chosen and len(whole) == 3 and all("would grow" in each.reason for each in whole)
    chosen, whole = choose(prepared, Rule(ratio=1.0, worth=0, where="any"))
    assert len(chosen) == 3 and not whole


def test_small_layers_are_listed(prepared):
    _, whole = choose(prepared, Rule(worth=0.03))
    assert [each.name for each in whole] == ["6"] and "too small" in whole[0].reason


def test_layers_to_keep_are_kept(prepared):
    chosen, whole = choose(prepared, Rule(keep=("4",), worth=0))
    assert "4" not in [each.name for each in chosen] and "4" in [each.name for each in whole]


@pytest.mark.parametrize(
    ("ranks", "line"),
    [
        ({"4": 41}, r"4 cannot have rank 41: give a whole number from 1 to 40, its full rank"),
        ({"4": 2.5}, r"4 cannot have rank 2.5: give a whole number from 1 to 40"),
        ({"4": 39}, r"rank 39 would make 4 grow from 15,360 to 16,536 parameters; it shrinks up to rank 36"),
        ({"fc": 3}, r"no layer 'fc' to split \(there are: 0, 4, 6\)|no layer 'fc' to split.*0, 4"),
    ],
)
def test_wrong_ranks_get_one_line_with_the_limit(prepared, ranks, line):
    with pytest.raises(OptionError, match=line):
        choose(prepared, Rule(ranks=ranks))


@pytest.mark.parametrize("wrong", [{"ratio": 0}, {"ratio": 25}, {"ranks": {"4": 0}}, {"method": "svg"}])
def test_options_out_of_range_are_refused_when_they_are_written(wrong):
    with pytest.raises(OptionError):
        Factorize(**wrong)


def test_cp_says_that_vbmf_needs_matrices():
    prepared = prepare(net(), None, method="cp")
    with pytest.raises(OptionError, match="by='vbmf' needs matrices"):
        choose(prepared, Rule(by="vbmf", worth=0))


def test_macs_need_an_example():
    with pytest.raises(OptionError, match="needs an example input"):
        choose(prepare(net(), None), Rule(by="macs"))


def test_spectra_show_rank_and_break_even(prepared):
    rule = Rule(ratio=0.25, worth=0)
    found = spectra(prepared, *choose(prepared, rule))
    assert [each.name for each in found if each.side in ("", "out")] == ["0", "4", "6"]
    for each in found:
        assert np.all(np.diff(each.energies) <= 1e-9) and each.energies.sum() <= 1 + 1e-6
        assert each.rank is not None and 0 < each.rank <= each.full and each.larger_above <= each.full


def test_slower_layers_stay_whole_where_only_faster_ones_are_wanted(prepared):
    told = iter([True, False, True])
    rule = Rule(ratio=0.25, worth=0, is_slower=lambda each, split, ranks: next(told))
    chosen, whole = choose(prepared, rule)
    assert len(chosen) == 1 and sum("slower as measured here" in each.reason for each in whole) == 2


def test_timing_needs_an_example():
    with pytest.raises(OptionError, match="where='faster' needs an example input"):
        choose(prepare(net(), None), Factorize(where="faster").rule())


def test_only_layers_measured_to_be_faster_are_split_where_asked():
    """A 2,048-wide layer at rank 20 multiplies 50 times less: faster anywhere. A tiny one is not."""
    model = nn.Sequential(nn.Linear(2048, 2048), nn.Linear(2048, 8), nn.Linear(8, 8))
    work = Workload(model, input_shape=(2048,))
    chosen, whole = choose(prepare(work.baseline, work), Factorize(0.01, where="faster", worth=0).rule())
    assert "0" in [each.name for each in chosen] and "2" in [each.name for each in whole]
    assert any("slower as measured here" in each.reason for each in whole)


def test_a_layer_is_timed_once_and_predicted_between_the_ranks():
    work = Workload(nn.Sequential(nn.Linear(64, 64)), input_shape=(64,))
    (each,) = prepare(work.baseline, work).layers
    split = each.splits["svd"]
    curve = timing.curve(each, split)
    assert curve is timing.curve(each, split)
    assert curve.whole_ms > 0 and curve.ms.min() <= curve.at((20,)) <= curve.ms.max()
    assert 0 <= curve.break_even <= 64
