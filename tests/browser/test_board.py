"""The chart board in a real page: rows arrive, state stays, selections come back, themes apply."""

from __future__ import annotations

import itertools
from collections.abc import Iterator

import pytest
from harness import DARK, LIGHT, Notebook, opened

pytestmark = pytest.mark.browser

MAKE = """
from workbench.charts import layers, tradeoff
from workbench.live.board import ChartBoard
from workbench.measurement.accuracy import Accuracy
from workbench.measurement.found import Found

def found(accuracy, size):
    return Found(Accuracy.of(round(500 * accuracy), 500, "validation"), stored=size)

def points(n, accuracy=0.95):
    baseline = tradeoff.Point("b", "baseline", "baseline", (), found(0.99, 100_000))
    made = [
        tradeoff.Point(str(i), f"v{i}", "version", ("pruning",), found(accuracy, size))
        for i, size in enumerate(range(20_000, 20_000 + 9_000 * n, 9_000))
    ]
    return [baseline, *made]

def rows(n, accuracy=0.95):
    return tradeoff.rows(points(n, accuracy))

def versions(n, accuracy=0.95):
    return [row for row in rows(n, accuracy) if row["kind"] == "version"]

def show(n, accuracy=0.95):
    moving = [row for row in rows(n, accuracy) if row["kind"] != "version"]
    return board.update({"trade-off": moving, "trade-off:versions": versions(n, accuracy)})

board = ChartBoard({"trade-off": tradeoff.chart(), "layers": layers.chart()})
show(3)
board.update({"layers": layers.rows([layers.Layer("conv1", "Conv2d", 640, 500, 160, 120)])})
heard = []
board.on_selection(heard.append)
"""
VIEW = "document.querySelector('[data-chart=trade-off]').view"
SIGNAL = f"(name) => {VIEW}.signal(name)"
ROWS = f"() => {VIEW}.data('versions').map((row) => ({{ ...row }}))"
DOMAIN = f"() => {VIEW}.scale('y').domain()"
PLACE = """(id) => {
  const figure = document.querySelector('[data-chart=trade-off]');
  const { view } = figure;
  const { x, y } = view.data('versions').find((row) => row.id === id);
  const box = figure.querySelector('canvas').getBoundingClientRect();
  const [left, top] = view.origin();
  const padding = view.padding();
  return [
    box.x + padding.left + left + view.scale('x')(x),
    box.y + padding.top + top + view.scale('y')(y),
  ];
}"""

COUNT_DRAWINGS = f"""() => {{
  window.drawings = [];
  const view = {VIEW}, runAsync = view.runAsync.bind(view);
  view.runAsync = (...args) => {{ window.drawings.push(performance.now()); return runAsync(...args); }};
}}"""


@pytest.fixture(scope="module")
def page_of_board(browser, lab) -> Iterator[Notebook]:
    with opened(browser, lab, "board", [MAKE, "board"]) as notebook:
        notebook.run()
        yield notebook


@pytest.fixture
def notebook(page_of_board) -> Notebook:
    """The page that the tests share, with three versions in its chart."""
    page_of_board.execute("heard.clear()")
    painted(page_of_board, "trade-off", page_of_board.python("show(3)"))
    return page_of_board


def painted(notebook, chart: str, revision: int) -> None:
    notebook.page.wait_for_function(
        "([selector, least]) => Number(document.querySelector(selector)?.dataset.revision) >= least",
        arg=[f"[data-chart={chart}]", revision],
    )


def place_of(notebook, id_: str) -> tuple[float, float]:
    notebook.page.locator("[data-chart=trade-off] canvas").scroll_into_view_if_needed()
    return notebook.page.evaluate(PLACE, id_)


def test_rows_stream_into_the_charts(notebook):
    assert len(notebook.page.evaluate(ROWS)) == 3
    painted(notebook, "layers", 1)  # sent before there was a page
    revision = notebook.python("show(5)")
    painted(notebook, "trade-off", revision)
    assert len(notebook.page.evaluate(ROWS)) == 5
    notebook.screenshot("board-light", ".jp-OutputArea-output")


def test_thousand_rows_arrive_exactly(notebook):
    notebook.execute(
        "many = [{'kind': 'version', 'id': str(i), 'x': 1000 + i / 3, 'y': .5} for i in range(1000)]"
    )
    painted(notebook, "trade-off", notebook.python("board.update({'trade-off:versions': many})"))
    last = notebook.page.evaluate(ROWS)[-1]
    assert (last["id"], last["x"], last["kind"]) == ("999", 1000 + 999 / 3, "version")


def test_latest_wins(notebook):
    notebook.page.evaluate(COUNT_DRAWINGS)
    last = notebook.python("[show(i % 7) for i in range(200)][-1]")
    painted(notebook, "trade-off", last)
    assert len(notebook.page.evaluate(ROWS)) == 199 % 7
    assert len(notebook.page.evaluate("() => window.drawings")) < 200


def test_zoom_stays_when_rows_change(notebook):
    before = notebook.page.evaluate(DOMAIN)
    notebook.page.mouse.move(*place_of(notebook, "1"))
    notebook.page.keyboard.down("Shift")
    notebook.page.mouse.wheel(0, -300)
    notebook.page.keyboard.up("Shift")
    notebook.page.wait_for_function(f"(before) => ({DOMAIN})()[0] !== before[0]", arg=before)
    zoomed = notebook.page.evaluate(DOMAIN)
    painted(notebook, "trade-off", notebook.python("show(5, 0.6)"))
    assert notebook.page.evaluate(DOMAIN) == zoomed
    notebook.page.locator("[data-chart=trade-off] canvas").dblclick()
    notebook.page.wait_for_function(f"(zoomed) => ({DOMAIN})()[0] !== zoomed[0]", arg=zoomed)


def test_click_reaches_python(notebook):
    notebook.page.mouse.click(*place_of(notebook, "1"))
    assert notebook.wait_for_python("[list(each.of('id')) for each in heard]") == [["1"]]
    notebook.page.mouse.click(*place_of(notebook, "1"))  # again: still worth telling
    assert notebook.wait_for_python("len(heard) == 2")
    painted(notebook, "trade-off", notebook.python("show(5)"))
    assert notebook.python("list(board.selection('trade-off', 'pick').of('id'))") == ["1"]


def test_click_beside_a_small_mark_means_the_nearest(notebook):
    x, y = place_of(notebook, "1")
    notebook.page.mouse.click(x + 6, y + 4)
    assert notebook.wait_for_python("[list(each.of('id')) for each in heard]") == [["1"]]
    notebook.page.mouse.click(x + 30, y + 30)  # too far: means none
    notebook.page.mouse.click(*place_of(notebook, "2"))
    assert notebook.wait_for_python("len(heard) == 2") and notebook.python("list(heard[1].of('id'))") == ["2"]


def test_shift_and_a_click_say_so(notebook):
    notebook.page.mouse.click(*place_of(notebook, "1"))
    notebook.page.keyboard.down("Shift")
    notebook.page.mouse.click(*place_of(notebook, "2"))
    notebook.page.keyboard.up("Shift")
    told = "[[*each.of('id'), each.is_adding] for each in heard if hasattr(each, 'is_adding')]"
    assert notebook.wait_for_python(f"len({told}) == 2") and notebook.python(told) == [
        ["1", False],
        ["2", True],
    ]


def test_rectangle_goes_without_a_word_when_python_says_so(notebook):
    (left, top), (right, bottom) = place_of(notebook, "0"), place_of(notebook, "1")
    notebook.page.mouse.move(left - 8, top - 20)
    notebook.page.mouse.down()
    notebook.page.mouse.move(right + 8, bottom + 20, steps=4)
    notebook.page.mouse.up()
    notebook.wait_for_python("getattr(board.selection('trade-off', 'box'), 'ranges', {})")
    painted(notebook, "trade-off", notebook.python("show(4)"))
    notebook.execute("heard.clear()\nboard.clear('trade-off', 'box')")
    notebook.page.wait_for_function(f"() => !Object.keys({VIEW}.signal('box')).length")
    notebook.page.wait_for_timeout(200)
    assert notebook.python("len(heard)") == 0
    draw = "getattr(board.selection('trade-off', 'box'), 'ranges', {})"
    notebook.page.mouse.move(left - 8, top - 20)
    notebook.page.mouse.down()
    notebook.page.mouse.move(left + 8, bottom + 20, steps=4)
    notebook.page.mouse.up()
    assert notebook.wait_for_python(f"heard and {draw}")  # the next one is told again
    notebook.execute("board.clear('trade-off', 'box')")


def test_rectangle_reaches_python(notebook):
    (left, top), (right, bottom) = place_of(notebook, "0"), place_of(notebook, "1")
    notebook.page.mouse.move(left - 8, top - 20)
    notebook.page.mouse.down()
    notebook.page.mouse.move(right, bottom, steps=4)
    notebook.page.mouse.move(right + 8, bottom + 20, steps=4)
    notebook.page.mouse.up()
    notebook.wait_for_python("getattr(board.selection('trade-off', 'box'), 'ranges', {})")
    inside = (
        "[row['id'] for row in rows(3) if 'id' in row and board.selection('trade-off', 'box').holds(row)]"
    )
    assert notebook.wait_for_python(inside) == ["0", "1"]


def test_theme_recolours_without_losing_the_rows(notebook):
    light = notebook.page.evaluate(SIGNAL, "ink")
    notebook.theme(DARK)
    dark = notebook.page.evaluate(SIGNAL, "ink")
    variable = "getComputedStyle(document.body).getPropertyValue('--jp-ui-font-color1').trim()"
    assert dark != light and dark == notebook.page.evaluate(variable)
    assert len(notebook.page.evaluate(ROWS)) == 3
    notebook.screenshot("board-dark", ".jp-OutputArea-output")
    notebook.theme(LIGHT)
    assert notebook.page.evaluate(SIGNAL, "ink") == light


def test_charts_follow_their_container(notebook):
    width = "() => document.querySelector('[data-chart=trade-off] canvas').clientWidth"
    wide = notebook.page.evaluate(width)
    notebook.page.set_viewport_size({"width": 1000, "height": 900})
    notebook.page.wait_for_function(f"(wide) => ({width})() < wide - 300", arg=wide)
    fits = """() => [...document.querySelectorAll('.wb-figure')].every(
      (figure) => figure.querySelector('canvas').clientWidth <= figure.clientWidth)"""
    notebook.page.wait_for_function(fits)
    notebook.page.set_viewport_size({"width": 1400, "height": 1000})


def test_legend_of_a_narrow_chart_has_room_for_its_lines(open_notebook):
    many = "FAMILIES = ('pruning', 'quantization', 'sharing', 'factorization', 'distillation')"
    show = """
board = ChartBoard({"trade-off": tradeoff.chart()})
many = [tradeoff.Point(str(i), f"v{i}", "version", (family,), found(0.95, 30_000 + 9_000 * i))
        for i, family in enumerate(FAMILIES)]
drawn = tradeoff.rows([*points(0), *many])
board.update({"trade-off": [row for row in drawn if row["kind"] != "version"],
              "trade-off:versions": [row for row in drawn if row["kind"] == "version"]})
board"""
    notebook = open_notebook(MAKE, many, show, width=760)
    notebook.run()
    painted(notebook, "trade-off", 1)
    height = "() => document.querySelector('[data-chart=trade-off] canvas').clientHeight"
    shown = notebook.page.evaluate(height)
    for again in (f"await {VIEW}.resize().runAsync()", "window.dispatchEvent(new Event('resize'))"):
        notebook.page.evaluate(f"async () => {{ {again}; }}")
        notebook.page.wait_for_timeout(200)
        assert notebook.page.evaluate(height) == shown


def test_chart_that_was_hidden_while_the_page_changed_is_there_again(notebook):
    """A closed tab hides its charts, and the window may change its size before they are seen again."""
    size = """() => {
      const { clientWidth, clientHeight } = document.querySelector('[data-chart=layers] canvas');
      return [clientWidth, clientHeight];
    }"""
    before = notebook.page.evaluate(size)
    hide = "(how) => { document.querySelector('[data-chart=layers]').parentElement.style.display = how; }"
    notebook.page.evaluate(hide, "none")
    notebook.page.evaluate("() => window.dispatchEvent(new Event('resize'))")
    notebook.page.wait_for_timeout(200)
    notebook.page.evaluate(hide, "")
    notebook.page.wait_for_function(f"(before) => String(({size})()) === String(before)", arg=before)


def test_screen_reader_hears_what_a_chart_shows(notebook):
    notebook.execute(
        "last = board.update({'trade-off': rows(3)}, texts={'trade-off': tradeoff.summary(points(3))})"
    )
    painted(notebook, "trade-off", notebook.python("last"))
    figure = notebook.page.locator("[data-chart=trade-off]")
    assert "3 versions. Baseline: accuracy 99.0 %" in figure.locator("figcaption").inner_text()
    assert figure.locator("[role=graphics-document]").get_attribute("aria-label").startswith("Trade-off")


def test_less_motion_is_honoured(open_notebook):
    notebook = open_notebook(MAKE, "board", reduced_motion="reduce")
    notebook.run()
    painted(notebook, "trade-off", 0)
    notebook.page.evaluate(COUNT_DRAWINGS)
    notebook.execute("""
import time
for i in range(20):
    last = show(i % 7)
    time.sleep(0.05)
""")
    painted(notebook, "trade-off", notebook.python("last"))
    times = notebook.page.evaluate("() => window.drawings")
    assert min(later - earlier for earlier, later in itertools.pairwise(times)) > 250


def test_page_that_loads_again_shows_the_latest(notebook):
    last = notebook.python("show(6)")
    notebook.save()
    notebook.reload()
    painted(notebook, "trade-off", last)
    assert len(notebook.page.evaluate(ROWS)) == 6


def test_charts_in_places_share_the_board(open_notebook):
    notebook = open_notebook(MAKE, "board.place('layers')", "board.place('trade-off')")
    notebook.run()
    painted(notebook, "trade-off", 0)
    last = notebook.python("board.update({'trade-off': rows(4), 'layers': []})")
    painted(notebook, "trade-off", last)
    painted(notebook, "layers", last)
    assert notebook.page.locator(".wb-figure").count() == 2
