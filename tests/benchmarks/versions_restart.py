"""How long a kernel restart takes to bring the versions back, and how quick a long list of them is.

    python tests/benchmarks/versions_restart.py [--example lenet-5] [--versions 200] [--list 1000]

Makes real versions of an example, keeps them in a SQLite file in a temporary folder, with names, notes, pins,
a branch and a redo, and then, as a new kernel would, opens the file again and a panel on it. Promises: all is
there again in under 2 s (the import of torch and the loading of the example are not counted: a notebook does
that before), and a selection among 1,000 versions costs the table under 100 ms.
"""

from __future__ import annotations

import argparse
import os
import secrets
import sys
import tempfile
import time
from pathlib import Path

os.environ.setdefault("OMP_NUM_THREADS", "1")

import workbench as wb
from workbench.candidate import Candidate
from workbench.live.board import ChartBoard
from workbench.panels.state.session import Session
from workbench.panels.views.versions_box import VersionsBox
from workbench.recipe import Recipe
from workbench.storage import pack
from workbench.versions import Version, VersionTree

RESTART, SELECTION = 2.0, 0.1  # seconds


def fill(path: Path, example: str, count: int) -> None:
    """So many versions in a file: a few measured ones, the others copies of them with ids of their own."""
    work = wb.examples.load(example)
    tree = VersionTree(path, work)
    first = wb.compress(work, "PruneWeights(sparsity=0.9) | Quantize(weights=4)", tree=tree, name="small")
    second = wb.compress(work, "FineTune(epochs=1)", tree=tree, parent=first)
    made = [first, second]
    while len(tree) < count:
        like = made[len(tree) % 2]
        tree.add(like.changed(id=secrets.token_hex(6), name=""))
    tree.annotate("small", "the branch begins here")
    tree.pin("small")
    tree.select("small")
    tree.undo()
    tree.close()


def restart(path: Path, example: str) -> dict[str, float]:
    """Seconds until a new tree has everything, until a session and the table of versions are there, and until
    the first weights are read."""
    work = wb.examples.load(example)
    _ = work.fingerprint
    began = time.perf_counter()
    tree = VersionTree(path, work)
    read = time.perf_counter() - began
    session = Session(work, tree=tree, names={})
    box = VersionsBox(session, ChartBoard({}))
    shown = time.perf_counter() - began
    head = tree.redo()
    _ = head.candidate
    weights = time.perf_counter() - began
    kept = tree.get("small")
    assert (kept.is_pinned, kept.note, head.name) == (True, "the branch begins here", "small")
    assert len(box.table.rows) == len(tree) + 1
    session.close()
    tree.close()
    return {"file read": read, "table shown": shown, "weights of one": weights}


def selecting(example: str, count: int) -> dict[str, float]:
    """Seconds that the table of a long list takes for its first rows, for a selection, for a new name."""
    work = wb.examples.load(example)
    tree = VersionTree(None, work)
    recipe = Recipe.parse("PruneWeights(sparsity=0.9)")
    packed = pack(Candidate.of(work.baseline), recipe=recipe, original=work.baseline)
    first = Version.new(work, recipe=recipe, seed=0, packed=packed)
    for _ in range(count):
        tree.add(first.changed(id=secrets.token_hex(6)))
    session = Session(work, tree=tree, names={})
    found = {}
    began = time.perf_counter()
    box = VersionsBox(session, ChartBoard({}))
    found["first rows"] = time.perf_counter() - began
    for name, action in (
        ("selection", lambda: tree.select("v500")),
        ("name", lambda: tree.rename("v500", "x")),
    ):
        action()
        began = time.perf_counter()
        box.refresh()
        found[name] = time.perf_counter() - began
    session.close()
    return found


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--example", default="lenet-5")
    parser.add_argument("--versions", type=int, default=200)
    parser.add_argument("--list", type=int, default=1000)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "versions.sqlite"
        fill(path, options.example, options.versions)
        size = path.stat().st_size / 1e6
        print(f"{options.versions} versions of {options.example}, {size:.1f} MB")
        back = restart(path, options.example)
    long = selecting(options.example, options.list)
    for name, seconds in back.items():
        print(f"  after a restart, {name:<16} {1000 * seconds:8.0f} ms")
    for name, seconds in long.items():
        print(f"  {options.list} versions, {name:<19} {1000 * seconds:8.0f} ms")
    kept = {
        f"everything is back in under {RESTART:g} s": back["weights of one"] < RESTART,
        f"a selection takes under {1000 * SELECTION:g} ms": long["selection"] < SELECTION,
    }
    for promise, is_kept in kept.items():
        print(f"{promise}: {is_kept}")
    return 0 if all(kept.values()) else 1


if __name__ == "__main__":
    sys.exit(main())
