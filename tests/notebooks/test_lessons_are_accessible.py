"""Who reads a lesson without seeing it, without a mouse or without telling colours apart misses nothing."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from itertools import pairwise

import nbformat
import pytest
import repository
from nbformat import NotebookNode

# what every lesson has, in this order
SECTIONS = ("Predict before you move it", "What to look for", "Exercises", "Self-check", "References")
FENCED = re.compile(r"^```.*?^```", re.DOTALL | re.MULTILINE)
HEADING = re.compile(r"^(#+) +(.+?)\s*$", re.MULTILINE)
SHORT = 20  # characters; fewer are no description of a picture


@pytest.fixture(params=repository.notebooks(), ids=lambda path: "/".join(path.parts[-2:]))
def notebook(request) -> NotebookNode:
    return nbformat.read(request.param, as_version=4)


@pytest.fixture(params=repository.lessons(), ids=lambda path: path.name)
def lesson(request) -> NotebookNode:
    return nbformat.read(request.param, as_version=4)


def headings(notebook: NotebookNode) -> list[tuple[int, str]]:
    """Level and text of each heading, in order."""
    texts = [FENCED.sub("", cell.source) for cell in notebook.cells if cell.cell_type == "markdown"]
    return [(len(marks), text) for source in texts for marks, text in HEADING.findall(source)]


def code_cells(notebook: NotebookNode) -> list[NotebookNode]:
    return [cell for cell in notebook.cells if cell.cell_type == "code"]


def words(notebook: NotebookNode) -> Iterator[str]:
    """The prose, without code."""
    for cell in notebook.cells:
        if cell.cell_type == "markdown":
            yield FENCED.sub("", cell.source)


def test_one_title_and_it_comes_first(notebook):
    levels = [level for level, _ in headings(notebook)]
    assert levels.count(1) == 1 and levels[0] == 1
    assert notebook.cells[0].source.startswith("# ")


def test_headings_go_down_one_level_at_a_time(notebook):
    found = headings(notebook)
    skipped = [b for a, b in pairwise(found) if b[0] > a[0] + 1]
    assert not skipped


def test_no_two_headings_are_the_same(notebook):
    texts = [text for _, text in headings(notebook)]
    assert len(set(texts)) == len(texts)


def test_a_lesson_has_its_sections_in_order(lesson):
    texts = [re.sub(r"^\d+\. ", "", text) for _, text in headings(lesson)]
    places = [next((n for n, text in enumerate(texts) if text == each), None) for each in SECTIONS]
    assert None not in places, dict(zip(SECTIONS, places, strict=True))
    assert places == sorted(places)


def test_a_lesson_opens_with_what_you_will_be_able_to_do(lesson):
    assert re.search(r"\byou (can|will)\b", lesson.cells[0].source, re.IGNORECASE)


def test_pictures_have_words_and_their_figures_as_a_table(notebook):
    for cell in code_cells(notebook):
        pages = [str(each.get("data", {}).get("text/html", "")) for each in cell.outputs]
        pictures = [each for each in pages if 'class="workbench-picture"' in each]
        tables = [each for each in pages if "<table" in each]
        for each in pictures:
            told = re.findall(r'<img [^>]*alt="([^"]*)"', each)
            assert told and all(len(words) > SHORT for words in told), cell.source[:200]
        assert len(tables) >= len(pictures), f"no table beside the picture of: {cell.source[:200]}"
        bare = {"image/png", "image/svg+xml"}  # JupyterLab shows them without words, whatever their metadata
        assert not any(bare & set(each.get("data", {})) for each in cell.outputs)


def test_pictures_in_the_text_have_words(notebook):
    for text in words(notebook):
        assert all(len(told) > SHORT for told in re.findall(r"!\[(.*?)\]\(", text))
        assert not re.search(r"<img(?![^>]*\balt=)", text)


def test_links_say_where_they_lead(notebook):
    for text in words(notebook):
        told = [each.strip("`* ").lower() for each in re.findall(r"(?<!!)\[([^\]]+)\]\(", text)]
        assert not {"here", "this", "link", "click here", ""} & set(told)


def test_tables_have_headers(notebook):
    for cell in code_cells(notebook):
        for each in cell.outputs:
            html = str(each.get("data", {}).get("text/html", ""))
            assert html.count("<table") <= html.count("<th"), cell.source[:200]


def encodings(code: str) -> Iterator[dict[str, str]]:
    """Channel and field of each call of `encode`, with those of the calls it is chained to."""
    for node in ast.walk(ast.parse(code)):
        if isinstance(node, ast.Call) and getattr(node.func, "attr", "") == "encode":
            yield {each.arg: field(each.value) for each in node.keywords if each.arg}


def field(node: ast.AST) -> str:
    """`"which:N"` of `alt.Color("which:N", ...)` or of the text itself."""
    texts = [each.value for each in ast.walk(node) if isinstance(each, ast.Constant)]
    return next((text for text in texts if isinstance(text, str)), "")


def test_no_colour_means_something_alone(notebook):
    for cell in code_cells(notebook):
        if ".encode(" not in cell.source:
            continue
        found = list(encodings(cell.source))
        coloured = {each["color"] for each in found if each.get("color", "").endswith(":N")}
        others = {
            text for each in found for channel, text in each.items() if channel not in ("color", "fill")
        }
        assert coloured <= others, f"a second cue (shape, dash, label) is missing for {coloured - others}"


def test_panels_are_stored_as_a_table_and_a_picture(lesson):
    told = [
        str(each.data["text/html"])
        for cell in code_cells(lesson)
        for each in cell.outputs
        if 'class="wb-still"' in str(each.get("data", {}).get("text/html", ""))
    ]
    assert told, "whoever has no kernel sees nothing of the panel"
    for html in told:
        assert "<table" in html and 'src="data:image/png' in html
        assert all(len(words) > SHORT for words in re.findall(r'alt="([^"]*)"', html))


def test_panels_say_what_they_are_and_can_be_used_as_code(lesson):
    panels = [
        each.data["text/plain"]
        for cell in code_cells(lesson)
        for each in cell.outputs
        if "application/vnd.jupyter.widget-view+json" in each.get("data", {})
    ]
    assert panels, "a lesson has a live panel"
    assert all(re.fullmatch(r"<\w+ of .+>", text) for text in panels)
    code = "\n".join(cell.source for cell in code_cells(lesson))
    assert re.search(r"wb\.(compress|measure|sensitivity)\(|%%?compress|\.recipe = ", code)
