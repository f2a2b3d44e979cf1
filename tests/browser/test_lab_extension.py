"""The front end in JupyterLab: card, panel, tab, toolbar, dialogs, and what is said of what is missing."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from front_end import (
    OTHER,
    WITHOUT,
    Asked,
    Launcher,
    Panel,
    add_kernel,
    change_kernel,
    command,
    restart,
    sources,
)
from harness import DARK, KERNEL_READY, LIGHT, Lab, Notebook, opened

pytestmark = pytest.mark.browser

CONTRAST = "JupyterLab Dark High Contrast"
THEMES = {"light": LIGHT, "dark": DARK, "contrast": CONTRAST}
NET = "import torch\nnet = torch.nn.Linear(3, 2)"
LINE = "%load_ext workbench\n%compress net"
AWKWARD = "globals()['my net'] = torch.nn.Linear(2, 2)\nsave = torch.nn.Linear(4, 4)"
IN_FRONT = "(path) => window.jupyterapp.shell.currentWidget.context?.path === path"
PANELS = "len(__import__('workbench.panels.open_panels', fromlist=['_open'])._open)"
# runs a cell, and measures from the kernel's idle to the row in the panel
REFRESHED = """async ([name, value]) => {
  const { content, sessionContext } = window.jupyterapp.shell.currentWidget;
  content.widgets[0].model.sharedModel.setSource(`${name} = ${value}`);
  content.activeCellIndex = 0;
  const { kernel } = sessionContext.session;
  const idle = new Promise((resolve) => {
    kernel.iopubMessage.connect(function ended(_, message) {
      const isOfCell = message.parent_header.msg_type === 'execute_request';
      if (!isOfCell || message.header.msg_type !== 'status') return;
      if (message.content.execution_state !== 'idle') return;
      kernel.iopubMessage.disconnect(ended);
      resolve(performance.now());
    });
  });
  await window.jupyterapp.commands.execute('notebook:run-cell');
  const begun = await idle;
  const panel = document.getElementById('compression-workbench-panel');
  while (!panel.querySelector(`[data-model="${name}"]`)) {
    await new Promise((resolve) => setTimeout(resolve, 4));
    if (performance.now() - begun > 20000) throw new Error('not listed');
  }
  return performance.now() - begun;
}"""


@pytest.fixture(scope="module")
def workbench(browser, lab) -> Iterator[Launcher]:
    """The page on which a person begins with the card, and goes on through the tests in order."""
    page = Launcher(browser, lab, "front-end", height=1100)
    try:
        yield page
    finally:
        page.close()
    assert page.outside == [] and page.errors == []


@pytest.fixture(scope="module")
def models(browser, lab) -> Iterator[Notebook]:
    """A notebook with models of its own, beside nothing else."""
    for name, script, language in (("without", WITHOUT, "python"), ("echo", OTHER, "echo")):
        add_kernel(lab, name, script, language)
    with opened(browser, lab, "models", [NET], height=900) as notebook:
        notebook.run()
        yield notebook


def test_card_opens_a_notebook_that_is_ready_to_run(workbench, lab):
    for name, theme in THEMES.items():
        workbench.theme(theme)
        workbench.screenshot(f"card-{name}")
    workbench.theme(LIGHT)
    workbench.card("Compress a model").click()
    workbench.wait_for_kernel()
    assert (lab.notebooks / "compress-a-model.ipynb").exists()
    workbench.run()
    workbench.page.wait_for_selector(".wb-workbench [data-chart=tradeoff] canvas")


def test_version_appears_in_the_panel_when_the_studio_has_made_it(workbench):
    panel = Panel(workbench)
    panel.wait_for_names("model", ["work"])
    panel.wait_for("None yet.")
    workbench.press("Run")
    panel.wait_for_names("version", ["v1"], timeout=120)
    figures = panel.row("version", "v1").inner_text()
    assert "%" in figures and "KB" in figures and "×" in figures
    for name, theme in THEMES.items():
        workbench.theme(theme)
        workbench.screenshot(f"panel-{name}")
    workbench.theme(LIGHT)


def test_save_asks_for_a_name_and_before_it_replaces(workbench, lab):
    panel, file = Panel(workbench), lab.notebooks / "tiny.safetensors"
    for is_there in (False, True):
        panel.press(panel.row("version", "v1"), "Save")
        asked = Asked(workbench)
        asked.node.locator("input").fill(file.name)
        workbench.screenshot("save-light")
        asked.answer("Save")
        if is_there:
            Asked(workbench).answer("Replace")
        panel.wait_for("v1 written to tiny.safetensors")
    assert file.stat().st_size == workbench.python("wb.tree_for(work).get('v1').packed_bytes")
    panel.press(panel.row("version", "v1"), "Save")
    asked = Asked(workbench)
    asked.node.locator("input").fill("nowhere/at/all.safetensors")
    asked.answer("Save")
    panel.wait_for("there is no folder")


def test_code_of_a_version_makes_it_again(workbench):
    panel = Panel(workbench)
    panel.press(panel.row("version", "v1"), "Code")
    code = sources(workbench)[-1]
    workbench.execute(code)
    panel.wait_for_names("version", ["v2", "v1"])
    assert workbench.python("wb.tree_for(work).get('v1').packed_bytes") == workbench.python(
        "wb.tree_for(work).get('v2').packed_bytes"
    )


def test_compare_runs_in_the_notebook(workbench):
    panel = Panel(workbench)
    panel.press(panel.row("version", "v2"), "Compare")
    asked = Asked(workbench)
    assert asked.items() == ["1. the original", "2. v1"]
    asked.choose("v1")
    asked.answer("Compare")
    workbench.page.locator(".jp-OutputArea-output", has_text="v1 and v2").first.wait_for(timeout=60_000)
    assert "%compress compare v1 v2" in sources(workbench)


def test_studio_opens_in_its_own_tab_and_ends_with_it(workbench):
    panel, before = Panel(workbench), workbench.python(PANELS)
    panel.press(panel.row("version", "v1"), "Studio")
    tab = workbench.page.locator(".wbx-studio .wb-workbench")
    tab.locator("[data-chart=tradeoff] canvas").wait_for(timeout=60_000)
    assert workbench.page.locator(".wb-workbench").count() == 2  # the notebook's own is still beside it
    workbench.screenshot("studio-tab-light")
    workbench.page.locator(".lm-TabBar-tab", has_text="Studio: v1").locator(".lm-TabBar-tabCloseIcon").click()
    tab.wait_for(state="detached")
    workbench.page.evaluate(
        """() => { const { shell } = window.jupyterapp;
        shell.activateById([...shell.widgets('main')].find((each) => each.context).id); }"""
    )
    assert workbench.wait_for_python(f"{PANELS} == {before}")


def test_versions_are_back_after_a_restart(workbench):
    panel = Panel(workbench)
    restart(workbench)
    panel.wait_for("No PyTorch model yet.")
    assert panel.names("version") == []
    workbench.execute("%load_ext workbench\nimport workbench as wb\nwork = wb.examples.load('digits')")
    workbench.execute("wb.tree_for(work)")
    panel.wait_for_names("model", ["work"])
    panel.wait_for_names("version", ["v2", "v1"])


def test_models_are_listed_within_300_ms_of_a_cells_end(models):
    panel = Panel(models)
    panel.wait_for_names("model", ["net"])
    assert "Linear" in panel.row("model", "net").inner_text()
    models.execute("more = {f'x{i}': list(range(100)) for i in range(1000)}\nglobals().update(more)")
    taken = [models.page.evaluate(REFRESHED, [f"m{i}", "torch.nn.Linear(3, 2)"]) for i in range(5)]
    print(f"listed after {', '.join(f'{each:.0f}' for each in taken)} ms")
    assert min(taken) < 300  # the best of five: other programs may hold the processor up
    models.execute("for name in [*more, *(f'm{i}' for i in range(5))]: del globals()[name]")
    panel.wait_for_names("model", ["net"])


def test_toolbar_inserts_the_line_for_a_model_whatever_its_name(models):
    models.execute(AWKWARD)
    written = {"net": "%compress net", "my net": '%compress "my net"', "save": "%compress --model save"}
    for name, line in written.items():
        models.page.get_by_title("Insert %compress for a model of this notebook").first.click()
        asked = Asked(models)
        asked.choose(f"{name} ·")
        models.screenshot("insert-light")
        asked.answer("Insert")
        assert sources(models)[-1] == f"%load_ext workbench\n{line}"
    models.execute("del save, globals()['my net']")


def test_a_variable_that_is_no_model_any_more_is_not_listed(models):
    panel = Panel(models)
    models.execute("gone = torch.nn.Linear(1, 1)")
    panel.wait_for_names("model", ["net", "gone"])
    models.execute("gone = 3")
    panel.wait_for_names("model", ["net"])


def test_busy_kernel_is_said_and_the_list_catches_up(models):
    panel = Panel(models)
    models.page.evaluate(
        """() => { window.jupyterapp.shell.currentWidget.sessionContext.session.kernel.requestExecute(
        { code: 'late = torch.nn.Linear(1, 1)\\nimport time\\ntime.sleep(1.5)' }); }"""
    )
    panel.wait_for("The kernel is busy")
    assert panel.names("model") == ["net"]
    panel.wait_for_names("model", ["net", "late"])
    assert "busy" not in panel.node.inner_text()
    models.execute("del late")


def test_panel_follows_the_notebook_in_front_and_its_kernel(models, lab):
    panel = Panel(models)
    path = lab.write("second", ["import torch\nother = torch.nn.Linear(1, 1)"])
    models.page.evaluate("(path) => window.jupyterapp.commands.execute('docmanager:open', { path })", path)
    panel.wait_for("second.ipynb")
    panel.wait_for("No PyTorch model yet.")
    models.run()
    panel.wait_for_names("model", ["other"])
    models.page.locator(".lm-DockPanel-tabBar .lm-TabBar-tab", has_text="models.ipynb").click()
    panel.wait_for_names("model", ["net"])
    models.page.locator(".lm-DockPanel-tabBar .lm-TabBar-tab", has_text="second.ipynb").click()
    panel.wait_for_names("model", ["other"])


def test_what_is_missing_is_said_in_place(models):
    """The notebook `second` is in front."""
    panel = Panel(models)
    change_kernel(models, "without")
    panel.wait_for("is not installed in the environment of this kernel")
    models.screenshot("missing-light")
    change_kernel(models, "echo")
    panel.wait_for("This kernel speaks echo")
    models.page.evaluate("() => window.jupyterapp.shell.currentWidget.sessionContext.shutdown()")
    panel.wait_for("This notebook has no kernel")
    models.page.evaluate("() => window.jupyterapp.shell.currentWidget.dispose()")
    panel.wait_for("models.ipynb")


def test_kernel_that_died_lists_nothing_of_before(models):
    panel = Panel(models)
    panel.wait_for_names("model", ["net"])
    models.page.evaluate(
        """() => { window.jupyterapp.shell.currentWidget.sessionContext.session.kernel.requestExecute(
        { code: 'import os\\nos._exit(1)' }); }"""
    )
    Asked(models).answer("Ok")  # JupyterLab says that the kernel starts anew
    panel.wait_for("No PyTorch model yet.")
    models.execute(NET)
    panel.wait_for_names("model", ["net"])


def test_versions_of_the_two_sides_that_differ_are_said(models):
    panel = Panel(models)
    models.execute("import workbench.labextension.asking as asking\nasking.__version__ = '9.9.9'")
    panel.wait_for("the package in the kernel is 9.9.9")
    models.execute("asking.__version__ = __import__('workbench').__version__")
    panel.node.get_by_text("9.9.9").wait_for(state="detached")


def test_every_control_can_be_reached_and_pressed_by_keyboard(models):
    panel = Panel(models)
    buttons = panel.node.locator("button")
    assert buttons.count() == 2
    assert all(each.get_attribute("aria-label") for each in buttons.all())
    buttons.first.focus()
    models.page.keyboard.press("Tab")
    assert models.page.evaluate("() => document.activeElement.textContent") == "Insert"
    before = sources(models).count(LINE)
    models.page.keyboard.press("Enter")
    assert sources(models).count(LINE) == before + 1


def test_lessons_open_as_copies_of_ones_own(models, lab):
    folder = lab.notebooks / "workbench-lessons"
    command(models, "lessons")
    asked = Asked(models)
    models.screenshot("lessons-light")
    asked.choose("00 ")
    asked.answer("Open")
    models.page.wait_for_function(IN_FRONT, arg="workbench-lessons/00-quickstart.ipynb")
    command(models, "lessons")
    asked = Asked(models)
    asked.choose("00 ")
    asked.answer("Open")
    Asked(models).answer("New copy")
    models.page.wait_for_function(IN_FRONT, arg="workbench-lessons/00-quickstart-2.ipynb")
    assert {each.name for each in folder.glob("*.ipynb")} == {"00-quickstart.ipynb", "00-quickstart-2.ipynb"}
    for _ in range(2):
        models.page.wait_for_function(KERNEL_READY, timeout=60_000)  # one that starts is not to be shut down
        models.page.evaluate("() => window.jupyterapp.shell.currentWidget.sessionContext.shutdown()")
        models.page.evaluate("() => window.jupyterapp.shell.currentWidget.dispose()")


def test_settings_reach_new_kernels_and_charts(browser, lab: Lab):
    chosen = {"runtime": "onnxruntime", "threads": 2, "chartTheme": "dark", "loadMagics": True}
    lab.choose("compression-workbench:plugin", chosen)
    try:
        with opened(browser, lab, "chosen", ["1"]) as notebook:
            notebook.wait_for_python("'compress' in get_ipython().magics_manager.magics['line']")
            preferred = "__import__('workbench.preferences', fromlist=['x']).preferred()"
            assert notebook.python(f"[{preferred}.runtime, {preferred}.threads]") == ["onnxruntime", 2]
            assert notebook.page.evaluate("() => document.body.dataset.wbCharts") == "dark"
            restart(notebook)
            notebook.wait_for_python("'compress' in get_ipython().magics_manager.magics['line']")
    finally:
        lab.choose("compression-workbench:plugin", {})
