"""Drive JupyterLab in a headless Chromium, and ask its kernel what Python thinks of it.

`Lab` is a server with folders of its own; `Notebook` is one page on it. Nothing leaves this machine: what a
page asks of elsewhere is refused and remembered.
"""

from __future__ import annotations

import json
import os
import re
import secrets
import shutil
import signal
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, ClassVar

import nbformat
from playwright.sync_api import Browser, Page, Playwright, Route

from workbench.labextension import shipping

OUTPUT = Path(__file__).resolve().parent.parent / "output"
INSTALL = (
    "no Chromium here; install one: python -m playwright install chromium (or: apt-get install chromium)"
)
FLAGS = [
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]
_MODULES = {"lab": "jupyterlab", "notebook": "notebook"}
LIGHT, DARK = "JupyterLab Light", "JupyterLab Dark"
_LOCAL = ("http://127.0.0.1", "http://localhost", "ws://127.0.0.1", "data:", "blob:")
# JupyterLab, when a page is left, or a kernel shut down, while it asks
_NOT_OURS = ("Could not restore the debugger state", "Canceled future for create_subshell_request")
_NO_NEWS = {"checkForUpdates": False, "fetchNews": "false", "doNotDisturbMode": True}


def chromium(playwright: Playwright) -> str | None:
    """The system's Chromium, else Playwright's own, else None."""
    for name in ("chromium", "chromium-browser", "google-chrome"):
        if found := shutil.which(name):
            return found
    own = playwright.chromium.executable_path
    return own if Path(own).exists() else None


class Lab:
    """A running JupyterLab whose notebooks lie in `folder / "notebooks"`.

    Args:
        application: "lab", or "notebook" for Notebook 7.
        arguments: more for the command that starts it.
    """

    def __init__(self, folder: Path, application: str = "lab", arguments: Sequence[str] = ()) -> None:
        self.folder = folder
        self.notebooks = folder / "notebooks"
        self.notebooks.mkdir(parents=True, exist_ok=True)
        self._log = folder / "server.log"
        self._token = secrets.token_hex(8)
        self._port = free_port()
        self._application = application
        self._arguments = arguments
        self._environment = own_folders(folder)
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self._port}"

    def start(self) -> Lab:
        """Start the server and wait until it answers."""
        application = "JupyterNotebookApp" if self._application == "notebook" else "LabApp"
        exposing = f"{application}.expose_app_in_browser"
        command = [
            *(sys.executable, "-m", _MODULES[self._application], "--no-browser", "--allow-root"),
            *(f"--port={self._port}", f"--IdentityProvider.token={self._token}"),
            *(f"--ServerApp.root_dir={self.notebooks}", f"--{exposing}=True"),
            *self._arguments,
        ]
        with self._log.open("wb") as log:
            self._process = subprocess.Popen(
                command, env=self._environment, stdout=log, stderr=log, start_new_session=True
            )
        self._wait_until_up()
        return self

    def stop(self) -> None:
        """End the server and every kernel it started."""
        if self._process is None:
            return
        signal_group(self._process, signal.SIGTERM)
        try:
            self._process.wait(10)
        except subprocess.TimeoutExpired:
            signal_group(self._process, signal.SIGKILL)

    def write(self, name: str, cells: Sequence[str]) -> str:
        """Put a notebook of code cells into the server's folder; returns its file name."""
        notebook = nbformat.v4.new_notebook()
        notebook.metadata.kernelspec = {"name": "python3", "display_name": "Python 3", "language": "python"}
        notebook.cells = [nbformat.v4.new_code_cell(source) for source in cells]
        nbformat.write(notebook, str(self.notebooks / f"{name}.ipynb"))
        return f"{name}.ipynb"

    def choose(self, plugin: str, settings: dict[str, Any]) -> None:
        """Write a plug-in's settings, as the settings editor does; pages that are opened later have them."""
        name, _, key = plugin.partition(":")
        path = self.folder / "settings" / name / f"{key}.jupyterlab-settings"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(json.dumps(settings))

    def address(self, file: str) -> str:
        """The page of one notebook, in a workspace of its own."""
        workspace = Path(file).stem.replace("/", "-")
        if self._application == "notebook":
            return f"{self.url}/notebooks/{file}?token={self._token}"
        return f"{self.url}/lab/workspaces/{workspace}/tree/{file}?reset&token={self._token}"

    def _wait_until_up(self, timeout: float = 90) -> None:
        deadline = time.monotonic() + timeout
        while time.monotonic() < deadline:
            if self._process is not None and self._process.poll() is not None:
                break
            try:
                urllib.request.urlopen(f"{self.url}/api", timeout=2).read()
                return
            except OSError:
                time.sleep(0.1)
        raise RuntimeError(f"JupyterLab did not start:\n{self._log.read_text()[-3000:]}")


class Notebook:
    """One notebook open in a page of its own."""

    all_open: ClassVar[list[Notebook]] = []

    def __init__(
        self, browser: Browser, lab: Lab, file: str, *, width: int = 1400, height: int = 1000, **context: Any
    ) -> None:
        """
        Args:
            context: more of Playwright's context options, `reduced_motion="reduce"` for one.
        """
        self.outside: list[str] = []
        self.errors: list[str] = []
        self._lab, self._file = lab, file
        self.all_open.append(self)
        self._context = browser.new_context(viewport={"width": width, "height": height}, **context)
        self.page: Page = self._context.new_page()
        self.page.route("**/*", self._route)
        self.page.on("pageerror", lambda error: self._complain(str(error)))
        self.page.on("console", self._note)
        self.reload()

    def run(self, timeout: float = 120) -> None:
        """Run all cells and wait for the last one.

        Raises:
            AssertionError: a cell failed; the text is what it printed.
        """
        self.page.evaluate("() => window.jupyterapp.commands.execute('notebook:run-all-cells')")
        self.page.wait_for_function(_ALL_RAN, timeout=timeout * 1000)
        failed = [each for each in self.page.evaluate(_ERRORS) if each]
        assert not failed, "\n".join(failed)

    def save(self) -> None:
        """Save the notebook, as a person would before leaving the page."""
        self.page.evaluate("() => window.jupyterapp.shell.currentWidget.context.save()")

    def reload(self) -> None:
        """Load the page (again); the kernel goes on."""
        self.page.goto(self._lab.address(self._file))
        self.page.wait_for_function(KERNEL_READY, timeout=90_000)

    def python(self, expression: str) -> Any:
        """The value of a Python expression in the kernel, through JSON.

        Raises:
            AssertionError: the expression raised.
        """
        told = self.page.evaluate(_ASK, f"__import__('json').dumps({expression})")
        assert told["status"] == "ok", f"{expression}: {told.get('ename')}: {told.get('evalue')}"
        return json.loads(_literal(told["data"]["text/plain"]))

    def execute(self, code: str) -> None:
        """Run statements in the kernel, outside of any cell."""
        told = self.page.evaluate(_EXECUTE, code)
        assert told["status"] == "ok", f"{code}: {told.get('ename')}: {told.get('evalue')}"

    def wait_for_python(self, expression: str, timeout: float = 30) -> Any:
        """Ask until the expression is true; returns its value."""
        deadline = time.monotonic() + timeout
        while not (value := self.python(expression)):
            assert time.monotonic() < deadline, f"not true within {timeout} s: {expression}"
            self.page.wait_for_timeout(50)
        return value

    def theme(self, name: str) -> None:
        """Switch JupyterLab's theme (`LIGHT`, `DARK`) and wait until its stylesheet is in force."""
        self.page.evaluate(
            "(theme) => window.jupyterapp.commands.execute('apputils:change-theme', { theme })", name
        )
        is_light = "true" if name == LIGHT else "false"
        self.page.wait_for_selector(f"body[data-jp-theme-light={is_light}]", state="attached")
        self.page.wait_for_timeout(800)

    def drag(self, label: str, by: int) -> None:
        """Drag a slider's handle by so many pixels, in steps, as a hand does."""
        drag(self.page, label, by)

    def press(self, name: str) -> None:
        """Click the button of the studio that says just this."""
        says = re.compile(rf"^\s*{re.escape(name)}\s*$")
        self.page.locator(".wb-workbench button:not(.wb-more, .wb-advice *)").filter(has_text=says).click()

    def screenshot(self, name: str, selector: str | None = None) -> Path:
        """A picture of the page, or of one element, in tests/output/."""
        OUTPUT.mkdir(exist_ok=True)
        path = OUTPUT / f"{name}.png"
        target = self.page.locator(selector).first if selector else self.page
        target.screenshot(path=str(path))
        return path

    def close(self) -> None:
        """Shut the kernel down and close the page."""
        self.all_open.remove(self)
        self.page.evaluate("() => window.jupyterapp.shell.currentWidget.sessionContext.shutdown()")
        self._context.close()

    def _route(self, route: Route) -> None:
        if route.request.url.startswith(_LOCAL):
            route.continue_()
        else:
            self.outside.append(route.request.url)
            route.abort()

    def _note(self, message: Any) -> None:
        if message.type == "error":
            self._complain(message.text)

    def _complain(self, text: str) -> None:
        if not text.removeprefix("Error: ").startswith(_NOT_OURS):
            self.errors.append(text)


def drag(page: Page, label: str, by: int) -> None:
    """Drag the handle of a page's slider by so many pixels, in steps, as a hand does."""
    slider = page.locator(".widget-hslider", has_text=label).locator(".noUi-handle").first
    slider.scroll_into_view_if_needed()
    box = slider.bounding_box()
    assert box is not None, f"no slider {label!r} is in sight"
    x, y = box["x"] + box["width"] / 2, box["y"] + box["height"] / 2
    page.mouse.move(x, y)
    page.mouse.down()
    page.mouse.move(x + by, y, steps=12)
    page.mouse.up()


@contextmanager
def open_browser(playwright: Playwright) -> Iterator[Browser]:
    """A headless Chromium.

    Raises:
        FileNotFoundError: there is none; the text is the line that installs one.
    """
    path = chromium(playwright)
    if path is None:
        raise FileNotFoundError(INSTALL)
    browser = playwright.chromium.launch(executable_path=path, args=FLAGS)
    try:
        yield browser
    finally:
        browser.close()


@contextmanager
def opened(browser: Browser, lab: Lab, name: str, cells: Sequence[str], **context: Any) -> Iterator[Notebook]:
    """A notebook of these cells; at its end the page must have asked nobody else and raised no error."""
    notebook = Notebook(browser, lab, lab.write(name, cells), **context)
    try:
        yield notebook
    finally:
        notebook.close()
    assert notebook.outside == [] and notebook.errors == [], f"{notebook.outside} {notebook.errors}"


def own_folders(folder: Path) -> dict[str, str]:
    """The environment of a server that knows nothing of the developer's settings."""
    names = {
        "JUPYTER_CONFIG_DIR": "config",
        "JUPYTER_DATA_DIR": "data",
        "JUPYTER_RUNTIME_DIR": "runtime",
        "JUPYTERLAB_SETTINGS_DIR": "settings",
        "JUPYTERLAB_WORKSPACES_DIR": "workspaces",
        "IPYTHONDIR": "ipython",
    }
    news = folder / "settings" / "@jupyterlab" / "apputils-extension" / "notification.jupyterlab-settings"
    news.parent.mkdir(parents=True, exist_ok=True)
    news.write_text(json.dumps(_NO_NEWS))
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    # the front end of this checkout, whatever the environment has installed
    shipping.put(folder / "share" / "labextensions", folder / "generated")
    share = [str(folder / "share"), *filter(None, [os.environ.get("JUPYTER_PATH")])]
    own = {"PATH": path, "JUPYTER_PATH": os.pathsep.join(share)}
    return {**os.environ, **{name: str(folder / each) for name, each in names.items()}, **own}


def free_port() -> int:
    """A port that nobody listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def signal_group(process: subprocess.Popen[bytes], number: signal.Signals) -> None:
    """Signal a process that leads a group, and all it has started."""
    try:
        os.killpg(process.pid, number)
    except ProcessLookupError:
        return


def _literal(text: str) -> str:
    """The text behind Python's repr of it, as `user_expressions` answers."""
    import ast

    return ast.literal_eval(text)


KERNEL_READY = """() => {
  const widget = window.jupyterapp?.shell?.currentWidget;
  const kernel = widget?.sessionContext?.session?.kernel;
  return kernel?.connectionStatus === 'connected' && kernel.status === 'idle' && widget.content?.widgets;
}"""
_ALL_RAN = """() => {
  const { content, sessionContext } = window.jupyterapp.shell.currentWidget;
  const cells = content.widgets.map(({ model }) => model)
    .filter((cell) => cell.type === 'code' && cell.sharedModel.source.trim());
  const isError = (output) => output.output_type === 'error';
  const failed = cells.some((cell) => cell.outputs.toJSON().some(isError));
  const ran = failed || cells.every((cell) => cell.executionCount !== null);
  return ran && sessionContext.session.kernel.status === 'idle';
}"""
_ERRORS = """() => window.jupyterapp.shell.currentWidget.content.widgets.flatMap(({ model }) =>
  (model.type === 'code' ? model.outputs.toJSON() : [])
    .filter((each) => each.output_type === 'error').map((each) => `${each.ename}: ${each.evalue}`))"""
_ASK = """async (expression) => {
  const { kernel } = window.jupyterapp.shell.currentWidget.sessionContext.session;
  const asked = { code: '', silent: true, store_history: false, user_expressions: { value: expression } };
  const reply = await kernel.requestExecute(asked).done;
  return reply.content.user_expressions.value;
}"""
_EXECUTE = """async (code) => {
  const { kernel } = window.jupyterapp.shell.currentWidget.sessionContext.session;
  return (await kernel.requestExecute({ code, silent: false, store_history: false }).done).content;
}"""
