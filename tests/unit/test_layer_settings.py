"""A layer's own setting: read from what a technique declares, written into its options."""

from __future__ import annotations

import pytest

from workbench.options import describe, option
from workbench.panels.state.layer_settings import Setting, left_alone, said, settings, with_own
from workbench.panels.state.steps import Draft
from workbench.recipe import Recipe
from workbench.technique import Technique, techniques

SHAPES = {"conv": (4, 1, 3, 3), "body.fc1": (20, 36), "body.fc2": (20, 20), "head": (3, 20)}


def of(recipe: str, layer: str = "head", shapes=SHAPES) -> tuple[Technique, Setting]:
    """The first step of a recipe and what it says of a layer."""
    draft = Draft.of(Recipe.parse(recipe))
    return draft.steps[0].technique, settings(draft, layer, lambda place: shapes)[0]


def test_control_of_an_own_value_comes_from_the_declaration():
    _, setting = of("PruneWeights(sparsity=0.8)")
    assert (setting.own.name, setting.own.kind, setting.own.low, setting.own.high) == (
        "sparsity",
        "float",
        0,
        1,
    )
    assert setting.own.step == 0.01 and setting.usual == 0.8 and setting.value is None
    _, setting = of("Quantize(weights=4)")
    assert (setting.own.name, setting.own.kind, setting.own.unit, setting.usual) == (
        "weights",
        "int",
        "bits",
        4,
    )


def test_ranks_end_where_splitting_stops_to_pay():
    _, setting = of("Factorize(ratio=0.5)", "body.fc2")
    assert (setting.own.name, setting.own.low, setting.own.high) == ("rank", 1, 9)  # 9 · 40 < 400 ≤ 10 · 40
    _, setting = of("Factorize(ratio=0.5, where='any')", "body.fc2")
    assert setting.own.high == 20 and setting.usual == 10  # half of its full rank


def test_own_value_is_written_and_taken_back():
    step, setting = of("PruneWeights(sparsity=0.8, layers={'conv': 0.2})")
    assert with_own(step, setting, 0.5) == {"layers": {"conv": 0.2, "head": 0.5}}
    step, setting = of("PruneWeights(sparsity=0.8, layers={'conv': 0.2, 'head': 0.5})")
    assert setting.value == 0.5
    assert with_own(step, setting, None) == {"layers": {"conv": 0.2}}


def test_left_alone_and_own_value_exclude_each_other():
    step, setting = of("PruneWeights(sparsity=0.8, layers={'head': 0.5})")
    changes = left_alone(step, setting, True)
    assert changes == {"layers": {}, "keep": ("head",)}
    step.replace(**changes)  # is accepted
    step, setting = of("PruneWeights(sparsity=0.8, keep=['head'])")
    assert setting.is_left
    assert with_own(step, setting, 0.5) == {"keep": (), "layers": {"head": 0.5}}


def test_layer_left_alone_by_the_name_of_what_holds_it_is_spelt_out():
    step, setting = of("Quantize(weights=4, keep=['body'])", "body.fc1")
    assert setting.is_left
    assert left_alone(step, setting, False) == {"keep": ("body.fc2",)}


def test_technique_that_names_the_only_layers_leaves_the_others_alone():
    step, setting = of("ShareWeights(clusters=4)", "conv")
    assert setting.can_leave and not setting.is_left and setting.own is None
    assert left_alone(step, setting, True) == {"layers": ("body.fc1", "body.fc2", "head")}
    step, setting = of("ShareWeights(clusters=4, layers=['body.fc1', 'body.fc2', 'head'])", "conv")
    assert setting.is_left
    assert left_alone(step, setting, False) == {"layers": ()}  # all again


def test_last_layer_of_an_only_option_cannot_be_left_alone():
    _, setting = of("ShareWeights(clusters=4, layers=['head'])")
    assert not setting.can_leave and setting.reason == "it is the only layer that this step can touch"


def test_layer_that_was_split_before_is_set_through_its_thin_layers():
    shapes = {"head.0": (2, 20), "head.1": (3, 2)}
    step, setting = of("Quantize(weights=4)", "head", shapes)
    assert setting.names == ("head.0", "head.1")
    assert with_own(step, setting, 8) == {"layers": {"head.0": 8, "head.1": 8}}


def test_what_cannot_be_set_is_said():
    assert of("TieLayers()")[1].reason == "TieLayers has no setting for single layers"
    assert of("Quantize(weights=4)", "norm")[1].reason.startswith("by this step it has no weights")
    assert of("Quantize(weights=4)", shapes=None)[1].reason.endswith("are not known yet")


def test_recipe_says_what_is_a_layers_own():
    draft = Draft.of(Recipe.parse("PruneWeights(0.8, layers={'head': 0.5}) | Quantize(4, keep=['body'])"))
    assert said(draft, "head") == "PruneWeights: 0.5"
    assert said(draft, "body.fc1") == "Quantize: left alone"
    assert said(draft, "conv") == ""
    off = draft.switched(draft.steps[0].id, False)
    assert said(off, "head") == ""


@pytest.mark.parametrize("name", techniques())
def test_every_technique_can_be_asked_and_takes_what_is_written(name):
    """Whatever a technique declares, what is made of it is accepted by the technique itself."""
    draft = Draft.of(Recipe((techniques()[name](),)))
    step = draft.steps[0].technique
    (setting,) = settings(draft, "head", lambda place: SHAPES)
    assert setting.own or setting.can_leave or setting.reason
    if setting.own is not None:
        made = step.replace(**with_own(step, setting, setting.own.default))
        assert settings(Draft.of(Recipe((made,))), "head", lambda place: SHAPES)[0].value is not None
    if setting.can_leave:
        made = step.replace(**left_alone(step, setting, True))
        (now,) = settings(Draft.of(Recipe((made,))), "head", lambda place: SHAPES)
        assert now.is_left
        assert made.replace(**left_alone(made, now, False)) == step


def test_plugin_declares_its_own_role():
    class Careful(Technique, family="pruning"):
        """Do something careful."""

        amount: float = option(0.5, "how much", low=0, high=1)
        spared: tuple[str, ...] = option((), "layers to spare", role="leave")

    assert [each.role for each in describe(Careful)] == ["", "leave"]
    (setting,) = settings(Draft.of(Recipe((Careful(),))), "head", lambda place: SHAPES)
    assert left_alone(Careful(), setting, True) == {"spared": ("head",)}
