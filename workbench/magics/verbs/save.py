"""`%compress save small small.safetensors`: one packed file, with recipe and structure in its header."""

from __future__ import annotations

from pathlib import Path

from workbench.magics.arguments import Request
from workbench.magics.grammar import Verb
from workbench.magics.page import Page, Words
from workbench.magics.session import Session
from workbench.measurement import units


def _run(request: Request, session: Session) -> None:
    from workbench.storage import save

    version = session.version(request.words[0])
    path = Path(request.words[1]).expanduser()
    written = save(version, path, request.flags.get("--level"))
    session.show(Page((Words(f"{path}: {units.size(written)}{_against(version, written)}"),)))


def _against(version: object, written: int) -> str:
    """How it compares with the original's float32 file, where that is known."""
    before = getattr(getattr(getattr(version, "report", None), "baseline_size", None), "stored", None)
    if not before:
        return ""
    return f", {units.smaller(written, before)} of the original's {units.size(before)}"


VERB = Verb(
    "save small small.safetensors",
    "write a version as one packed file that loads back to the same outputs",
    _run,
    words=("version", "file"),
    required=2,
    flags=("--level", "--model"),
)
