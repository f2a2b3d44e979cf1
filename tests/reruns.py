"""Run one cell again and again in a real kernel, as a front end does, and ask what is left behind."""

from __future__ import annotations

import ast
import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from jupyter_client.manager import start_new_kernel

LOAD = "import workbench as wb\nwork = wb.examples.load('digits')"
CELL = "panel = wb.Workbench(work, 'PruneWeights(sparsity=0.5)')\npanel"
WAIT = "panel.wait(60)"
_LEFT = """(lambda: (
    __import__('gc').collect(),
    getattr(__import__('ctypes').CDLL(None), 'malloc_trim', int)(0),
    len(__import__('ipywidgets').widget._instances),
    __import__('threading').active_count(),
    __import__('psutil').Process().memory_info().rss / 1e6,
)[2:])()"""
_PATIENCE = 120  # seconds


@dataclass(frozen=True)
class Left:
    """What lives in the kernel after a run: widget models, threads, resident memory in MB.

    Memory that was freed is given back first (glibc keeps it otherwise, more at some times than at others).
    """

    widgets: int
    threads: int
    memory: float


class Kernel:
    """A kernel whose cells have ids."""

    def __init__(self, client: Any) -> None:
        self._client = client

    def run(self, code: str, cell: str = "") -> None:
        """Run a cell and wait for its end.

        Raises:
            AssertionError: it raised.
        """
        content = {"code": code, "silent": False, "store_history": True, "allow_stdin": False}
        self._answer(content, {"cellId": cell} if cell else {})

    def left(self) -> Left:
        """What lives in the kernel now."""
        content = {"code": "", "silent": True, "user_expressions": {"left": _LEFT}}
        told = self._answer(content, {})["user_expressions"]["left"]
        return Left(*ast.literal_eval(told["data"]["text/plain"]))

    def _answer(self, content: dict[str, Any], metadata: dict[str, str]) -> dict[str, Any]:
        asked = self._client.session.msg("execute_request", content, metadata=metadata)
        self._client.shell_channel.send(asked)
        while True:
            reply = self._client.get_shell_msg(timeout=_PATIENCE)
            if reply["parent_header"].get("msg_id") == asked["header"]["msg_id"]:
                break
        assert reply["content"]["status"] == "ok", reply["content"]
        return reply["content"]


@contextmanager
def kernel(folder: Path) -> Iterator[Kernel]:
    """A kernel in a folder of its own, that knows the built-in example."""
    manager, client = start_new_kernel(
        kernel_name="python3", cwd=str(folder), env={**os.environ, "IPYTHONDIR": str(folder / "ipython")}
    )
    try:
        made = Kernel(client)
        made.run(LOAD)
        yield made
    finally:
        client.stop_channels()
        manager.shutdown_kernel(now=True)


def again(kernel: Kernel, times: int, cell: str = CELL, wait: str = WAIT) -> Iterator[Left]:
    """Run the studio's cell, or another one, so often; what is left after each time, its previews made."""
    for _ in range(times):
        kernel.run(cell, cell="the-studio")
        kernel.run(wait)
        yield kernel.left()
