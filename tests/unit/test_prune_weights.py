"""`PruneWeights`: shares met to the weight, by scope and by layer; what is refused, and in which words."""

from __future__ import annotations

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from small import net, workload
from torch import nn

from workbench.candidate import Candidate
from workbench.constraints import Mask
from workbench.errors import OptionError, WorkbenchError, WorkloadError
from workbench.exploration import sensitivity
from workbench.job import finish
from workbench.layers import weights
from workbench.preview import Previewer
from workbench.recipe import Recipe
from workbench.technique import Context, find, prepared
from workbench.testing import CHECKS
from workbench.workload import Workload

PruneWeights = find("PruneWeights")


def pruned(work: Workload, sparsity: float = 0.5, start: Candidate | None = None, **options) -> Candidate:
    step, context = PruneWeights(sparsity, **options), Context(work, seed=1)
    start = start or work.candidate()
    return finish(step.apply(start, context, prepared(step, start, context)))


def zeros(candidate: Candidate) -> dict[str, int]:
    return {each.layer: int((each.parameter == 0).sum()) for each in weights(candidate.model)}


def five_by_five() -> nn.Sequential:
    """Two layers of 25; the second one's weights are ten times the first one's."""
    layers = nn.Sequential(nn.Linear(5, 5), nn.Linear(5, 5))
    with torch.no_grad():
        for factor, layer in zip((1, 10), layers, strict=True):
            layer.weight.copy_(factor * torch.arange(1.0, 26).reshape(5, 5))
    return layers


def test_by_eye_over_the_model_and_by_layer():
    work = Workload(five_by_five(), input_shape=(5,))
    # 25 of 50 go: 1 to 25 and 10 to 250 merged, that is 1 to 22 of the first and 10, 20, 30 (a tie at 20)
    assert zeros(pruned(work, 0.5)) == {"0": 23, "1": 2}
    assert zeros(pruned(work, 0.48, scope="layer")) == {"0": 12, "1": 12}
    rows = pruned(work, 0.48, scope="layer").model[0].weight != 0
    assert ["".join(".x"[bool(each)] for each in row) for row in rows] == [
        ".....",
        ".....",
        "..xxx",
        "xxxxx",
        "xxxxx",
    ]


@settings(derandomize=True, deadline=None, database=None, max_examples=40)
@given(
    sparsity=st.floats(0, 1),
    scope=st.sampled_from(["global", "layer"]),
    criterion=st.sampled_from(["magnitude", "random", "taylor", "movement", "wanda"]),
    hidden=st.integers(1, 9),
)
def test_the_share_is_met_within_one_weight(sparsity, scope, criterion, hidden):
    work = workload(net(hidden=hidden))
    found = zeros(pruned(work, sparsity, scope=scope, criterion=criterion))
    sizes = {each.layer: each.parameter.numel() for each in weights(work.model)}
    if scope == "global":
        assert abs(sum(found.values()) - sparsity * sum(sizes.values())) <= 0.5
    else:
        assert all(abs(found[name] - sparsity * size) <= 0.5 for name, size in sizes.items())


@pytest.mark.parametrize("scope", ["global", "layer"])
def test_a_layer_with_a_share_of_its_own_is_out_of_the_comparison(scope):
    work = Workload(five_by_five(), input_shape=(5,))
    assert zeros(pruned(work, 0.4, scope=scope, layers={"0": 0.8})) == {"0": 20, "1": 10}
    assert zeros(pruned(work, 0.4, scope=scope, layers={"0.weight": 0.8})) == {"0": 20, "1": 10}


def test_layers_to_keep_are_left_alone_and_do_not_count():
    work = Workload(five_by_five(), input_shape=(5,))
    made = pruned(work, 0.4, keep=("0",))
    assert zeros(made) == {"0": 0, "1": 10}
    assert list(made.constraints) == ["1.weight"]


def test_only_the_layers_that_may_be_touched_are():
    work = Workload(five_by_five(), input_shape=(5,))
    step, start = PruneWeights(0.4), work.candidate()
    context = Context(work, only=frozenset({"1"}))
    made = finish(step.apply(start, context, prepared(step, start, context)))
    assert zeros(made) == {"0": 0, "1": 10}


def test_when_all_is_kept_it_says_so():
    work = Workload(five_by_five(), input_shape=(5,))
    assert pruned(work, 0.4, keep=("0", "1")).notes == (
        "nothing was pruned: no weights are left to choose from",
    )


def test_a_layer_that_loses_everything_is_named():
    work = Workload(five_by_five(), input_shape=(5,))
    with torch.no_grad():
        work.baseline[0].weight.mul_(1e-6)
    (note,) = pruned(work, 0.5).notes
    assert note.startswith("0.weight: no weight is left")


def test_a_net_of_one_layer():
    work = Workload(nn.Linear(5, 5), input_shape=(5,))
    made = {scope: zeros(pruned(work, 0.6, scope=scope)) for scope in ("global", "layer")}
    assert made["global"] == made["layer"] == {"weight": 15}


def test_a_slider_moves_over_one_order():
    work = workload()
    context, start = Context(work), work.candidate()
    made = [
        prepared(PruneWeights(share, keep=keep), start, context) for share, keep in ((0.1, ()), (0.9, ("0",)))
    ]
    assert made[0] is made[1]
    other = PruneWeights(0.5, criterion="random")
    assert prepared(other, start, context) is not made[0]


# ---- shares by sensitivity ---------------------------------------------------------------------------------


def one_that_matters() -> Workload:
    """Two layers of the same size; what the second one computes is not used by anything."""

    class Net(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            torch.manual_seed(0)
            self.used, self.idle = nn.Linear(6, 3), nn.Linear(6, 3)

        def forward(self, inputs):
            return self.used(inputs) + 1e-3 * self.idle(inputs)

    return workload(Net())


def test_a_scan_takes_from_the_layer_that_does_not_hurt():
    work = one_that_matters()
    made = pruned(work, 0.5, scope="sensitivity")
    assert sum(zeros(made).values()) == 18
    assert zeros(made)["idle"] > zeros(made)["used"]
    assert any(note.startswith("shares by sensitivity: used ") for note in made.notes)


def test_shares_by_sensitivity_meet_the_share_of_what_is_free():
    work = one_that_matters()
    assert zeros(pruned(work, 0.5, scope="sensitivity", keep=("idle",))) == {"used": 9, "idle": 0}
    made = pruned(work, 0.5, scope="sensitivity", layers={"idle": 0.0})
    assert zeros(made) == {"used": 9, "idle": 0}


def test_a_preview_does_not_wait_for_a_scan_but_uses_one_there_is():
    work = one_that_matters()
    recipe = Recipe.of(PruneWeights(0.5, scope="sensitivity"))
    before = Previewer(work).candidate(recipe)
    assert before.notes == ("preview: not scanned yet, so weights are compared over the whole model",)
    made = pruned(work, 0.5, scope="sensitivity")
    after = Previewer(work).candidate(recipe)
    assert zeros(after) == zeros(made) and after.notes == made.notes


def test_the_scan_is_the_one_of_wb_sensitivity(monkeypatch):
    work = one_that_matters()
    sensitivity.sensitivity(work, PruneWeights, strengths=(0.5, 0.7, 0.9, 0.95, 0.99))
    monkeypatch.setattr("workbench.exploration.sensitivity._filling", None)  # whoever scans now fails
    assert sum(zeros(pruned(work, 0.5, scope="sensitivity")).values()) == 18


def test_a_scan_needs_validation_data():
    work = Workload(net(), input_shape=(6,))
    with pytest.raises(WorkloadError, match="validation"):
        pruned(work, 0.5, scope="sensitivity")


# ---- what is refused ---------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("options", "line"),
    [
        ({"sparsity": 90}, r"sparsity must lie between 0 and 1, got 90; for 90 % write 0\.9"),
        ({"sparsity": -0.1}, r"sparsity must lie between 0 and 1, got -0\.1"),
        ({"layers": {"0": 1.5}}, r"layers must lie between 0 and 1, got 1\.5.*for layer '0'"),
        ({"layers": {"0": 0.5}, "keep": ("0",)}, "layers and keep both name 0; take one out"),
        ({"criterion": "magnitud"}, "did you mean 'magnitude'"),
        ({"schedule": "cubical"}, "did you mean 'cubic'"),
        ({"ends": 0}, "ends must lie above 0 and at most 1, got 0"),
        ({"rounds": 0}, "rounds must lie between 1 and 1000, got 0"),
    ],
)
def test_values_out_of_range(options, line):
    with pytest.raises(OptionError, match=line) as raised:
        PruneWeights(**options)
    assert "\n" not in str(raised.value)


@pytest.mark.parametrize("option", ["layers", "keep"])
def test_a_layer_that_is_not_there(option):
    work = workload(nn.Sequential(nn.Flatten(), nn.Linear(6, 3)))
    given = {"layers": {"11": 0.5}} if option == "layers" else {"keep": ("11",)}
    with pytest.raises(OptionError, match=rf"{option} names '11', which is no layer .*\(there are: 1\)"):
        pruned(work, **given)


def test_the_nearest_layer_is_shown():
    model = nn.Sequential()
    model.add_module("features", nn.Linear(6, 3))
    with pytest.raises(OptionError, match="did you mean 'features'"):
        pruned(workload(model), keep=("feature",))


def test_weights_that_are_no_numbers():
    work = workload()
    broken = work.candidate()
    with torch.no_grad():
        broken.model[0].weight[0, 0] = torch.nan
    with pytest.raises(WorkbenchError, match=r"0\.weight holds values that are not finite"):
        pruned(work, start=broken)


def test_round_trips_with_every_option_set():
    step = PruneWeights(
        0.8,
        scope="layer",
        criterion="wanda",
        schedule="cubic",
        layers={"fc1": 0.9},
        keep=("fc2",),
        regrow=False,
        ends=0.5,
        prunings=9,
        rounds=3,
        samples=64,
    )
    recipe = Recipe.of(step)
    assert Recipe.parse(str(recipe)) == recipe == Recipe.from_yaml(recipe.to_yaml())


def test_recipes_of_the_first_version_still_read():
    step = Recipe.parse("PruneWeights(sparsity=0.9, scope='layer', criterion='magnitude')").steps[0]
    assert step == PruneWeights(0.9, scope="layer")
    assert str(PruneWeights(0.9)) == "PruneWeights(sparsity=0.9)"


def test_a_mask_says_which_weights_may_differ_from_zero():
    made = pruned(workload(), 0.5)
    for name in made.constraints:
        keep = made.constraints.of(name, Mask).keep
        assert torch.equal(made.model.get_parameter(name) != 0, keep)


VARIANTS = (
    PruneWeights(0.5, schedule="cubic"),
    PruneWeights(0.5, schedule="iterative", rounds=2, criterion="movement"),
    PruneWeights(0.5, scope="sensitivity", criterion="wanda"),
)


@pytest.mark.slow
@pytest.mark.parametrize("step", VARIANTS, ids=str)
def test_variants_keep_the_contract_of_every_technique(step):
    for check in CHECKS:
        check(step)
