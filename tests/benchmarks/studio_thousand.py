"""The studio with a thousand versions, and five charts at twenty updates a second, in a real browser.

    python tests/benchmarks/studio_thousand.py

A thousand versions are added to the tree, each the packed bytes of a real candidate of the digits net with
the figures of a real report moved a little, so that marks lie apart. By the page's own clock:

- selecting by a click, by shift and a click, by a rectangle and from Python, until the ring is on the chart
  (from Python until the kernel is done, and the rest of the way to the chart);
- a slider's move until the hollow mark has moved, with all of them there;
- five charts of one board, twenty updates a second for ten seconds: the lag from the kernel's clock to the
  frame after each drawing (both clocks are this machine's), its median and whether it grows.
"""

from __future__ import annotations

import statistics
import sys
import tempfile
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent / "browser"))
from harness import Lab, Notebook, open_browser, opened
from playwright.sync_api import sync_playwright

VERSIONS, REPEATS = 1000, 15
LOAD = "import workbench as wb\nwork = wb.examples.load('digits')"
OPEN = """from workbench.versions import VersionTree
tree = VersionTree(None, work)
panel = wb.Workbench(work, 'PruneWeights(sparsity=0.5)', tree=tree, names={})
panel"""
# versions of five recipes, measured once each; the others carry their bytes and a report moved a little
MANY = """
import dataclasses, random
from workbench.versions import Version
RECIPES = ['PruneWeights(sparsity=0.8)', 'Quantize(weights=4)', 'ShareWeights(clusters=16)',
           'Factorize(ratio=0.5)', 'PruneWeights(sparsity=0.7) | Quantize(weights=6)']
made, draw = [], random.Random(0)
def moved(report, by):
    value = max(0.5, report.accuracy.value - 0.1 * (1 - by) - 0.02 * draw.random())
    accuracy = dataclasses.replace(report.accuracy, value=value, low=value - 0.02, high=min(1, value + 0.01))
    latency = {name: dataclasses.replace(each, median_ms=each.median_ms * by, low_ms=each.low_ms * by,
                                         high_ms=each.high_ms * by) for name, each in report.latency.items()}
    macs = int(report.macs * (0.3 + 0.7 * by))
    size = dataclasses.replace(report.size, stored=int(report.size.stored * by))
    return dataclasses.replace(report, accuracy=accuracy, latency=latency, macs=macs, size=size)
def add(count):
    if not made:
        other = VersionTree(None, work)
        made.extend(wb.compress(work, each, tree=other) for each in RECIPES)
    for _ in range(count):
        like, by = draw.choice(made), 0.2 + 0.8 * draw.random()
        new = Version.new(work, recipe=like.recipe, seed=0, packed=like.packed, report=like.report)
        report = moved(like.report, by)
        tree.add(dataclasses.replace(new, packed_bytes=report.size.stored, report=report))
"""
# a thousand at once: the observers hear of the last, as after opening a file with as many
ADD = f"""
observers, tree._observers[:] = list(tree._observers), []
add({VERSIONS - 1})
tree._observers[:] = observers
add(1)
"""
CHART = "document.querySelector('[data-chart=tradeoff]')"
RINGS = f"{CHART}.view.data('rows').filter((row) => row.kind === 'ring')"
PLACES = f"""() => {{
  const figure = {CHART}, {{ view }} = figure;
  figure.scrollIntoView({{ block: 'center' }});
  const box = figure.querySelector('canvas').getBoundingClientRect();
  const [left, top] = view.origin(), padding = view.padding();
  const at = ({{ id, x, y }}) => [id, box.x + padding.left + left + view.scale('x')(x),
                                  box.y + padding.top + top + view.scale('y')(y)];
  return view.data('versions').map(at);
}}"""
# resolves with the milliseconds from the mouse's release to the frame after the rings are others
ARM = f"""() => {{
  const rings = () => JSON.stringify({RINGS}.map((row) => [row.id, row.ring]));
  const before = rings();
  window.took = new Promise((resolve, reject) => addEventListener('pointerup', () => {{
    const began = performance.now();
    const poll = () => {{
      if (performance.now() - began > 5000) reject(new Error('the rings stayed as they were for 5 s'));
      else if (rings() === before) requestAnimationFrame(poll);
      else requestAnimationFrame(() => resolve(performance.now() - began));
    }};
    poll();
  }}, {{ once: true, capture: true }}));
}}"""
FIVE = """
import time, threading
from workbench.charts import tradeoff, layers, training, validation, sensitivity
from workbench.live.board import ChartBoard
from workbench.panels.state import points
import altair as alt
def line():
    data = alt.Chart(alt.NamedData('rows'))
    return data.mark_line().encode(x=alt.X('x:Q'), y=alt.Y('y:Q', scale=alt.Scale(domain=[0, 1])))
names = ['tradeoff-5', 'layers-5', 'training-5', 'validation-5', 'line-5']
five = ChartBoard({'tradeoff-5': tradeoff.chart(), 'layers-5': layers.chart(), 'training-5': training.chart(),
                   'validation-5': validation.chart(), 'line-5': line()})
told, bars, records = [], panel.session.estimates.layers(None), []
drawn_versions = [points.of_version(each) for each in tree.versions[:40]]
def tick(i):
    sizes = tradeoff.Shown(head=drawn_versions[i % 40].id)
    records.append({'epoch': i / 20, 'loss': 1 / (1 + i), 'validation_accuracy': 1 - 1 / (2 + i)})
    rows = {'tradeoff-5': tradeoff.rows(drawn_versions, sizes), 'layers-5': layers.rows(bars),
            'training-5': training.rows(records, epochs=10), 'validation-5': validation.rows(records, 0.99),
            'line-5': [{'x': x, 'y': ((x * 7 + i) % 100) / 100} for x in range(100)]}
    now = time.time() * 1000
    told.append((five.update(rows), now))
def run(seconds=10, rate=20):
    began = time.monotonic()
    for i in range(seconds * rate):
        tick(i)
        time.sleep(max(0, began + (i + 1) / rate - time.monotonic()))
"""
WATCH = """() => {
  window.seen = [];
  const all = ['tradeoff-5', 'layers-5', 'training-5', 'validation-5', 'line-5']
    .map((name) => document.querySelector(`[data-chart=${name}]`));
  const look = () => {
    const done = Math.min(...all.map((each) => Number(each.dataset.revision)));
    if (done !== window.seen.at(-1)?.[0]) window.seen.push([done, Date.now()]);
    requestAnimationFrame(look);
  };
  look();
}"""


def told(name: str, took: list[float], most: float | None = None) -> bool:
    """Print what something took; whether its median is within the limit."""
    half, worst = statistics.median(took), max(took)
    limit = f" (at most {most:.0f})" if most is not None else ""
    print(f"{name:34} median {half:5.0f} ms{limit}, largest {worst:5.0f} ms", flush=True)
    return most is None or half <= most


def armed(notebook: Notebook, act: object) -> float:
    """Do something that ends with the mouse's release; the milliseconds until the chart shows it."""
    notebook.page.wait_for_timeout(400)  # a person's pace: what followed the last one is over
    notebook.page.evaluate(ARM)
    act()  # type: ignore[operator]
    return notebook.page.evaluate("() => window.took")


def _is_alone(place: list[float], places: list[list[float]], apart: float = 7) -> bool:
    """Whether a mark has no other within so many pixels."""
    near = [each for each in places if abs(each[1] - place[1]) < apart and abs(each[2] - place[2]) < apart]
    return len(near) == 1


def measure_selecting(notebook: Notebook) -> list[bool]:
    """Select in a chart of a thousand, in every way there is."""
    page = notebook.page
    places = page.evaluate(PLACES)
    alone = [each for each in places if _is_alone(each, places)]  # what lies under another cannot be clicked
    step = max(1, len(alone) // (REPEATS + 1))
    chosen = alone[::step][:REPEATS]

    def click(place: list[float]) -> None:
        _, x, y = next(each for each in page.evaluate(PLACES) if each[0] == place[0])  # where it is by now
        page.mouse.click(x, y)

    clicks = [armed(notebook, lambda place=place: click(place)) for place in chosen]
    page.keyboard.down("Shift")
    shifts = [
        armed(notebook, lambda place=place: click(place)) for place in chosen[:-1]
    ]  # the last is the head
    page.keyboard.up("Shift")
    boxes = []
    left, top = (statistics.median(each[axis] for each in places) for axis in (1, 2))
    for index in range(REPEATS):

        def draw(width: int = 40 + 8 * index) -> None:
            page.mouse.move(left - width, top - width / 2)
            page.mouse.down()
            page.mouse.move(left + width, top + width / 2, steps=3)
            page.mouse.up()

        boxes.append(armed(notebook, draw))
    selected = notebook.python("len(panel.selection)")
    print(f"{'':34} the last rectangle holds {selected} of {notebook.python('len(panel.versions)')}")
    page.dblclick("[data-chart=tradeoff] canvas", position={"x": 60, "y": 5})
    good = [told("a click, to its ring", clicks, 100), told("shift and a click", shifts, 100)]
    return [*good, told("a rectangle", boxes, 100)]


def measure_python(notebook: Notebook) -> bool:
    """Select a hundred from Python; how long the kernel takes."""
    notebook.execute(f"""
import time
spent = []
for turn in range({REPEATS}):
    began = time.perf_counter()
    panel.selection = tree.versions[turn::10]
    spent.append(1000 * (time.perf_counter() - began))
panel.selection = None""")
    return told("panel.selection = 100 versions", notebook.python("spent"), 100)


def measure_slider(notebook: Notebook) -> bool:
    """Move a slider while a thousand versions rest."""
    from slider_latency import MOVE

    notebook.execute("panel.tab = 'Layers'\npanel.recipe = 'PruneWeights(sparsity=0.3)'\npanel.wait(120)")
    took = []
    for _ in range(REPEATS):
        took.append(notebook.page.evaluate(MOVE))
        notebook.page.wait_for_timeout(150)
    return told("a slider's move, to both charts", took)


def measure_five(notebook: Notebook) -> bool:
    """Five charts at twenty updates a second, in a thread, with the kernel idle."""
    notebook.page.wait_for_function(
        "() => document.querySelectorAll('.wb-figure[data-chart$=\"-5\"] canvas').length === 5"
    )
    notebook.page.locator("[data-chart=line-5]").scroll_into_view_if_needed()
    notebook.page.evaluate(WATCH)
    notebook.execute("told.clear()\nthreading.Thread(target=run).start()")
    notebook.wait_for_python("len(told) == 200", timeout=60)
    notebook.page.wait_for_timeout(1000)
    sent = dict(map(tuple, notebook.python("told")))
    seen = notebook.page.evaluate("() => window.seen")
    lags = [at - sent[revision] for revision, at in seen if revision in sent]
    half = len(lags) // 2
    grows = statistics.median(lags[half:]) - statistics.median(lags[:half])
    print(f"{'':34} {len(lags)} of 200 updates drawn by all five; the lag grew by {grows:.0f} ms")
    return told("five charts at 20 a second, lag", lags, 50)


def main() -> int:
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as folder:
        lab = Lab(Path(folder)).start()
        try:
            with sync_playwright() as playwright, open_browser(playwright) as browser:
                cells = [LOAD, OPEN, MANY + ADD]
                with opened(browser, lab, "thousand", cells, height=1300) as notebook:
                    notebook.run(300)
                    notebook.execute("panel.tab = 'Versions'\npanel.wait(300)")  # the list follows, too
                    notebook.page.wait_for_function(f"() => {CHART}?.view?.data('versions').length === 1000")
                    good = measure_selecting(notebook)
                    good += [measure_python(notebook), measure_slider(notebook)]
                with opened(browser, lab, "five", [LOAD, OPEN, MANY + "add(40)", FIVE, "five"]) as notebook:
                    notebook.run(300)
                    notebook.execute("panel.wait(300)")
                    good.append(measure_five(notebook))
        finally:
            lab.stop()
    return int(not all(good))


if __name__ == "__main__":
    sys.exit(main())
