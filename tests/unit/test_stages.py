"""Promises: what a step promised, and how much of it stands after the later ones; numbers by eye."""

from __future__ import annotations

import json
from dataclasses import dataclass, replace
from typing import Any

import pytest
import torch
from torch import nn

import workbench as wb
from workbench.candidate import Candidate
from workbench.constraints import Codebook, Grid, Mask, Signs
from workbench.measurement import measuring
from workbench.promises import ACTIVATIONS, BITS, PARAMETERS, PATTERN, VALUES, ZEROS, Promise, line, standing
from workbench.schedule import Schedule
from workbench.stages import Stage, stage_of
from workbench.testing import workload


@pytest.fixture(autouse=True)
def _measured_in_a_moment(monkeypatch):
    """What is measured here is not the point."""
    monkeypatch.setitem(measuring.__kwdefaults__, "seconds", 0.01)
    monkeypatch.setitem(measuring.__kwdefaults__, "runtimes", ("pytorch",))


PRUNED = wb.PruneWeights(sparsity=0.5)
TRAINED = wb.FineTune(epochs=1)
OTHER = wb.TieLayers()


def two_layers() -> Candidate:
    """Two layers of 4 × 4, all weights 1, 2, ... 16."""
    net = nn.Sequential(nn.Linear(4, 4, bias=False), nn.Linear(4, 4, bias=False))
    with torch.no_grad():
        for each in net:
            each.weight.copy_(torch.arange(1.0, 17.0).reshape(4, 4))
    return Candidate(net.eval())


def masked(candidate: Candidate, zeros: dict[str, int]) -> Candidate:
    """The candidate without the first weights of some parameters."""
    masks = {}
    for name, count in zeros.items():
        weight = candidate.model.get_parameter(name)
        masks[name] = Mask((torch.arange(weight.numel()) >= count).reshape(weight.shape))
    return candidate.constrained(masks)


def filled(candidate: Candidate, name: str, row: int) -> Candidate:
    """The candidate without its constraint on a parameter, one row of it filled again."""
    made = candidate.copy()
    with torch.no_grad():
        made.model.get_parameter(name)[row] = 1.0
    chains = {key: chain for key, chain in made.constraints.items() if key != name}
    return replace(made, constraints=type(made.constraints)(chains))


def the(promises: tuple[Promise, ...], kind: str) -> Promise:
    (found,) = (each for each in promises if each.kind == kind)
    return found


def test_a_step_that_prunes_promises_its_zeros():
    start = two_layers()
    (promise,) = standing(PRUNED, start, masked(start, {"0.weight": 8, "1.weight": 8}), ())
    assert (promise.kind, promise.text, promise.kept) == (ZEROS, "50.0 % zeros", 1.0)
    assert promise.parts == (("0.weight", 16, 8.0), ("1.weight", 16, 8.0))
    assert promise.technique == "PruneWeights"


def test_a_promise_stands_to_the_share_of_zeros_that_are_left():
    start = two_layers()
    pruned = masked(start, {"0.weight": 8, "1.weight": 8})
    promises = standing(PRUNED, start, pruned, ())
    assert the(standing(TRAINED, pruned, pruned.copy(), promises), ZEROS).kept == 1
    half_gone = filled(pruned, "0.weight", 0)  # 4 of its 8 zeros
    assert the(standing(TRAINED, pruned, half_gone, promises), ZEROS).kept == 0.75
    assert line(standing(TRAINED, pruned, half_gone, promises)) == (
        "keeps 50.0 % zeros (PruneWeights), 75.0 % of it stands"
    )


def test_more_zeros_are_more_than_was_promised_and_a_promise_of_their_own():
    start = two_layers()
    first = masked(start, {"0.weight": 4})
    promises = standing(PRUNED, start, first, ())
    both = standing(wb.PruneWeights(sparsity=0.9), first, masked(first, {"0.weight": 12}), promises)
    assert [each.kept for each in both] == [1.0, 1.0]
    assert [each.text for each in both] == ["25.0 % zeros", "75.0 % zeros"]


def test_bits_and_values_end_where_another_grid_takes_their_place():
    start = two_layers()
    scale = torch.full((1, 1), 0.5)
    rounded = start.constrained({"0.weight": Grid(4, scale), "1.weight": Grid(8, scale)})
    promises = standing(wb.Quantize(4), start, rounded, ())
    assert the(promises, BITS).text == "4 to 8 bits"
    one = start.constrained({"0.weight": Signs(scale)})
    assert the(standing(wb.Binarize(), start, one, ()), BITS).text == "1 bit"
    codes = torch.zeros(4, 4, dtype=torch.uint8)
    shared = rounded.constrained({"0.weight": Codebook(torch.arange(3.0), codes)})
    promises = standing(wb.ShareWeights(3), rounded, shared, promises)
    assert the(promises, BITS).kept == 1.0  # 2 bits a code are fewer than 4
    assert the(promises, VALUES).text == "3 values"
    again = shared.constrained({"0.weight": Grid(8, scale)})
    promises = standing(wb.Quantize(8), shared, again, promises)
    assert promises[0].kept == 0.5  # one of two layers is on 8 bits, not 4
    assert the(promises, VALUES).kept == 0.0
    assert "3 values (ShareWeights), 0.0 % of it stands" in line(promises)


def test_a_pattern_stands_in_the_groups_that_have_it():
    @dataclass(frozen=True)
    class Pattern:
        trains = False

        def pattern(self) -> str:
            return "2:4"

        def __str__(self) -> str:
            return "PrunePattern(n=2)"

    start = two_layers()
    keep = torch.tensor([True, True, False, False]).repeat(4, 1)
    pruned = start.constrained({"0.weight": Mask(keep)})
    step: Any = Pattern()
    promises = standing(step, start, pruned, ())
    assert the(promises, PATTERN).text == "2:4 pattern" and the(promises, PATTERN).kept == 1
    assert the(standing(TRAINED, pruned, filled(pruned, "0.weight", 2), promises), PATTERN).kept == 0.75
    narrow = nn.Sequential(nn.Linear(3, 4, bias=False), nn.Linear(4, 4, bias=False)).eval()
    cut = Candidate(narrow)
    assert the(standing(OTHER, pruned, cut, promises), PATTERN).kept == 0  # 4 does not divide 3 inputs


def test_fewer_parameters_stand_until_there_are_more_again():
    start = two_layers()
    small = Candidate(nn.Sequential(nn.Linear(4, 2, bias=False), nn.Linear(2, 4, bias=False)).eval())
    promises = standing(wb.Factorize(0.5), start, small, ())
    assert (the(promises, PARAMETERS).text, the(promises, PARAMETERS).kept) == ("50.0 % fewer parameters", 1)
    grown = Candidate(nn.Sequential(nn.Linear(4, 3, bias=False), nn.Linear(3, 4, bias=False)).eval())
    assert the(standing(TRAINED, small, grown, promises), PARAMETERS).kept == 0.5


def test_zeros_of_a_layer_that_became_dense_thin_ones_are_gone():
    start = two_layers()
    pruned = masked(start, {"0.weight": 8, "1.weight": 8})
    promises = standing(PRUNED, start, pruned, ())
    thin = nn.Sequential(nn.Linear(4, 1, bias=False), nn.Linear(1, 4, bias=False))
    split = pruned.restructured(nn.Sequential(thin, pruned.model[1]))
    after = standing(wb.Factorize(0.25), pruned, split, promises)
    assert the(after, ZEROS).kept == 0.5


def test_a_layer_that_was_removed_breaks_no_promise():
    start = two_layers()
    pruned = masked(start, {"0.weight": 8, "1.weight": 8})
    promises = standing(PRUNED, start, pruned, ())
    dropped = pruned.restructured(nn.Sequential(pruned.model[0], nn.Identity()))
    assert the(standing(OTHER, pruned, dropped, promises), ZEROS).kept == 1.0


def test_constraints_carried_through_another_structure_are_no_new_promise():
    start = two_layers()
    scale = torch.full((1, 1), 0.5)
    before = masked(start, {"0.weight": 8}).constrained({"0.weight": Grid(4, scale)})
    narrow = nn.Sequential(nn.Linear(4, 2, bias=False), nn.Linear(2, 4, bias=False)).eval()
    with torch.no_grad():
        narrow[0].weight.copy_(before.model[0].weight[1:3])  # a row of zeros, a row without
    keep = before.constraints.of("0.weight", Mask).keep[1:3]
    carried = (
        Candidate(narrow).constrained({"0.weight": Mask(keep)}).constrained({"0.weight": Grid(4, scale)})
    )
    promises = (*standing(PRUNED, start, masked(start, {"0.weight": 8}), ()),)
    after = standing(OTHER, before, carried, promises)
    assert [each.kind for each in after] == [ZEROS, PARAMETERS]
    assert after[0].kept == 1.0


def test_activations_are_promised_by_place():
    from workbench.activations import Rounding

    start = two_layers()
    rounded = start.rounding({"0/input": Rounding(), "1/input": Rounding()})
    promises = standing(wb.Quantize(8), start, rounded, ())
    assert the(promises, ACTIVATIONS).kept == 1.0 and the(promises, ACTIVATIONS).text.startswith(
        "activations"
    )
    half = replace(rounded, activations={"0/input": rounded.activations["0/input"]})
    assert the(standing(TRAINED, rounded, half, promises), ACTIVATIONS).kept == 0.5


def test_what_a_schedule_owes_is_due_until_the_training_is_over():
    start = two_layers()
    owing = start.scheduled(Schedule(("0.weight", "1.weight"), 0.75))
    (due,) = standing(PRUNED, start, owing, ())
    assert due.is_due and str(due) == "50.0 % zeros (PruneWeights) due in training"
    (still,) = standing(OTHER, owing, owing.noting("nothing"), (due,))
    assert still.is_due
    trained = replace(masked(owing, {"0.weight": 8, "1.weight": 8}), schedules=())
    (kept,) = standing(TRAINED, owing, trained, (due,))
    assert not kept.is_due and kept.kept == 1.0
    early = replace(masked(owing, {"0.weight": 8}), schedules=())  # 8 of the 16 that were asked for
    (short,) = standing(TRAINED, owing, early, (due,))
    assert short.kept == 0.5
    (same,) = standing(TRAINED, early, early, (short,))
    assert same.kept == 0.5  # not reached is not forgotten


def test_stages_come_back_from_json_and_old_ones_are_read():
    start = two_layers()
    stage = stage_of(PRUNED, start, masked(start, {"0.weight": 8}), 1.0)
    assert Stage.from_dict(json.loads(json.dumps(stage.to_dict()))) == stage
    old = {key: value for key, value in stage.to_dict().items() if key != "promises"}
    assert Stage.from_dict(old).promises == ()
    assert line(()) == ""


@pytest.mark.slow
def test_a_run_tells_what_stands_and_a_later_run_goes_on_from_it():
    work = workload()
    version = wb.compress(work, "PruneWeights(sparsity=0.5) | FineTune(epochs=1) | Quantize(weights=8)")
    assert [len(stage.promises) for stage in version.stages] == [1, 1, 2]
    assert all(each.kept == 1 for stage in version.stages for each in stage.promises)
    assert version.standing == "keeps 50.0 % zeros (PruneWeights) · 8 bits (Quantize)"
    later = wb.compress(work, "Factorize(ratio=0.3, worth=0.0)", parent=version)
    zeros = the(later.stages[-1].promises, ZEROS)
    assert zeros.kept < 1 and "of it stands" in later.standing
    assert version.standing in version._repr_html_()


def test_history_says_which_promises_are_broken():
    from workbench.magics.session import Subject
    from workbench.magics.verbs.history import page
    from workbench.versions import VersionTree

    work = workload()
    tree = VersionTree(None, work)
    first = wb.compress(work, "PruneWeights(sparsity=0.5)", tree=tree)
    assert "stands" not in str(page(Subject("net", work, "work"), tree))
    wb.compress(work, "Factorize(ratio=0.3, worth=0.0)", parent=first, tree=tree)
    told = str(page(Subject("net", work, "work"), tree))
    assert "v2 keeps" in told and "of it stands" in told


@pytest.mark.parametrize("share", [0.9996, 0.99999])
def test_nearly_all_is_not_all(share: float):
    assert "99.9 % of it stands" in str(Promise("PruneWeights(0.9)", ZEROS, "90.0 % zeros", kept=share))
