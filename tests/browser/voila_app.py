"""A notebook as an app: Voila runs it and serves its outputs, without its code."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from harness import free_port, own_folders, signal_group

CELL_TIMEOUT = 240  # seconds
_ANSWERS = 90  # seconds until the server does


@contextmanager
def served(notebook: Path, folder: Path) -> Iterator[str]:
    """Serve one notebook, in a copy in `folder`; its address."""
    copied = shutil.copy(notebook, folder)
    port, log = free_port(), folder / "voila.log"
    command = [
        *(sys.executable, "-m", "voila", str(copied), "--no-browser", f"--port={port}"),
        *("--Voila.ip=127.0.0.1", f"--VoilaExecutor.timeout={CELL_TIMEOUT}"),
    ]
    with log.open("wb") as file:
        process = subprocess.Popen(
            command, cwd=folder, env=own_folders(folder), stdout=file, stderr=file, start_new_session=True
        )
    try:
        address = f"http://127.0.0.1:{port}/"
        _wait_for(address, process, log)
        yield address
    finally:
        signal_group(process, signal.SIGTERM)
        try:
            process.wait(10)
        except subprocess.TimeoutExpired:
            signal_group(process, signal.SIGKILL)


def _wait_for(address: str, process: subprocess.Popen[bytes], log: Path) -> None:
    deadline = time.monotonic() + _ANSWERS
    while time.monotonic() < deadline and process.poll() is None:
        try:
            # a page of its own that runs nothing: asking for the notebook would run it once more
            urllib.request.urlopen(f"{address}voila/static/voila.js", timeout=2).read(1)
            return
        except urllib.error.HTTPError:
            return  # it answers
        except OSError:
            time.sleep(0.1)
    raise RuntimeError(f"Voila did not start:{os.linesep}{log.read_text()[-3000:]}")
