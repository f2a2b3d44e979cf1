"""How verdicts and figures are shown, what answers are read as, and that a check needs no notebook."""

from __future__ import annotations

import random
import re
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from IPython.core.interactiveshell import InteractiveShell
from IPython.utils.capture import capture_output

from workbench.course import answers, check, exercises, judge
from workbench.course.exercise import REGISTERED, NotYet, exercise, expect
from workbench.course.figures import Figures, figure, table
from workbench.course.trials import candidate, example, version
from workbench.course.verdict import Verdict


@pytest.fixture
def shell():
    yield InteractiveShell.instance()
    InteractiveShell.clear_instance()


def test_in_plain_python_a_verdict_is_one_printed_line(capsys):
    check("pruning-4", 8)
    assert capsys.readouterr().out.startswith("✓ pruning-4: right. ")
    check("pruning-4", ...)
    assert capsys.readouterr().out.startswith("○ pruning-4: not answered yet. How many magnitudes")


def test_in_a_notebook_it_is_text_and_html_that_a_screen_reader_reads(shell):
    with capture_output() as caught:
        check("pruning-4", 16)
    (output,) = caught.outputs
    assert set(output.data) == {"text/plain", "text/html"}
    assert output.data["text/plain"].startswith("✗ pruning-4: not yet. ")
    html = output.data["text/html"]
    assert 'role="status"' in html and "not yet" in html and 'aria-hidden="true"' in html


def test_the_state_is_said_in_words_not_by_a_colour():
    for state, words in [("right", "right"), ("off", "not yet"), ("open", "not answered yet")]:
        verdict = Verdict("a-1", state, "Since.")
        assert words in str(verdict) and words in verdict._repr_html_()
        assert verdict.is_right is (state == "right")


def test_what_a_stranger_wrote_is_escaped():
    assert "<script>" not in judge("<script>alert(1)</script>", 1)._repr_html_()
    assert "<script>" not in judge("quantization-4", "<script>")._repr_html_()


def test_names_of_code_look_like_code():
    verdict = Verdict("a-1", "off", "`digits` is < 2.")
    assert "<code>digits</code> is &lt; 2." in verdict._repr_html_() and "`digits`" in str(verdict)


def test_a_check_changes_no_random_numbers():
    torch.manual_seed(3)
    np.random.seed(3)
    random.seed(3)
    before = (torch.rand(1).item(), np.random.rand(), random.random())
    torch.manual_seed(3)
    np.random.seed(3)
    random.seed(3)
    judge("pruning-3", 0.85)
    assert before == (torch.rand(1).item(), np.random.rand(), random.random())


def test_the_course_needs_neither_torch_nor_a_front_end_to_be_imported():
    code = (
        "import sys; from workbench.course import exercises, judge; exercises(); judge('pruning-1', 3);"
        "print([name for name in ('torch', 'ipywidgets', 'altair', 'IPython') if name in sys.modules])"
    )
    ran = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert ran.stdout == "[]\n"


def test_names_are_forgiving():
    assert judge(" Pruning 4", 8).is_right and judge("pruning_4", 8).is_right


def test_an_exercise_has_a_question_and_a_name_of_its_own():
    with pytest.raises(ValueError, match="no question"):

        @exercise("nothing-1", answers.share())
        def unasked(answer):
            pass

    with pytest.raises(ValueError, match="named like"):

        @exercise("Nothing 1", answers.share())
        def misnamed(answer):
            """A question?"""

    with pytest.raises(ValueError, match="already"):

        @exercise(exercises()[0].name, answers.share())
        def again(answer):
            """A question?"""

    assert "nothing-1" not in REGISTERED


def test_expect_says_what_is_off():
    expect(1, "nothing")
    with pytest.raises(NotYet, match="too few"):
        expect(0, "too few")


def reads(kind: answers.Kind, given: object) -> object:
    try:
        return kind.read(given)
    except answers.Unreadable as error:
        return str(error)


@pytest.mark.parametrize(
    ("kind", "given", "read"),
    [
        (answers.Number(), np.float32(0.5), 0.5),
        (answers.Number(), torch.tensor(2), 2.0),
        (answers.Number(), True, "expected a number, got True"),
        (answers.Number(), torch.ones(3), "expected a number, got a Tensor"),
        (answers.Number(), "0,5", "expected a number, got the text '0,5'"),
        (answers.whole(), 4.0, 4),
        (answers.whole(), 10**400, "expected a whole number, at least 0, got"),
        (answers.share(), 30, "a share is written like 0.8"),
        (answers.Numbers(2), (1, "2"), "'2' is no number"),
        (answers.Choice(("ends", "all")), " Ends ", "ends"),
        (answers.Names(("a", "b")), {"a"}, ["a"]),
        (answers.Names(("a", "b"), is_ordered=True), ["b", "a"], ["b", "a"]),
        (answers.Names(("a", "b"), is_ordered=True), ["b", "b"], "each once"),
        (answers.Table(("a", "b")), {"a": 1, "b": 2.5}, {"a": 1.0, "b": 2.5}),
        (answers.Table(("a", "b")), {"a": 1}, "'b' missing"),
        (answers.Table(("a",)), {"a": 1, "c": 2}, "none of them"),
        (answers.ARecipe(), "Quantise(4)", "did you mean"),
        (answers.ARecipe(), "", "an empty one"),
        (answers.AVersion(), torch.nn.Linear(1, 1), "expected a version"),
    ],
)
def test_answers_are_read_or_told_what_was_expected(kind, given, read):
    found = reads(kind, given)
    assert read in found if isinstance(read, str) and isinstance(found, str) else found == read


def test_a_picture_has_words_and_a_table(shell):
    import altair as alt

    rows = [{"x": 1.0, "y": 0.123456, "kind": "point"}, {"x": 2.0, "y": None, "kind": "point"}, {"hint": "?"}]
    chart = alt.Chart(alt.InlineData(rows)).mark_point().encode(x="x:Q", y="y:Q")
    with capture_output() as caught:
        figure(chart, "Two points, rising.", rows, {"x": "across", "y": "up"})
    picture, table = caught.outputs
    assert set(picture.data) == {"text/plain", "text/html"}
    assert 'alt="Two points, rising."' in picture.data["text/html"]
    html = table.data["text/html"]
    assert html.count("<tr>") == 3 and '<th scope="col">across</th>' in html and "0.1235" in html
    assert "0.1235" in table.data["text/plain"]


def test_long_tables_are_thinned_and_keep_their_ends():
    found = Figures.of([{"n": n} for n in range(1000)])
    assert len(found.rows) <= 42 and found.rows[0] == ("0",) and found.rows[-1] == ("999",)
    assert "every 25th row and the last" in str(found) and "every 25th row" in found._repr_html_()
    assert "every" not in str(Figures.of([{"n": n} for n in range(40)]))


def test_figures_of_a_run_are_shown_unfolded_and_not_compared(shell):
    with capture_output() as caught:
        table([{"seed": 0, "gained": 39}, {"seed": 1, "gained": 44}], {"seed": "seed", "gained": "gained"})
    (shown,) = caught.outputs
    rules = (Path(__file__).parents[1] / "notebooks" / "sanitize.cfg").read_text()
    for text in (shown.data["text/plain"], shown.data["text/html"]):
        assert "44" in text and "another processor may round otherwise" in text
        patterns = [line.removeprefix("regex: ") for line in rules.splitlines() if line.startswith("regex: ")]
        for pattern in patterns:
            text = re.sub(pattern, "", text)
        assert "44" not in text


def test_what_checks_try_is_what_compress_makes():
    recipe = "PruneWeights(0.5, criterion='random') | PruneWeights(0.7, criterion='random')"
    tried, made = (make(example("digits"), recipe, seed=3).model for make in (candidate, version))
    assert torch.equal(tried.fc1.weight, made.fc1.weight)


def test_a_rounded_negative_zero_is_zero():
    rows = [{"lost": value} for value in (-0.0, 0.0, -0.5)]
    assert [row for (row,) in Figures.of(rows).rows] == ["0", "0", "-0.5"]
