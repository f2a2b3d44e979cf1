"""`%compress report net report.html`: the versions of a model as one HTML file a colleague can open."""

from __future__ import annotations

from pathlib import Path

from workbench.magics.arguments import Request
from workbench.magics.grammar import DATA, Verb
from workbench.magics.page import Page, Words
from workbench.magics.session import Session
from workbench.measurement import units

_FILE = "report.html"  # where none is named


def _run(request: Request, session: Session) -> None:
    from workbench.panels.paper.report import write

    subject = session.subject(request.model, request.data)
    name = request.words[1] if len(request.words) > 1 else _FILE
    path = Path(name).expanduser()
    write(path, subject.work, tree := session.tree(subject))
    many = f"{len(tree)} version{'s' * (len(tree) != 1)}"
    session.show(Page((Words(f"{path}: {units.size(path.stat().st_size)}, {many} of {subject.work.name}"),)))


VERB = Verb(
    "report net report.html",
    "the versions of a model as one HTML file that a colleague can open",
    _run,
    words=("model", "file"),
    flags=(*DATA, "--model"),
)
