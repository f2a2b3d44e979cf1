"""A recipe is spelt once: text, YAML and JSON give back the same techniques, and nothing is evaluated."""

from __future__ import annotations

import json
import warnings
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from workbench.errors import OptionError, RecipeError, WorkbenchError
from workbench.options import Option, Reference, describe, option
from workbench.recipe import Recipe
from workbench.technique import Technique, find, techniques

LINE = "PruneWeights(sparsity=0.9) | FineTune(epochs=2) | Quantize(weights=4)"
# the same examples every time; the first text drawn on a machine takes a second
MANY = settings(derandomize=True, deadline=None, database=None, suppress_health_check=[HealthCheck.too_slow])
NAMES = st.text(min_size=1, max_size=12)


class Everything(Technique, family="training"):
    """One option of every kind, so that hypothesis draws from each."""

    share: float = option(0.5, "a share", low=0, high=1)
    rate: float = option(1e-3, "a rate", above=0, high=10)
    bits: int = option(8, "bits", low=2, high=16)
    bias: bool = option(False, "yes or no")
    scope: str = option("global", "one of", choices=("global", "layer"))
    label: str = option("", "any text")
    skip: tuple[str, ...] = option((), "layers to leave alone")
    layers: dict[str, float] = option({}, "shares of layers", low=0, high=1)
    teacher: str | Reference = option("original", "a text or a variable")
    limit: float | None = option(None, "a number or nothing", low=0, high=1e30)


@pytest.fixture(autouse=True)
def known(monkeypatch: pytest.MonkeyPatch) -> None:
    """`Everything` is a technique like any other while these tests run."""
    all_of_them = {**techniques(), "Everything": Everything}
    monkeypatch.setattr("workbench.technique.techniques", lambda: all_of_them)


def valid(each: Option) -> st.SearchStrategy[Any]:
    """Values an option allows, from its own description."""
    low = each.low if each.low is not None else each.above
    bounds = {"min_value": low, "max_value": each.high}
    number = st.floats(**bounds, exclude_min=each.above is not None, allow_nan=False)
    values = {
        "float": number,
        "int": st.integers(**bounds),
        "bool": st.booleans(),
        "choice": st.sampled_from(each.choices or [None]),
        "text": st.text(max_size=20),
        "names": st.lists(NAMES, max_size=3),
        "layers": st.dictionaries(
            st.sampled_from(each.choices) if each.choices else NAMES, number, max_size=3
        ),
        "reference": st.one_of(
            st.sampled_from(each.choices) if each.choices else st.text(max_size=20),
            st.sampled_from([Reference("net2"), Reference("模型")]),
        ),
    }[each.kind]
    return st.one_of(st.none(), values) if each.optional else values


def steps(cls: type[Technique]) -> st.SearchStrategy[Technique]:
    """Any valid config of a technique."""
    options = {each.name: valid(each) for each in describe(cls)}

    def made(chosen: dict[str, Any]) -> Technique:
        try:
            return cls(**chosen)
        except WorkbenchError:  # each value is allowed, and these do not go with each other (n of m, say)
            return cls()

    return st.fixed_dictionaries({}, optional=options).map(made)


RECIPES = st.lists(
    st.one_of([steps(cls) for cls in [*techniques().values(), Everything]]), min_size=1, max_size=4
).map(lambda chosen: Recipe(tuple(chosen)))


@MANY
@given(RECIPES)
def test_text_yaml_and_json_give_back_the_same_recipe(recipe):
    assert Recipe.parse(str(recipe)) == recipe
    assert Recipe.from_yaml(recipe.to_yaml()) == recipe
    assert Recipe.from_json(recipe.to_json()) == recipe
    assert str(Recipe.parse(str(recipe))) == str(recipe)
    assert eval(f"({recipe})", {**techniques(), "Everything": Everything, **variables(recipe)}) in (
        recipe,
        recipe.steps[0],
    )  # the text is Python, too


def variables(recipe: Recipe) -> dict[str, Reference]:
    return {
        value.name: value
        for step in recipe
        for each in describe(step)
        if isinstance(value := getattr(step, each.name), Reference)
    }


@pytest.mark.parametrize("name", techniques())
def test_every_technique_goes_through_text_yaml_and_json(name):
    recipe = Recipe((find(name)(),))
    assert Recipe.parse(name) == Recipe.parse(f"{name}()") == Recipe.parse(str(recipe)) == recipe
    assert Recipe.from_yaml(f"- {name}") == Recipe.from_json(f'["{name}"]') == recipe
    assert Recipe.from_yaml(f"- {name}:") == Recipe.from_yaml(recipe.to_yaml()) == recipe


def test_text_shows_the_first_option_and_those_that_are_not_default():
    assert str(Recipe.parse("PruneWeights(0.9) | Quantize(granularity='tensor')")) == (
        "PruneWeights(sparsity=0.9) | Quantize(weights=8, granularity='tensor')"
    )


def test_files_hold_every_option_so_that_later_defaults_change_nothing():
    (record,) = Recipe.parse("PruneWeights(0.9)").to_records()
    defaults = {each.name: each.default for each in describe(find("PruneWeights"))}
    plain = {name: list(value) if isinstance(value, tuple) else value for name, value in defaults.items()}
    assert record == {"PruneWeights": plain}


def test_python_makes_the_same_recipe_as_the_text():
    prune, tune, quantize = (find(name) for name in ("PruneWeights", "FineTune", "Quantize"))
    recipe = prune(0.9) | tune(epochs=2) | quantize(4)
    assert recipe == Recipe.parse(LINE)
    assert str(recipe) == LINE
    assert prune(0.9) | (tune(epochs=2) | quantize(4)) == recipe
    assert [type(step).__name__ for step in recipe] == ["PruneWeights", "FineTune", "Quantize"]
    assert len(recipe) == 3
    assert hash(recipe) == hash(Recipe.parse(LINE))


def test_a_recipe_of_a_list_is_the_recipe_of_its_tuple():
    prune, tune = find("PruneWeights")(), find("FineTune")()
    assert Recipe([prune, tune]) == Recipe((prune, tune))
    assert Recipe([prune]) | tune == prune | tune
    assert hash(Recipe([prune])) == hash(Recipe((prune,)))


def test_spaces_lines_and_comments_do_not_matter():
    text = """
        PruneWeights(0.9)   # first the zeros
        | FineTune(
            epochs=2,
          )
        | Quantize(weights=4)  # then the grid"""
    assert Recipe.parse(text) == Recipe.parse(LINE)
    assert Recipe.parse("# the zeros\nPruneWeights(0.9)\n| FineTune(2) |\nQuantize(4)") == Recipe.parse(LINE)
    assert Recipe.parse("(PruneWeights(0.9) | FineTune(2)) | Quantize(4)") == Recipe.parse(LINE)
    assert Recipe.parse("PruneWeights(0.9) | (FineTune(2) | Quantize(4))") == Recipe.parse(LINE)


def test_nothing_is_an_empty_recipe():
    assert (
        Recipe.parse("  \n")
        == Recipe.parse("# later")
        == Recipe()
        == Recipe.from_json("[]")
        == Recipe.from_yaml("[]")
    )


def test_a_bare_name_is_a_reference_and_prints_as_itself():
    recipe = Recipe.parse("Everything(teacher=net2)")
    assert recipe.steps[0].teacher == Reference("net2")
    assert str(recipe) == "Everything(share=0.5, teacher=net2)"
    assert json.loads(recipe.to_json())[0]["Everything"]["teacher"] == {"variable": "net2"}
    assert Recipe.parse("Everything(teacher='net2')").steps[0].teacher == "net2"


def test_a_layer_called_variable_is_a_layer():
    recipe = Recipe((Everything(layers={"variable": 0.5}),))
    assert Recipe.from_json(recipe.to_json()) == Recipe.from_yaml(recipe.to_yaml()) == recipe


def line_of(make: Any, text: Any) -> str:
    """The one short line a text that is not a recipe gets."""
    with pytest.raises(WorkbenchError) as caught, warnings.catch_warnings():
        warnings.simplefilter("error")
        make(text)
    line = str(caught.value)
    assert "\n" not in line
    assert len(line) < 300
    return line


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("PruneWieghts(0.9)", "no technique named 'PruneWieghts'; did you mean 'PruneWeights'?"),
        ("pruneweights", "did you mean 'PruneWeights'?"),
        ("PruneWeights(sparsty=0.9)", "PruneWeights has no option 'sparsty'; did you mean 'sparsity'?"),
        ("PruneWeights(80)", "sparsity must lie between 0 and 1, got 80; for 80 % write 0.8"),
        ("PruneWeights(0.9, 'layer')", "takes one value by position, got 2; name them: sparsity"),
        ("PruneWeights(0.9, sparsity=0.5)", "got sparsity twice"),
        ("PruneWeights(sparsity=0.9, sparsity=0.5)", "got sparsity twice"),
        ("PruneWeights(**{})", "write options out"),
        ("PruneWeights(*[0.9])", "a recipe holds numbers, texts and names only"),
        ("PruneWeights(sparsity=1/2)", "PruneWeights(sparsity=...): a recipe holds numbers, texts and names"),
        ("PruneWeights(sparsity=open('x'))", "numbers, texts and names only, got \"open('x')\""),
        ("PruneWeights(sparsity={[]: 1})", "a recipe holds numbers, texts and names only"),
        ("PruneWeights(sparsity=x)", "sparsity must be a number (0 to 1), got x"),
        ("PruneWeights(0.9) + FineTune(2)", "expected a technique like PruneWeights(sparsity=0.9)"),
        ("PruneWeights(0.9), FineTune(2)", "expected a technique like PruneWeights(sparsity=0.9)"),
        ("wb.PruneWeights(0.9)", "expected a technique like"),
        ("PruneWeights(0.9)(1)", "expected a technique like"),
        ("PruneWeights(0.9) |", "not a recipe: 'PruneWeights(0.9) |'; write techniques joined by |"),
        ("| PruneWeights(0.9)", "not a recipe"),
        ("PruneWeights(0.9)) | (FineTune(2)", "not a recipe"),
        ("PruneWeights)(", "not a recipe"),
        ("import os", "not a recipe"),
        ("PruneWeights(sparsity=0.9", "not a recipe"),
        ("x := 1", "expected a technique"),
        ("lambda: 1", "expected a technique"),
        ("0.9", "expected a technique like"),
        ("\0", "not a recipe"),
        ("FineTune(epochs=1" + "0" * 400 + ")", "epochs must be a finite number"),
        ("FineTune(epochs=1" + "0" * 5000 + ")", "not a recipe"),
        ("FineTune(epochs=1e999)", "epochs must be a finite number"),
        ("PruneWeights(" + "a" * 5000 + "=1)", "PruneWeights has no option 'aaa"),
        ("A" * 15_000, "no technique named 'AAA"),
        (5, "a recipe is a text like PruneWeights(sparsity=0.9) | FineTune(epochs=2), got 5"),
        (None, "a recipe is a text like"),
    ],
)  # fmt: skip
def test_a_text_that_is_no_recipe_gets_one_line(text, words):
    assert words in line_of(Recipe.parse, text)


DEEP = {
    "parentheses": "(" * 5_000 + "PruneWeights" + ")" * 5_000,
    "open": "(" * 15_000,
    "lists": "PruneWeights(" + "[" * 9_000 + "]" * 9_000 + ")",
    "signs": "PruneWeights(" + "-" * 15_000 + "1)",
    "calls": "PruneWeights" + "()" * 7_000,
    "members": "PruneWeights" + ".a" * 7_000,
    "nots": "not " * 4_000 + "1",
    "bars": "|".join(["A"] * 9_000),
    "texts": "PruneWeights('" * 1_000,
    "long": "PruneWeights(0.9) | " * 5_000,
}


@pytest.mark.parametrize("kind", DEEP)
def test_deep_nesting_and_long_texts_are_refused_in_one_line(kind):
    line_of(Recipe.parse, DEEP[kind])


def test_a_recipe_of_hundreds_of_steps_is_read():
    text = " | ".join(["FineTune(epochs=1)"] * 500)
    assert str(Recipe.parse(text)) == text


def test_nothing_is_evaluated(tmp_path):
    mark = tmp_path / "mark"
    call = f"__import__('pathlib').Path({str(mark)!r}).touch()"
    for text in (call, f"PruneWeights({call})", f"PruneWeights(sparsity={call})", f"{call} | FineTune()",
                 f"PruneWeights(scope=f'{{{call}}}')", f"PruneWeights([0 for _ in [{call}]])"):  # fmt: skip
        line_of(Recipe.parse, text)
    line_of(Recipe.from_yaml, f"!!python/object/apply:eval [{call!r}]")
    line_of(Recipe.from_yaml, "- !!python/name:os.system")
    assert not mark.exists()


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("", "not a recipe in JSON"),
        ("{", "not a recipe in JSON"),
        ("3", "a recipe file holds a list of techniques, got 3"),
        ('"PruneWeights(0.9)"', "a recipe file holds a list of techniques"),
        ("null", "a recipe file holds a list"),
        ("[3]", "a step of a recipe file is a name or one 'name: options', got 3"),
        ('[{"PruneWeights": {}, "Quantize": {}}]', "a step of a recipe file is a name or one"),
        ('["PruneWieghts"]', "did you mean 'PruneWeights'?"),
        ('[{"PruneWeights": 0.9}]', "the options of 'PruneWeights' must map names to values, got 0.9"),
        ('[{"PruneWeights": {"sparsity": NaN}}]', "sparsity must be a finite number"),
        ('[{"PruneWeights": {"sparsity": "0.9"}}]', "sparsity must be a number (0 to 1), got '0.9'"),
        ('[{"PruneWeights": {"sparsity": {"variable": "a b"}}}]', "sparsity must be a number"),
        ('[{"Everything": {"teacher": {"variable": "a b"}}}]', "a reference is a variable's name, got 'a b'"),
        ("[" * 100_000, "not a recipe in JSON"),
        ("[" + "1" * 5_000 + "]", "not a recipe in JSON"),
        (b"\xff\xfe\xfa", "not a recipe in JSON"),
        (None, "not a recipe in JSON"),
    ],
)
def test_a_json_that_is_no_recipe_gets_one_line(text, words):
    assert words in line_of(Recipe.from_json, text)


LAUGHS = "\n".join(
    ["a0: &a0 [lol]", *(f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 9)}]" for n in range(1, 30))]
)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("", "a recipe file holds a list of techniques, got None"),
        ("a: [", "not a recipe in YAML"),
        ("just words", "a recipe file holds a list of techniques"),
        ("- 3", "a step of a recipe file is a name or one"),
        ("- [PruneWeights]", "a step of a recipe file is a name or one"),
        ("- PruneWeights: {1: 2}", "the options of 'PruneWeights' must map names to values"),
        ("- 2001-99-99", "not a recipe in YAML"),
        ("- !!bool maybe", "not a recipe in YAML"),
        ("- !!timestamp soon", "not a recipe in YAML"),
        ("- !!int x", "not a recipe in YAML"),
        ("- ? [a]\n  : b", "not a recipe in YAML"),
        ("- &a [*a]", "a step of a recipe file is a name or one"),
        (LAUGHS, "a recipe file holds a list of techniques"),
        ("[" * 50_000, "not a recipe in YAML"),
        ("\x07", "not a recipe in YAML"),
        ("- " + "1" * 5_000, "not a recipe in YAML"),
        ("- PruneWeights: {sparsity: 80}", "for 80 % write 0.8"),
        (b"\xff\xfe\xfa", "not a recipe in YAML"),
        (None, "not a recipe in YAML"),
    ],
)
def test_a_yaml_that_is_no_recipe_gets_one_line(text, words):
    assert words in line_of(Recipe.from_yaml, text)


@MANY
@given(st.text(max_size=60))
def test_any_text_is_a_recipe_or_one_line(text):
    for make in (Recipe.parse, Recipe.from_json, Recipe.from_yaml):
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            try:
                assert isinstance(make(text), Recipe)
            except (RecipeError, OptionError) as error:
                assert "\n" not in str(error)


@pytest.mark.parametrize("wrong", [3, None, object(), "FineTune"])
def test_only_techniques_are_steps(wrong):
    with pytest.raises(RecipeError, match=r"a recipe is made of techniques joined by \|"):
        Recipe((wrong,))
    with pytest.raises((RecipeError, TypeError)):
        Recipe(wrong)
    with pytest.raises(TypeError):
        find("FineTune")() | wrong


def test_a_class_instead_of_a_technique_is_told_to_add_parentheses():
    with pytest.raises(RecipeError, match=r"got a class: write FineTune\(\)"):
        Recipe((find("FineTune"),))
    with pytest.raises(RecipeError, match=r"got a class: write FineTune\(\)"):
        Recipe.of(find("FineTune"))
    with pytest.raises(RecipeError, match=r"got a class: write FineTune\(\)"):
        find("Quantize")(4) | find("FineTune")


def test_of_takes_a_recipe_a_technique_and_a_text():
    recipe = Recipe.parse(LINE)
    assert Recipe.of(recipe) is recipe
    assert Recipe.of(recipe.steps[0]) == Recipe(recipe.steps[:1])
    assert Recipe.of(LINE) == recipe
    with pytest.raises(RecipeError, match=r"a recipe is techniques joined by \|"):
        Recipe.of(4)


def test_untrained_ends_before_the_first_step_that_trains():
    assert str(Recipe.parse(LINE).untrained()) == "PruneWeights(sparsity=0.9)"
    assert Recipe.parse("FineTune").untrained() == Recipe()
    assert Recipe.parse("Quantize(4)").untrained() == Recipe.parse("Quantize(4)")
