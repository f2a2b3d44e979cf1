"""%compress in a real kernel: what a front end is sent, and what a stored notebook keeps."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from jupyter_client import KernelManager

pytestmark = pytest.mark.slow

SETUP = """
import sys
sys.path.insert(0, {tests!r})
%load_ext workbench
import small
import workbench as wb
from workbench.measurement import measuring
measuring.__kwdefaults__ |= {{"seconds": 0.01, "runtimes": ("pytorch",)}}  # what is measured is not the point
net, data = small.net(), small.data()
train, val, test = data["train"], data["validation"], data["test"]
"""


@dataclass
class Sent:
    """What a cell made the kernel send to the front end."""

    messages: list[tuple[str, dict[str, Any]]]
    reply: dict[str, Any]

    def contents(self, kind: str) -> list[dict[str, Any]]:
        return [content for name, content in self.messages if name == kind]


class Kernel:
    """One kernel in a folder of its own."""

    def __init__(self, folder: Path) -> None:
        self._manager = KernelManager(kernel_name="python3")
        self._manager.start_kernel(cwd=str(folder))
        self._client = self._manager.client()
        self._client.start_channels()
        self._client.wait_for_ready(timeout=60)

    def run(self, source: str, interrupt_at: str | None = None) -> Sent:
        """Run a cell and collect what it sends; interrupt it when its progress first says something."""
        messages: list[tuple[str, dict[str, Any]]] = []

        def hook(message: dict[str, Any]) -> None:
            nonlocal interrupt_at
            kind, content = message["msg_type"], message["content"]
            messages.append((kind, content))
            is_progress = kind == "update_display_data" and "<progress" in content["data"]["text/html"]
            if interrupt_at and is_progress and interrupt_at in content["data"]["text/html"]:
                interrupt_at = None
                self._manager.interrupt_kernel()

        reply = self._client.execute_interactive(source, timeout=120, output_hook=hook)
        return Sent(messages, reply["content"])

    def value(self, expression: str) -> Any:
        """What an expression is in the kernel, as plain data."""
        sent = self.run(f"import json; print(json.dumps({expression}))")
        return json.loads("".join(each["text"] for each in sent.contents("stream")))

    def close(self) -> None:
        self._client.stop_channels()
        self._manager.shutdown_kernel(now=True)


@pytest.fixture(scope="module")
def kernel(tmp_path_factory) -> Iterator[Kernel]:
    kernel = Kernel(tmp_path_factory.mktemp("notebook"))
    sent = kernel.run(SETUP.format(tests=str(Path(__file__).resolve().parent.parent)))
    assert sent.reply["status"] == "ok", sent.reply
    yield kernel
    kernel.close()


def shows_a_panel(sent: Sent) -> bool:
    view = "application/vnd.jupyter.widget-view+json"
    return any(view in each["data"] for each in sent.contents("display_data"))


RUN = "%compress net --sparsity 0.5 --epochs 1 --train train --validation val --test test --into first"


def test_a_mistake_fails_the_cell_with_one_line(kernel):
    sent = kernel.run("%compress nte --bits 4 --into never")
    assert sent.reply["status"] == "error"
    (error,) = sent.contents("error")
    assert error["traceback"] == ["no model named 'nte'; this notebook has: net"]
    assert kernel.value("'never' in globals()") is False


def test_progress_ends_as_it_began(kernel):
    """A stored notebook keeps the last update, a test of it sees the first display: they must be equal."""
    sent = kernel.run(RUN)
    assert sent.reply["status"] == "ok", sent.reply
    header, *others = sent.contents("display_data")
    updates = sent.contents("update_display_data")
    assert updates[-1]["data"] == header["data"]
    assert {each["transient"]["display_id"] for each in updates} == {header["transient"]["display_id"]}
    assert any("<progress" in each["data"]["text/html"] for each in updates)
    assert not any("<progress" in each["data"].get("text/html", "") for each in [header, *others])


def test_the_recipe_and_the_report_stay(kernel):
    header, report = kernel.run(RUN).contents("display_data")
    assert "PruneWeights(sparsity=0.5) | FineTune(epochs=1)" in header["data"]["text/plain"]
    assert "<table" in report["data"]["text/html"]
    assert "accuracy" in report["data"]["text/plain"]


def test_nothing_is_said_twice(kernel):
    sent = kernel.run(RUN)
    assert not sent.contents("execute_result")
    assert not sent.contents("stream")


def test_an_interrupt_keeps_the_best_so_far(kernel):
    line = "%compress net --epochs 1000 --train train --validation val --test test --into stopped"
    sent = kernel.run(line, interrupt_at="loss")
    assert sent.reply["status"] == "ok", sent.reply
    assert kernel.value("stopped.is_stopped") is True
    assert kernel.value("len(stopped.stages)") == 1


def test_versions_are_kept_beside_the_notebook(kernel):
    kernel.run(RUN)
    assert kernel.value("__import__('pathlib').Path('.workbench/versions.sqlite').exists()")


def test_versions_made_in_python_are_kept_too(kernel):
    kernel.run("mine = wb.compress(wb.Workload(net, **data), 'Quantize(4)', seed=7)")
    kernel.run("tree = wb.tree_for(mine.work)")
    assert kernel.value("tree.is_kept and mine.name in tree")


def test_the_studio_opens_on_a_model(kernel):
    sent = kernel.run("%compress net --validation val")
    assert sent.reply["status"] == "ok", sent.reply
    assert shows_a_panel(sent)


def test_without_data_the_studio_opens_and_data_are_offered(kernel):
    kernel.run("other = small.net(seed=5)\nx_val, y_val = val")
    sent = kernel.run("%compress other")
    assert sent.reply["status"] == "ok", sent.reply
    texts = [each["data"].get("text/plain", "") for each in sent.contents("display_data")]
    assert any("%compress other --train train --validation val" in text for text in texts)
    assert shows_a_panel(sent)


def test_the_example_opens_without_anything(kernel):
    sent = kernel.run("%compress")
    assert sent.reply["status"] == "ok", sent.reply
    assert shows_a_panel(sent)


def test_the_studio_opens_at_a_version(kernel):
    kernel.run(RUN)
    kernel.run("%compress net --bits 8")
    assert shows_a_panel(kernel.run("%compress first"))
    assert kernel.value("wb.tree_for(first.work).head.id == first.id")
