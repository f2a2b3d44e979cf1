"""How much memory do lessons take that are open at once? Kernels, their children and the server, sampled.

    python tests/benchmarks/memory_of_lessons.py [LESSON ...]

Lessons are named by how their file begins (`02 04`); without names, each is run alone, and then the two
largest together. They run from top to bottom on one thread, without a network, and stay open until all are
through, as in a browser with several tabs. Run it in an environment with the CPU build of torch to see what
Binder needs.

Prints for each set of lessons the highest sum of resident memory (RSS: pages that processes share are
counted in each) and of proportional memory (PSS: shared once; what a container is charged), and seconds.
"""

from __future__ import annotations

import asyncio
import os
import shutil
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import nbformat
import psutil
from nbclient import NotebookClient

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
import surroundings

LESSONS = surroundings.ROOT / "notebooks"
PERIOD = 0.1  # seconds between samples
LIMIT = 2_000  # MB, what Binder gives


@dataclass
class Watch:
    """The highest sums over a process tree, sampled in a thread; MB."""

    root: psutil.Process
    rss: float = 0.0
    pss: float = 0.0

    def sample(self) -> None:
        """Look once."""
        found = []
        for process in (self.root, *self.root.children(recursive=True)):
            try:
                found.append((process.name(), process.memory_full_info()))
            except (psutil.NoSuchProcess, psutil.AccessDenied, psutil.ZombieProcess):
                continue
        self.rss = max(self.rss, sum(each.rss for _, each in found) / 1e6)
        self.pss = max(self.pss, sum(each.pss for _, each in found) / 1e6)


@contextmanager
def watched(pid: int) -> Iterator[Watch]:
    """Sample a process and its children meanwhile."""
    watch, is_over = Watch(psutil.Process(pid)), threading.Event()

    def sampling() -> None:
        while not is_over.wait(PERIOD):
            watch.sample()

    thread = threading.Thread(target=sampling)
    thread.start()
    try:
        yield watch
    finally:
        is_over.set()
        thread.join()


def lessons(names: Sequence[str]) -> list[Path]:
    """The lessons whose files begin with these texts; all of them without any."""
    found = sorted(LESSONS.glob("*.ipynb"))
    return [path for path in found if not names or path.name.startswith(tuple(names))]


async def run(path: Path, folder: Path, through: asyncio.Barrier) -> float:
    """Run one lesson and keep its kernel until all others are through, too; its seconds."""
    shutil.copy(path, folder)
    notebook = nbformat.read(path, as_version=4)
    client = NotebookClient(
        notebook, timeout=600, kernel_name="python3", resources={"metadata": {"path": str(folder)}}
    )
    async with client.async_setup_kernel():
        started = time.monotonic()
        for index, cell in enumerate(notebook.cells):
            await client.async_execute_cell(cell, index)
        taken = time.monotonic() - started
        await through.wait()
    return taken


async def run_all(paths: Sequence[Path]) -> list[float]:
    """Run lessons at the same time, each in a folder of its own."""
    through = asyncio.Barrier(len(paths))
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as top:
        folders = [Path(top) / path.stem for path in paths]
        for folder in folders:
            folder.mkdir()
        return await asyncio.gather(*(run(*each, through) for each in zip(paths, folders, strict=True)))


@contextmanager
def server(folder: Path) -> Iterator[None]:
    """A JupyterLab server beside them, as on Binder."""
    command = [sys.executable, "-m", "jupyterlab", "--no-browser", "--ServerApp.allow_root=True"]
    command += ["--ServerApp.port=0", "--ServerApp.ip=127.0.0.1", f"--ServerApp.root_dir={folder}"]
    with (folder / "server.log").open("w") as log:
        process = subprocess.Popen(command, stdout=log, stderr=log)
        try:
            yield
        finally:
            process.terminate()
            process.wait(30)


def measure(paths: Sequence[Path]) -> Watch:
    """Run lessons at once and print what they took."""
    with watched(os.getpid()) as watch:
        taken = asyncio.run(run_all(paths))
    own = psutil.Process().memory_info().rss / 1e6  # this script is not there on Binder
    watch.rss, watch.pss = watch.rss - own, watch.pss - own
    named = ", ".join(f"{path.stem} {seconds:.0f} s" for path, seconds in zip(paths, taken, strict=True))
    verdict = "" if len(paths) < 2 else f"   under {LIMIT:,} MB: {watch.rss < LIMIT}"
    print(f"RSS {watch.rss:6,.0f} MB   PSS {watch.pss:6,.0f} MB   {named}{verdict}", flush=True)
    return watch


def main(names: Sequence[str]) -> int:
    import torch

    print(f"torch {torch.__version__}; the sums include a JupyterLab server")
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as folder:
        surroundings.enter(Path(folder))
        with server(Path(folder)):
            if names:
                return int(measure(lessons(names)).rss >= LIMIT)
            alone = {path: measure([path]).rss for path in lessons(())}
            largest = sorted(alone, key=alone.__getitem__)[-2:]
            return int(measure(largest).rss >= LIMIT)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
