"""The front end as tests see it: the launcher, the left-hand panel, dialogs, and kernels of other kinds."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

from harness import KERNEL_READY, Lab, Notebook
from playwright.sync_api import Locator

PANEL = "compression-workbench-panel"

# a kernel whose environment has no workbench
WITHOUT = """
import sys
class Without:
    def find_spec(self, name, path=None, target=None):
        if name == "workbench":
            raise ModuleNotFoundError("No module named 'workbench'", name="workbench")
sys.meta_path.insert(0, Without())
from ipykernel.kernelapp import launch_new_instance
launch_new_instance()
"""
# a kernel that speaks another language
OTHER = """
from ipykernel.kernelapp import launch_new_instance
from ipykernel.kernelbase import Kernel
class Echo(Kernel):
    implementation = implementation_version = banner = "echo"
    language_info = {"name": "echo", "mimetype": "text/plain", "file_extension": ".txt"}
    async def do_execute(self, code, silent, *more, **others):
        count = self.execution_count
        return {"status": "ok", "execution_count": count, "payload": [], "user_expressions": {}}
launch_new_instance(kernel_class=Echo)
"""


class Launcher(Notebook):
    """A page that begins with the launcher, and goes on with the notebook that a card opens."""

    def reload(self) -> None:
        self.page.goto(self._lab.address(self._file).replace(f"/tree/{self._file}", ""))
        self.page.wait_for_selector(".jp-LauncherCard", timeout=90_000)

    def wait_for_kernel(self) -> None:
        """Wait for the notebook in front."""
        self.page.wait_for_function(KERNEL_READY, timeout=90_000)

    def card(self, label: str) -> Locator:
        """A card of the launcher."""
        return self.page.locator(".jp-LauncherCard", has_text=label).first


class Panel:
    """The left-hand panel of a page."""

    def __init__(self, notebook: Notebook) -> None:
        self.page = notebook.page
        self.node = self.page.locator(f"#{PANEL}")
        if not self.node.is_visible():
            command(notebook, "show-panel")
        self.node.wait_for(state="visible")

    def row(self, kind: str, name: str) -> Locator:
        """The row of a "model" or "version"."""
        return self.node.locator(f"[data-{kind}={json.dumps(name)}]")

    def names(self, kind: str) -> list[str]:
        """What is listed."""
        rows = self.node.locator(f"[data-{kind}]")
        return [each.get_attribute(f"data-{kind}") or "" for each in rows.all()]

    def press(self, row: Locator, button: str) -> None:
        """Press a button of a row."""
        row.get_by_text(button, exact=True).click()

    def wait_for(self, text: str, timeout: float = 30) -> None:
        """Wait until the panel says something."""
        self.node.get_by_text(text).first.wait_for(timeout=timeout * 1000)

    def wait_for_names(self, kind: str, names: list[str], timeout: float = 30) -> None:
        """Wait until just these are listed, in this order."""
        self.page.wait_for_function(
            """([id, kind, names]) => JSON.stringify([...document.querySelectorAll(`#${id} [data-${kind}]`)]
                .map((row) => row.dataset[kind])) === JSON.stringify(names)""",
            arg=[PANEL, kind, names],
            timeout=timeout * 1000,
        )


class Asked:
    """The dialog that is open."""

    def __init__(self, notebook: Notebook) -> None:
        self.node = notebook.page.locator(".jp-Dialog")
        self.node.wait_for()

    def items(self) -> list[str]:
        """What can be chosen."""
        return self.node.locator("select option").all_inner_texts()

    def choose(self, text: str) -> None:
        """Choose the item that contains a text."""
        self.node.locator("select").select_option(next(each for each in self.items() if text in each))

    def answer(self, label: str) -> None:
        """Press a button, and wait until the dialog is gone."""
        this_one = self.node.element_handle()  # the answer may open another
        self.node.get_by_role("button", name=label, exact=True).click()
        this_one.wait_for_element_state("hidden")


def command(notebook: Notebook, name: str, **arguments: Any) -> None:
    """Start a command as the palette does, without waiting for a dialog that it asks."""
    notebook.page.evaluate(
        "([id, args]) => { window.jupyterapp.commands.execute(id, args); }",
        [f"compression-workbench:{name}", arguments],
    )


def sources(notebook: Notebook) -> list[str]:
    """The cells of the notebook in front."""
    return notebook.page.evaluate(
        "() => window.jupyterapp.shell.currentWidget.content.widgets.map((c) => c.model.sharedModel.source)"
    )


def add_kernel(lab: Lab, name: str, script: str, language: str = "python") -> None:
    """Let the server find one more kernel."""
    folder: Path = lab.folder / "data" / "kernels" / name
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "kernel.py").write_text(script)
    argv = [sys.executable, str(folder / "kernel.py"), "-f", "{connection_file}"]
    spec = {"argv": argv, "display_name": name, "language": language}
    (folder / "kernel.json").write_text(json.dumps(spec))


def change_kernel(notebook: Notebook, name: str) -> None:
    """Give the notebook in front another kernel."""
    notebook.page.evaluate(
        "(name) => window.jupyterapp.shell.currentWidget.sessionContext.changeKernel({ name })", name
    )
    notebook.page.wait_for_function(
        "(name) => { const { kernel } = window.jupyterapp.shell.currentWidget.sessionContext.session;"
        " return kernel.name === name && kernel.status === 'idle'; }",
        arg=name,
        timeout=60_000,
    )


def restart(notebook: Notebook) -> None:
    """Restart the kernel of the notebook in front."""
    notebook.page.evaluate(
        "() => window.jupyterapp.shell.currentWidget.sessionContext.session.kernel.restart()"
    )
    notebook.page.wait_for_function(KERNEL_READY, timeout=60_000)
