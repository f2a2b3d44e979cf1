"""Put the built front end and the lessons where JupyterLab looks for them.

A wheel, an editable one too, carries them as shared data: `hatch_build.py` asks `shipped` for the list. In
a checkout `python -m workbench.labextension.shipping` (part of `hatch run lab`) copies them there, so that a
front end that was built again, or a new lesson, is there without another install.

Only the standard library is imported: the build of a wheel has nothing else.
"""

from __future__ import annotations

import json
import shutil
import sys
from collections.abc import Iterable, Iterator
from pathlib import Path

NAME = "compression-workbench"
PLACE = f"share/jupyter/labextensions/{NAME}"
HERE = Path(__file__).resolve().parent
BUILT = HERE / "built"
LESSONS = HERE.parent.parent / "notebooks"
_INSTALLED_BY = {
    "packageManager": "python",
    "packageName": NAME,
    "uninstallInstructions": f"pip uninstall {NAME}",
}


def shipped(scratch: Path) -> dict[str, str]:
    """Files of this checkout and where each goes in an environment, generated ones in `scratch`."""
    return {str(source): f"{PLACE}/{target}" for target, source in _files(scratch)}


def put(folder: Path, scratch: Path) -> Path:
    """Copies of the files in `folder/NAME`, in place of what is there; the folder itself."""
    place = folder / NAME
    if place.is_symlink():
        place.unlink()
    shutil.rmtree(place, ignore_errors=True)
    for target, source in _files(scratch):
        copied = place / target
        copied.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(source, copied)  # no links: JupyterLab's server refuses to follow them
    return place


def lessons(folder: Path) -> list[dict[str, str]]:
    """File and title of every notebook in a folder, in order; the title is its first heading."""
    found = []
    for path in sorted(folder.glob("*.ipynb")):
        cells = json.loads(path.read_text(encoding="utf-8")).get("cells", [])
        found.append({"file": path.name, "title": _title(cells) or path.stem})
    return found


def _files(scratch: Path) -> Iterator[tuple[str, Path]]:
    for path in sorted(BUILT.rglob("*")):
        if path.is_file():
            yield path.relative_to(BUILT).as_posix(), path
    index = lessons(LESSONS)
    for each in index:
        yield f"lessons/{each['file']}", LESSONS / each["file"]
    scratch.mkdir(parents=True, exist_ok=True)
    for target, content in (("lessons/index.json", index), ("install.json", _INSTALLED_BY)):
        generated = scratch / target.replace("/", "-")
        generated.write_text(json.dumps(content, indent=1, ensure_ascii=False), encoding="utf-8")
        yield target, generated


def _title(cells: Iterable[dict[str, object]]) -> str:
    for cell in cells:
        source = cell.get("source", "")
        lines = source if isinstance(source, list) else str(source).splitlines()
        for line in lines if cell.get("cell_type") == "markdown" else ():
            if str(line).startswith("# "):
                return str(line)[2:].strip()
    return ""


def main() -> None:
    import tempfile

    if not LESSONS.is_dir():
        return  # an installed package: its files were put there by the installer
    with tempfile.TemporaryDirectory() as scratch:
        put(Path(sys.prefix) / "share" / "jupyter" / "labextensions", Path(scratch))


if __name__ == "__main__":
    main()
