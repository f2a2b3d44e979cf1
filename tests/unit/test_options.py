"""An option says what it allows, and a wrong value gets one line that helps the next keystroke."""

from __future__ import annotations

import math
from dataclasses import FrozenInstanceError

import numpy as np
import pytest

from workbench.errors import OptionError, RecipeError, WorkbenchError, listed, nearest
from workbench.options import Option, Reference, describe, option
from workbench.technique import Technique, find


class Sample(Technique, family="training"):
    """One option of every kind."""

    share: float = option(0.5, "a share", low=0, high=1)
    rate: float = option(1e-3, "a rate", above=0, high=10, log=True)
    bits: int = option(8, "whole numbers", low=2, high=16, unit="bits")
    count: int = option(1, "at least one", low=1)
    bias: bool = option(False, "yes or no")
    scope: str = option("global", "one of", choices=("global", "layer"))
    label: str = option("", "any text")
    skip: tuple[str, ...] = option((), "layers to leave alone")
    layers: dict[str, float] = option({}, "shares of layers", low=0, high=1)
    ranks: dict[str, int] = option({}, "ranks of layers", low=1)
    teacher: str | Reference = option("original", "a text or a variable")
    limit: float | None = option(None, "a number or nothing", low=0)


OPTIONS = {each.name: each for each in describe(Sample)}


def refused(**options: object) -> str:
    """The line a wrong value gets."""
    with pytest.raises(WorkbenchError) as caught:
        Sample(**options)
    text = str(caught.value)
    assert "\n" not in text
    assert len(text) < 250
    return text


def test_fields_are_described_in_the_order_they_were_declared():
    assert list(OPTIONS) == [
        "share", "rate", "bits", "count", "bias", "scope", "label", "skip", "layers", "ranks", "teacher",
        "limit",
    ]  # fmt: skip
    assert [each.kind for each in OPTIONS.values()] == [
        "float", "float", "int", "int", "bool", "choice", "text", "names", "layers", "layers", "reference",
        "float",
    ]  # fmt: skip
    assert OPTIONS["bits"].unit == "bits"
    assert OPTIONS["rate"].log
    assert OPTIONS["limit"].optional
    assert not OPTIONS["share"].optional


def test_a_class_and_its_instance_are_described_alike():
    assert describe(Sample) == describe(Sample(share=0.25))


def test_a_share_given_in_percent_is_told_how_to_write_it():
    assert refused(share=80) == "share must lie between 0 and 1, got 80; for 80 % write 0.8"
    assert refused(share=2.5).endswith("for 2.5 % write 0.025")


def test_the_issues_own_example():
    with pytest.raises(
        OptionError, match=r"^sparsity must lie between 0 and 1, got 80; for 80 % write 0\.8$"
    ):
        find("PruneWeights")(sparsity=80)


@pytest.mark.parametrize(
    ("given", "line"),
    [
        ({"share": -0.1}, "share must lie between 0 and 1, got -0.1"),
        ({"share": 180}, "share must lie between 0 and 1, got 180"),
        ({"share": "much"}, "share must be a number (0 to 1), got 'much'"),
        ({"share": True}, "share must be a number (0 to 1), got True"),
        ({"share": None}, "share must be a number (0 to 1), got None"),
        ({"share": math.nan}, "share must be a finite number (0 to 1), got nan"),
        ({"share": math.inf}, "share must be a finite number (0 to 1), got inf"),
        ({"rate": 0}, "rate must lie above 0 and at most 10, got 0"),
        ({"rate": 11}, "rate must lie above 0 and at most 10, got 11"),
        ({"bits": 2.5}, "bits must be a whole number (2 to 16), got 2.5"),
        ({"bits": 1}, "bits must lie between 2 and 16, got 1"),
        ({"count": 0}, "count must be at least 1, got 0"),
        ({"bias": 1}, "bias must be True or False, got 1"),
        ({"scope": "layers"}, "scope must be one of 'global', 'layer', got 'layers'; did you mean 'layer'?"),
        ({"scope": 3}, "scope must be one of 'global', 'layer', got 3"),
        ({"label": 3}, "label must be a text, got 3"),
        ({"skip": "fc1"}, "skip must be a list of layer names, got 'fc1'; write ['fc1']"),
        ({"skip": [1]}, "skip must be a list of layer names, got [1]"),
        ({"layers": 0.5}, "layers must map layer names to values, got 0.5; write {'fc1': 0.5}"),
        ({"layers": {"fc1": 80}}, "for 80 % write 0.8 (for layer 'fc1')"),
        ({"layers": {1: 0.5}}, "layers must map layer names to values"),
        ({"ranks": {"fc1": 2.5}}, "ranks must be a whole number (at least 1), got 2.5 (for layer 'fc1')"),
        ({"teacher": 4}, "teacher must be a text or the name of a variable, got 4"),
        ({"limit": -1}, "limit must be at least 0, got -1"),
    ],
)
def test_a_wrong_value_gets_one_line(given, line):
    assert line in refused(**given)


def test_a_number_too_large_for_a_float_is_refused_like_any_other():
    assert refused(count=10**400).startswith("count must be a finite number (at least 1), got 1000")


@pytest.mark.parametrize("value", ["x" * 5000, "line\nline", list(range(5000)), np.zeros((90, 90))])
@pytest.mark.parametrize("name", [each.name for each in describe(Sample) if each.name != "label"])
def test_a_long_value_is_cut_in_the_line(name, value):
    if name == "teacher" and isinstance(value, str):
        assert Sample(teacher=value).teacher == value
    else:
        refused(**{name: value})


def test_values_take_the_options_own_type():
    made = Sample(share=1, bits=4.0, skip=["fc1"], rate=1, layers={"fc1": 1}, ranks={"fc1": 2.0})
    assert (repr(made.layers), repr(made.ranks)) == ("{'fc1': 1.0}", "{'fc1': 2}")
    assert (made.share, type(made.share)) == (1.0, float)
    assert (made.bits, type(made.bits)) == (4, int)
    assert made.skip == ("fc1",)
    assert type(made.rate) is float


def test_numpy_numbers_are_numbers():
    made = Sample(share=np.float32(0.5), bits=np.int64(4))
    assert (made.share, type(made.share), made.bits, type(made.bits)) == (0.5, float, 4, int)


def test_only_an_optional_option_may_be_none():
    assert Sample(limit=None).limit is None
    assert Sample(limit=3).limit == 3.0
    refused(bits=None)


def test_an_unknown_option_is_answered_with_the_nearest():
    with pytest.raises(
        RecipeError, match=r"Sample has no option 'shrae'; did you mean 'share'\? \(it has: share"
    ):
        Sample(shrae=0.5)


def test_a_config_is_frozen_and_shares_no_mapping_with_its_neighbors():
    first, second = Sample(), Sample()
    with pytest.raises(FrozenInstanceError):
        first.share = 0.1
    assert first == second
    assert hash(first) == hash(second)
    given = {"fc1": 0.5}
    made = Sample(layers=given)
    given["fc1"] = 80
    assert made.layers == {"fc1": 0.5}


def test_ranges_are_said_in_words():
    ranges = {name: each.range for name, each in OPTIONS.items()}
    assert ranges["share"] == "0 to 1"
    assert ranges["rate"] == "above 0, at most 10"
    assert ranges["count"] == "at least 1"
    assert ranges["scope"] == "global, layer"
    assert ranges["bias"] == "True, False"


def test_only_an_upper_bound_is_a_range_too():
    only_high = Option("x", "float", 0.0, "", high=3)
    assert only_high.range == "at most 3"
    with pytest.raises(OptionError, match="x must be at most 3, got 4"):
        only_high.check(4)


def test_bounds_themselves_are_allowed_and_exclusive_ones_are_not():
    assert Sample(share=0).share == 0
    assert Sample(share=1).share == 1
    assert Sample(rate=10).rate == 10
    refused(rate=0)


@pytest.mark.parametrize("name", ["", "1a", "a b", "a.b", "None", "True", "if", "lambda", "__import__('os')"])
def test_a_reference_is_a_variables_name(name):
    with pytest.raises(OptionError, match="a reference is a variable's name, got"):
        Reference(name)


def test_an_option_of_an_unknown_type_is_the_authors_error():
    with pytest.raises(TypeError, match="needs an explicit kind"):

        class Odd(Technique, family="training"):
            """Odd."""

            value: complex = option(0j, "no such kind")

        describe(Odd)


def test_nearest_and_listed_words():
    assert nearest("Quantise", ["Quantize", "FineTune"]) == "; did you mean 'Quantize'?"
    assert nearest("quantize", ["Quantize"]) == "; did you mean 'Quantize'?"
    assert nearest("xyz", ["Quantize"]) == ""
    assert listed([]) == "none"
    assert listed("abc", most=2) == "a, b and 1 more"
