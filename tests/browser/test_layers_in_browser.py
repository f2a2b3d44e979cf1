"""The Layers tab in a real page: sort, choose a layer by hand and by keyboard, give it its own setting."""

from __future__ import annotations

import pytest
from harness import DARK, Notebook

pytestmark = pytest.mark.browser

LOAD = """
import torch
import workbench as wb

torch.set_num_threads(1)
work = wb.examples.load("digits")
panel = wb.Workbench(work, "PruneWeights(sparsity=0.8) | Quantize(weights=4)")
"""
ROWS = "[...document.querySelectorAll('.wb-layer-table tbody tr')].map((row) => row.dataset.layer)"
CHOSEN = "document.querySelector('.wb-layer-table tr[aria-selected=true]')?.dataset.layer"
MANY = """
import torch
from torch import nn
import workbench as wb

torch.set_num_threads(1)
net = nn.Sequential(*[nn.Linear(16, 16) for _ in range(200)])
panel = wb.Workbench(wb.Workload(net, input_shape=(16,), name="deep"), "PruneWeights(sparsity=0.5)")
"""


def head(notebook: Notebook, title: str):
    """The head of a column."""
    return notebook.page.locator(".wb-layer-table thead th", has_text=title)


def cell(notebook: Notebook, layer: str, column: int) -> str:
    """What a cell of a layer's row says."""
    row = notebook.page.locator(f".wb-layer-table tr[data-layer='{layer}'] td")
    return row.nth(column).locator(".wb-cell-text").inner_text()


def sorted_by(notebook: Notebook) -> list[str]:
    return notebook.page.evaluate(f"() => {ROWS}")


def test_sort_choose_and_set_a_layer(open_notebook):
    notebook = open_notebook(LOAD, "panel", height=2000)
    notebook.run()
    notebook.execute("panel.wait(120)")
    page = notebook.page
    page.wait_for_function(f"() => {ROWS}.length === 4")
    # sorted by mouse: the largest first, the smallest first, the model's order
    bytes_ = head(notebook, "bytes")
    bytes_.get_by_role("button").click()
    page.wait_for_function(f"() => {ROWS}[0] === 'fc1'")
    assert bytes_.get_attribute("aria-sort") == "descending"
    bytes_.get_by_role("button").click()
    page.wait_for_function(f"() => {ROWS}[0] === 'conv1'")
    # and by keyboard; the bars show what the table is sorted by
    head(notebook, "MACs").get_by_role("button").focus()
    page.keyboard.press("Enter")
    page.wait_for_function(f"() => {ROWS}[0] === 'conv2'")
    page.wait_for_function(
        "() => document.querySelector('[data-chart=layers]').view.data('rows')"
        ".some((row) => row.title === 'MACs, claimed')"
    )
    # a row is chosen with the arrows: the bar is, too
    page.locator(".wb-layer-table tbody tr").first.click()
    page.wait_for_function(f"() => {CHOSEN} === 'conv2'")
    page.keyboard.press("ArrowDown")
    notebook.wait_for_python("panel.session.layer == 'fc1'")
    page.wait_for_function(
        "() => document.querySelector('[data-chart=layers]').view.data('rows')"
        ".find((row) => row.selected)?.name === 'fc1'"
    )
    click_bar(notebook, "conv2")
    page.wait_for_function(f"() => {CHOSEN} === 'conv2'")
    notebook.execute("panel.wait(60)")
    page.locator(".wb-locks-said", has_text="conv2 can lose channels").wait_for()
    assert page.locator(".wb-kernels img").count() == 2
    # its own setting: recipe, preview, Python and the row agree
    own = page.locator(".wb-layer-setting.wb-pruning")
    own.get_by_label("own sparsity").check()
    notebook.wait_for_python("panel.recipe.steps[0].layers == {'conv2': 0.8}")
    drag(notebook, own, -60)
    notebook.wait_for_python("panel.recipe.steps[0].layers['conv2'] < 0.8")
    page.locator(".wb-layer-setting.wb-quantization").get_by_label("leave alone").check()
    notebook.wait_for_python("panel.recipe.steps[1].keep == ('conv2',)")
    notebook.execute("panel.wait(60)")
    recipe = notebook.python("str(panel.recipe)")
    assert notebook.python("str(panel.preview.recipe)") == recipe
    page.wait_for_function(
        "(recipe) => document.querySelector('.wb-code textarea').value === recipe", arg=recipe
    )
    page.wait_for_function(
        "() => document.querySelector(\".wb-layer-table tr[data-layer='conv2'] .wb-own\")"
        ".textContent.includes('Quantize: left alone')"
    )
    assert cell(notebook, "conv2", 6) == "32" and cell(notebook, "fc1", 6) == "4"
    notebook.screenshot("layers-set-light", ".wb-workbench")
    for _ in range(8):
        if notebook.python("str(panel.recipe)") == "PruneWeights(sparsity=0.8) | Quantize(weights=4)":
            break
        notebook.press("undo")
        page.wait_for_timeout(100)
    assert notebook.python("str(panel.recipe)") == "PruneWeights(sparsity=0.8) | Quantize(weights=4)"
    page.wait_for_function("() => !document.querySelector('.wb-own').textContent.includes('left')")
    page.locator(".wb-layer-table tbody tr").first.focus()
    page.keyboard.press("Escape")
    page.locator(".wb-layer").wait_for(state="hidden")
    assert notebook.python("panel.session.layer") == ""
    notebook.theme(DARK)
    notebook.screenshot("layers-dark", ".wb-workbench")


def test_two_hundred_layers_scroll_inside_the_table(open_notebook):
    notebook = open_notebook(MANY, "panel", width=700, height=1200)
    notebook.run()
    notebook.execute("panel.wait(120)")
    page = notebook.page
    page.wait_for_function(f"() => {ROWS}.length === 200")
    before = page.evaluate("() => document.querySelector('.wb-workbench').offsetHeight")
    page.locator(".wb-layer-table tbody tr").first.click()
    page.keyboard.press("End")
    notebook.wait_for_python("panel.session.layer == '199'")
    assert page.evaluate("() => document.querySelector('.wb-layer-scroll').scrollTop") > 1000
    page.keyboard.press("Escape")
    notebook.wait_for_python("panel.session.layer == ''")
    page.locator(".wb-layer").wait_for(state="hidden")
    assert page.evaluate("() => document.querySelector('.wb-workbench').offsetHeight") == before
    wide = page.evaluate(
        "() => { const e = document.querySelector('.wb-workbench'); return e.scrollWidth - e.clientWidth }"
    )
    assert wide <= 1  # what is too wide scrolls in the table, not in the panel
    notebook.screenshot("layers-many-700", ".wb-workbench")


def drag(notebook: Notebook, inside, by: int) -> None:
    """Drag the slider of a step by so many pixels."""
    box = inside.locator(".noUi-handle").bounding_box()
    x, y = box["x"] + box["width"] / 2, box["y"] + box["height"] / 2
    notebook.page.mouse.move(x, y)
    notebook.page.mouse.down()
    notebook.page.mouse.move(x + by, y, steps=8)
    notebook.page.mouse.up()


def click_bar(notebook: Notebook, layer: str) -> None:
    """Click on a layer's bar in the profile, above what is drawn of it."""
    place = notebook.page.evaluate(
        """(layer) => {
          const holder = document.querySelector('[data-chart=layers]')
          const scale = holder.view.scale('x'), origin = holder.view.origin()
          const canvas = holder.querySelector('canvas').getBoundingClientRect()
          return [canvas.x + origin[0] + scale(layer) + scale.bandwidth() / 2, canvas.y + origin[1] + 40]
        }""",
        layer,
    )
    notebook.page.mouse.click(*place)
