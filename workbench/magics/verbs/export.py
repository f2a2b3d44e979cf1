"""`%compress export small small.onnx`: a version for another runtime."""

from __future__ import annotations

from pathlib import Path

from workbench.magics.arguments import Request
from workbench.magics.grammar import Verb
from workbench.magics.page import Page, Words
from workbench.magics.session import Session
from workbench.measurement import units


def _run(request: Request, session: Session) -> None:
    from workbench.storage import export

    version = session.version(request.words[0])
    path = Path(request.words[1]).expanduser()
    written = export(version, path)
    session.show(Page((Words(f"{path}: {units.size(written)}, weights as float32, outputs checked"),)))


VERB = Verb(
    "export small small.onnx",
    "write a version for another runtime; its outputs are checked against the version's",
    _run,
    words=("version", "file"),
    required=2,
    flags=("--model",),
)
