"""A line of %compress becomes a record: words hold together, flags keep order, mistakes are one line."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from workbench.errors import WorkbenchError
from workbench.magics import verbs
from workbench.magics.arguments import Part, parse
from workbench.magics.completion import complete
from workbench.magics.grammar import FLAGS
from workbench.magics.namespace import Namespace
from workbench.magics.run import code_of
from workbench.magics.session import Subject
from workbench.magics.steps import recipe_of
from workbench.magics.words import scan, split
from workbench.options import Reference, option
from workbench.recipe import Recipe
from workbench.technique import Technique, short_flags


def texts(line: str) -> list[str]:
    return [word.text for word in split(line)]


def recipe(line: str, cell: str | None = None) -> str:
    return str(recipe_of(parse(line, cell).parts))


def error(line: str, cell: str | None = None) -> str:
    with pytest.raises(WorkbenchError) as caught:
        recipe(line, cell)
    assert "\n" not in str(caught.value)
    return str(caught.value)


def test_brackets_and_quotes_hold_words_together():
    assert texts("net A(b=1, c={'x y': [1, 2]}) | B() 'two words'") == [
        "net",
        "A(b=1, c={'x y': [1, 2]})",
        "|",
        "B()",
        "'two words'",
    ]


def test_a_bracket_in_quotes_is_a_letter():
    assert texts("net A(b='(') --into x") == ["net", "A(b='(')", "--into", "x"]


@pytest.mark.parametrize("line", ["net  # the studio", "# nothing else", "net A(  # inside\n 1)"])
def test_comments_are_left_out(line):
    assert "studio" not in "".join(texts(line))
    assert not any(text.startswith("#") for text in texts(line))


def test_a_hash_inside_a_word_is_a_letter():
    assert texts("save small a#1.safetensors") == ["save", "small", "a#1.safetensors"]


def test_words_know_where_they_begin():
    line = "net   --into small"
    assert all(line[word.start :].startswith(word.text) for word in split(line))


def test_an_unfinished_line_says_what_is_open():
    assert scan("net A(b=['x").open == "(['"
    assert not scan("net A(b=1)").open


@pytest.mark.parametrize("line", ["net PruneWeights(sparsity=0.9", "net 'x", "net Quantize(4) --into {"])
def test_what_is_not_closed_is_named(line):
    assert "is not closed" in error(line)


def test_windows_paths_keep_their_backslashes():
    assert parse(r"save small C:\models\small.safetensors").words[1] == r"C:\models\small.safetensors"
    assert parse(r'save small "C:\my models\small.safetensors"').words[1] == r"C:\my models\small.safetensors"


def test_an_empty_line_asks_for_nothing():
    request = parse("")
    assert (request.verb, request.model, request.parts, dict(request.flags)) == ("", "", (), {})


def test_flags_make_steps_in_the_order_written():
    assert recipe("net --sparsity 0.9 --epochs 2 --bits 8") == (
        "PruneWeights(sparsity=0.9) | FineTune(epochs=2) | Quantize(weights=8)"
    )
    assert recipe("net --bits 8 --sparsity 0.9") == "Quantize(weights=8) | PruneWeights(sparsity=0.9)"


def test_a_short_flag_written_twice_makes_two_steps():
    assert recipe("net --bits 8 --epochs 1 --bits 4") == (
        "Quantize(weights=8) | FineTune(epochs=1) | Quantize(weights=4)"
    )


def test_further_options_belong_to_the_technique_before_them():
    assert recipe("net --bits 4 --granularity tensor --epochs 1 --learning-rate 1e-4") == (
        "Quantize(weights=4, granularity='tensor') | FineTune(epochs=1, learning_rate=0.0001)"
    )


def test_every_short_flag_makes_its_technique():
    from workbench.options import describe

    for flag, cls in short_flags().items():
        default = describe(cls)[0].default
        assert recipe(f"net {flag} {default}") == str(cls())


def test_our_own_flags_do_not_hide_a_short_flag():
    assert not set(FLAGS) & set(short_flags())


def test_text_ends_at_the_next_flag_and_goes_on_after_it():
    request = parse("net PruneWeights(sparsity=0.9) | FineTune(epochs=2) --into small")
    assert request.model == "net"
    assert request.parts == (Part("text", "PruneWeights(sparsity=0.9) | FineTune(epochs=2)"),)
    assert request.flags == {"--into": "small"}
    assert recipe("net Quantize(4) | --into small FineTune(1)") == "Quantize(weights=4) | FineTune(epochs=1)"


def test_text_and_short_flags_mix_in_order():
    assert recipe("net --sparsity 0.5 Quantize(4) --epochs 1") == (
        "PruneWeights(sparsity=0.5) | Quantize(weights=4) | FineTune(epochs=1)"
    )


@pytest.mark.parametrize(
    "cell",
    [
        "PruneWeights(sparsity=0.5)\n| Quantize(4)  # four bits\n",
        "# half of them\n\nPruneWeights(sparsity=0.5)  # by magnitude\n| Quantize(4)",
        "PruneWeights(sparsity=0.5) |\n    Quantize(\n        weights=4,\n    )",
        "- PruneWeights: {sparsity: 0.5}\n- Quantize:\n    weights: 4\n",
        "# half of them\n- PruneWeights:\n    sparsity: 0.5\n- Quantize: {weights: 4}",
        '[{"PruneWeights": {"sparsity": 0.5}}, {"Quantize": {"weights": 4}}]',
    ],
)
def test_a_cell_holds_text_or_yaml(cell):
    assert recipe("net --into small", cell) == "PruneWeights(sparsity=0.5) | Quantize(weights=4)"


def test_a_cell_goes_on_after_the_line():
    assert recipe("net PruneWeights(0.5)", "| Quantize(4)") == (
        "PruneWeights(sparsity=0.5) | Quantize(weights=4)"
    )


@pytest.mark.parametrize("name, text", [("r.yaml", "- Quantize: {weights: 4}"), ("r.txt", "Quantize(4)")])
def test_a_recipe_may_come_from_a_file(tmp_path, name, text):
    (tmp_path / name).write_text(text)
    assert recipe(f'net --recipe "{tmp_path / name}"') == "Quantize(weights=4)"


def test_a_file_that_is_no_recipe_is_one_line(tmp_path):
    (tmp_path / "a.yaml").write_text("just: a mapping\n")
    (tmp_path / "b.yaml").write_bytes(b"\xff\xfe\x00" * 9)
    (tmp_path / "c.txt").write_text("x" * 200_000)
    assert "a list of techniques" in error(f"net --recipe {tmp_path / 'a.yaml'}")
    assert "not a text file" in error(f"net --recipe {tmp_path / 'b.yaml'}")
    assert "200,000 bytes" in error(f"net --recipe {tmp_path / 'c.txt'}")
    assert "no such file" in error(f"net --recipe {tmp_path / 'd.yaml'}")


def test_braces_of_a_recipe_stay_as_they_are():
    part = parse("net PruneWeights(layers={'fc1': 0.5}, note='$x {y}')").parts[0]
    assert part.text == "PruneWeights(layers={'fc1': 0.5}, note='$x {y}')"


@pytest.mark.parametrize("name", verbs.names())
def test_a_first_word_that_is_a_verb_is_a_verb(name):
    line = f"{name} " + " ".join("ab"[: verbs.find(name).required])
    assert parse(line).verb == name
    assert parse(f"--model {name} Quantize(4)").verb == ""
    assert parse(f"--model {name} Quantize(4)").model == name


@pytest.mark.parametrize("name", verbs.names())
def test_every_verb_describes_itself(name):
    verb = verbs.find(name)
    assert verb.usage.split()[0] == name
    assert verb.summary and "\n" not in verb.summary
    assert set(verb.flags) <= set(FLAGS)
    assert verb.required <= len(verb.words)


def test_a_model_named_like_a_verb_can_be_measured():
    assert parse("measure --model save").words == ("save",)


def test_help_may_be_asked_with_a_flag():
    assert parse("--help").verb == "help"
    assert parse("save --help").words == ("save",)


@pytest.mark.parametrize(
    "line, expected",
    [
        ("net --sparsty 0.9", "did you mean '--sparsity'?"),
        ("net --spars 0.9", "no flag --spars"),  # flags are never abbreviated
        ("net --bits", "--bits needs a value: --bits 8"),
        ("net --into --bits 8", "--into needs a value"),
        ("net --into=", "--into needs a value"),
        ("net --into a --into b", "--into is given twice: a and b"),
        ("net --bits 4 --granularity row", "'channel', 'tensor'"),
        ("net --bits 4 --granularity tensor --granularity tensor", "given twice for Quantize"),
        ("net --granularity tensor", "write it after its short flag: --bits ..."),
        ("net --sparsity 80", "for 80 % write 0.8"),
        ("net --bits many", "must be a number"),
        ("net -o small", "two dashes"),
        ("net --split test", "belongs to measure and compare"),
        ("net PruneWeigths(0.9)", "did you mean 'PruneWeights'?"),
        ("net PruneWeights(sparcity=0.9)", "did you mean 'sparsity'?"),
        ("net Quantize(4) FineTune(1)", "joined by |"),
        ("net Quantize(__import__('os'))", "numbers, texts and names only"),
        ("measure net --sparsity 0.9", "measure has no flag --sparsity; it has: --train"),
        ("measure net other", "measure does not know what to do with 'other'"),
        ("compare net", "compare needs more words: %compress compare"),
    ],
)
def test_a_mistake_is_one_line_that_helps(line, expected):
    assert expected in error(line)


def test_a_verb_takes_no_cell():
    assert "takes no cell body" in error("measure net", "Quantize(4)")


def test_numbers_of_flags_are_checked():
    assert parse("net --seed=3").number("--seed", 0) == 3
    with pytest.raises(WorkbenchError, match="--seed takes a whole number, got 'x'"):
        parse("net --seed x").number("--seed", 0)


class Learn(Technique, family="distillation"):
    """Learn from a model that is named."""

    student: str | Reference = option("itself", "who learns")


def test_the_line_of_python_names_what_the_recipe_names():
    subject = Subject("small", None, "wb.Workload(net, test=t)", version=object(), version_code="small")
    recipe = Recipe((Learn(student=Reference("net2")),))
    assert code_of(subject, recipe, seed=3, name="try", into="b") == (
        'b = wb.compress(wb.Workload(net, test=t), "Learn(student=net2)", seed=3, parent=small, '
        'name="try", names={"net2": net2})'
    )


PIECES = st.sampled_from(
    [
        *("net", "measure", "PruneWeights(", "0.9", ")", "|", "--bits", "--into", "=", "'", '"', "{'a': 1}"),
        *("#", "Quantize(4)", "--scope", "layer", "--", "-x", "[", "sparsity=", ",", "\\", "é", "--recipe"),
        *(" ", " ", " ", "\n"),
    ]
)


@settings(max_examples=300, deadline=None)
@given(st.lists(PIECES, max_size=8).map("".join) | st.text(max_size=30), st.none() | st.text(max_size=20))
def test_any_line_is_understood_or_refused_in_one_line(line, cell):
    try:
        request = parse(line, cell)
        if not any(part.kind == "file" for part in request.parts):
            recipe_of(request.parts)
    except WorkbenchError as error:
        assert str(error)


@settings(max_examples=300, deadline=None)
@given(st.lists(PIECES, max_size=8).map("".join) | st.text(max_size=30))
def test_any_line_can_be_completed(line):
    assert line.endswith(complete(line, Namespace({})).fragment)


@settings(max_examples=200, deadline=None)
@given(st.text(max_size=30))
def test_words_are_pieces_of_the_line_in_order(line):
    words = scan(line).words
    assert all(line[word.start :].startswith(word.text) and word.text for word in words)
    assert [word.start for word in words] == sorted({word.start for word in words})
